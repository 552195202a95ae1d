//! The pages, as a browser gets them.

use super::*;

#[tokio::test]
async fn the_first_visit_sets_a_password_and_nothing_else_comes_before() {
    let manager = Manager::new();
    let mut visitor = Visitor { manager: &manager, cookies: BTreeMap::new(), language: "de" };
    for path in ["/", "/devices/1", "/login", "/nowhere"] {
        assert_eq!(visitor.get(path).await.location(), Some("/setup"), "{path}");
    }
    let page = visitor.get("/setup").await;
    page.has("Willkommen");
    page.has("lang=\"de\"");
    for (password, again, said) in [
        ("kurz", "kurz", "mindestens 10 Zeichen"),
        ("Passwort1234", "Passwort1234", "eines der ersten"),
        (PASSWORD, "etwas anderes", "verschieden"),
    ] {
        let page = visitor.post("/setup", &[("password", password), ("again", again)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        page.has(said);
        page.lacks(password);
    }
    let page = visitor.post("/setup", &[("password", PASSWORD), ("again", PASSWORD)]).await;
    assert_eq!(page.location(), Some("/"));
    let cookie = page.headers.get(header::SET_COOKIE).unwrap().to_str().unwrap();
    for part in ["__Host-druckwart-manager=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let page = visitor.post("/setup", &[("password", "ganz anderes Wort"), ("again", "ganz anderes Wort")]).await;
    assert_eq!(page.location(), Some("/login"), "a second first visit changes nothing");
}

#[tokio::test]
async fn log_in_and_out() {
    let manager = Manager::new();
    let mut visitor = manager.visitor().await;
    let page = visitor.get("/customers").await;
    assert_eq!(page.status, StatusCode::OK);
    let policy = page.headers.get(header::CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers.get(header::CACHE_CONTROL).unwrap(), "no-store");
    assert_eq!(visitor.post("/logout", &[]).await.status, StatusCode::FORBIDDEN, "log-out too wants the token");
    let old = visitor.cookies.clone();
    assert_eq!(visitor.send("/logout", &[]).await.location(), Some("/login"));
    visitor.cookies = old;
    let page = visitor.get("/customers?x=1").await;
    assert_eq!(page.location(), Some("/login?next=%2Fcustomers%3Fx%3D1"), "the old cookie is worth nothing");
    let page =
        visitor.post("/login", &[("user", "admin"), ("password", "falsch falsch"), ("next", "/customers")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    page.has("wrong");
    page.has("value=\"/customers\"");
    let form = [("user", "Admin"), ("password", PASSWORD), ("next", "/customers?x=1")];
    assert_eq!(visitor.post("/login", &form).await.location(), Some("/customers?x=1"));
    assert_eq!(visitor.get("/customers").await.status, StatusCode::OK);
    let elsewhere = [("user", "admin"), ("password", PASSWORD), ("next", "//evil.example")];
    assert_eq!(visitor.post("/login", &elsewhere).await.location(), Some("/"));
}

#[tokio::test]
async fn guessing_locks_out() {
    let manager = Manager::new();
    let mut visitor = manager.visitor().await;
    visitor.cookies.clear();
    for _ in 0..5 {
        let page = visitor.post("/login", &[("user", "admin"), ("password", "guess")]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let page = visitor.post("/login", &[("user", "admin"), ("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(page.headers.contains_key(header::RETRY_AFTER));
    page.has("Too many attempts");
}

#[tokio::test]
async fn another_password_ends_other_sessions() {
    let manager = Manager::new();
    let mut visitor = manager.visitor().await;
    let mut elsewhere = Visitor { manager: &manager, cookies: visitor.cookies.clone(), language: "en" };
    let form = |current| [("current", current), ("password", "gelbe Ente am Fluss"), ("again", "gelbe Ente am Fluss")];
    assert_eq!(visitor.send("/account", &form("falsch")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(visitor.send("/account", &form(PASSWORD)).await.location(), Some("/account"));
    visitor.get("/account").await.has("The password is changed.");
    assert!(elsewhere.get("/customers").await.location().unwrap().starts_with("/login"));
    // A password set on the command line ends sessions as well.
    manager.house.store.set_password("admin", "$argon2id$other").unwrap();
    assert!(visitor.get("/customers").await.location().unwrap().starts_with("/login"));
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let manager = Manager::new();
    let mut visitor = manager.visitor().await;
    let csrf = visitor.csrf().await;
    let body = format!("name=Evil&csrf={csrf}");
    let foreign = |origin: &'static str| {
        Request::post("/customers")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, origin)
    };
    for origin in ["https://evil.example", "null", "http://manager.example:8443"] {
        let page = visitor.request(foreign(origin), Body::from(body.clone())).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        page.has("another web site");
    }
    let page = visitor.post("/customers", &[("name", "Evil")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    page.has("out of date");
    let page = visitor.post("/customers", &[("name", "Evil"), ("csrf", "guessed")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    visitor.get("/customers").await.lacks("Evil");
}

#[tokio::test]
async fn nonsense_in_forms_and_addresses_is_answered_with_help() {
    let manager = Manager::new();
    let mut visitor = manager.visitor().await;
    let long = "x".repeat(101);
    for name in ["", "   ", &long, "a\u{7}b"] {
        let page = visitor.send("/customers", &[("name", name)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{name:?}");
        page.has("1 to 100 characters");
    }
    let page = visitor.send("/customers", &[("nom", "x")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    page.has("missing field `name`");
    let page = visitor.send("/customers", &[("name", "beispiel gmbh")]).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    page.has("beispiel gmbh exists already.");
    let huge = "x".repeat(300_000);
    assert_eq!(visitor.post("/customers", &[("name", &huge)]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let request = Request::post("/customers").header(header::CONTENT_TYPE, "application/json");
    assert_eq!(visitor.request(request, Body::from("{}")).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for path in ["/nowhere", "/devices/99", "/customers/99", "/sites/99", "/devices/99/counters.csv"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        page.has("There is no such page");
        page.has("href=\"/\"");
    }
    let page = visitor.get("/devices/abc").await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    page.has("was not understood");
    assert_eq!(visitor.post("/agents", &[]).await.status, StatusCode::METHOD_NOT_ALLOWED);
    let page = visitor.get("/?page=-1&state=x&customer=%27&order=;drop&dir=z&agent=q&site=-").await;
    assert_eq!(page.status, StatusCode::OK);
}

#[tokio::test]
async fn from_an_empty_manager_to_devices() {
    let manager = Manager::new();
    let mut visitor = manager.visitor().await;
    visitor.get("/").await.has("No devices yet");
    visitor.get("/agents").await.has("No agents yet");
    let page = visitor.send("/customers", &[("name", " Müller  & Söhne ")]).await;
    let customer = page.location().unwrap().to_owned();
    let page = visitor.get(&customer).await;
    page.has("The customer is created.");
    page.has("Müller &#38; Söhne");
    page.has("No sites yet");
    visitor.get(&customer).await.lacks("The customer is created.");
    let page = visitor.send(&format!("{customer}/sites"), &[("name", "Lager")]).await;
    let site = page.location().unwrap().to_owned();
    let page = visitor.send(&format!("{site}/codes"), &[]).await;
    page.has("DW1-");
    page.has("https://manager.example:8443");
    let code = page.body.split("id=\"code\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let file = visitor.send(&format!("{site}/agent.toml"), &[("code", &code)]).await;
    assert_eq!(
        file.body,
        format!(
            "# Druckwart agent, for: Müller & Söhne / Lager\n[manager]\nurl = \"https://manager.example:8443\"\n\
             enrolment_code = \"{code}\"\n"
        )
    );
    assert!(file.headers.get(header::CONTENT_DISPOSITION).unwrap().to_str().unwrap().contains("agent.toml"));
    let page = visitor.send(&format!("{site}/agent.toml"), &[("code", "DW1-nonsense")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = visitor.get(&site).await;
    page.has("Revoke");
    page.lacks(&code);
    let token = wire::enrolment::EnrolmentCode::parse(&code).unwrap().token;
    let agent = Agent::new(5);
    assert_eq!(manager.post(agent.registration(&token)).await.0, StatusCode::OK);
    visitor.get(&site).await.has("Used by pi-zentrale");
    visitor.get("/").await.has("An agent is enrolled");
    manager.receipt(agent.report(vec![device("a", 48_211, 0)])).await;
    let page = visitor.get("/").await;
    page.has("Kyocera TASKalfa a");
    page.has("48,211");
    page.has("Müller &#38; Söhne");
    visitor.get("/agents").await.has("Reporting");
    let page = visitor.get("/?q=nothing+of+this").await;
    page.has("No device fits");
}

#[tokio::test]
async fn a_revoked_code_admits_nobody() {
    let manager = Manager::new();
    let mut visitor = manager.visitor().await;
    let token = manager.token();
    let site = format!("/sites/{}", manager.site.0);
    let page = visitor.get(&site).await;
    let id = page.body.split("action=\"/codes/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let page = visitor.send(&format!("/codes/{id}/revoke"), &[]).await;
    assert_eq!(page.location(), Some(site.as_str()));
    visitor.get(&site).await.has("Revoked");
    assert_eq!(manager.fault(Agent::new(1).registration(&token)).await.1, FaultCode::BadToken);
}

#[tokio::test]
async fn a_device_page_shows_everything_in_both_languages() {
    let manager = Manager::new();
    let agent = manager.agent().await;
    for (hours, total) in [(300, 40_000), (200, 41_000), (100, 42_500), (50, 17), (1, 1_250)] {
        manager.receipt(agent.report(vec![device("a", total, hours)])).await;
    }
    let mut visitor = manager.visitor().await;
    let page = visitor.get("/devices/1").await;
    for text in [
        "Kyocera TASKalfa a",
        "SNa",
        "2. OG",
        "Warning",
        "ready",
        "Toner low",
        "Toner cartridge black",
        "37 %",
        "some left",
        "unknown",
        "empty",
        "width=\"37%\"",
        "url(#hatch)",
        "outlined",
        "emptied",
        "1,250",
        "+1,233",
        "+1,500",
        "a new meter begins here",
        "1.3.6.1.4.1.1347.42.3.1",
        "Alert history",
        "still open",
        "<polyline",
        "data-live=\"15\"",
    ] {
        page.has(text);
    }
    assert_eq!(page.body.matches("stroke=\"#010101\"").count(), 4, "two epochs, drawn wide and narrow");
    visitor.language = "de";
    let page = visitor.get("/devices/1").await;
    for text in
        ["Warnung", "bereit", "Tonerkassette Schwarz", "noch etwas da", "unbekannt", "leer", "1.250", "noch offen"]
    {
        page.has(text);
    }
    let page = visitor.get("/devices/1?lang=en&counter=x").await;
    assert_eq!(page.location(), Some("/devices/1?counter=x"));
    visitor.get("/devices/1").await.has("Alert history");
}

#[tokio::test]
async fn what_devices_say_is_never_markup_nor_formula() {
    let manager = Manager::new();
    let agent = manager.agent().await;
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let mut record = device("evil", 1, 0);
    let identity = record.identity.as_mut().unwrap();
    identity.model = Some(evil.to_owned());
    identity.manufacturer = None;
    identity.location = Some("=cmd|'/c calc'!A1".to_owned());
    let status = record.status.as_mut().unwrap();
    status.alerts[0].description = evil.to_owned();
    status.console = vec![evil.to_owned()];
    let supply = &mut record.supplies.as_mut().unwrap()[0];
    supply.description = evil.to_owned();
    supply.color = Some(Colorant::Other("\"><u>".to_owned()));
    supply.kind = SupplyKind::Toner;
    record.counters.as_mut().unwrap()[0].source = "\"><u>".to_owned();
    let remark = |code: &str| Remark { code: RemarkCode::from_keyword(code), since: None, text: evil.to_owned() };
    record.notes = Some(Notes { remarks: vec![remark("loop"), remark("<u>")], questions: vec![] });
    let event = Event {
        kind: EventKind::from_keyword("<u>"),
        at: record.read_at,
        before: evil.to_owned(),
        after: String::new(),
    };
    record.events = vec![event];
    let agent = Agent { remarks: vec![remark("<u>")], ..agent };
    manager.receipt(agent.report(vec![record])).await;
    let mut visitor = manager.visitor().await;
    for path in ["/", "/devices/1", "/?q=%22%3E%3Cscript%3E&customer=%22%3E%3Cu%3E", "/agents", "/customers"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, StatusCode::OK);
        page.lacks("<script>");
        page.lacks("<img");
        page.lacks("<u>");
        page.lacks("\"><u>");
        page.lacks("style=");
    }
    let csv = visitor.get("/devices.csv").await;
    csv.has("'=cmd|");
    csv.lacks(",=cmd");
}

#[tokio::test]
async fn what_an_agent_notices_stands_on_the_pages_and_is_decided_there() {
    let manager = Manager::new();
    let remark = |code: &str, text: &str| Remark {
        code: RemarkCode::from_keyword(code),
        since: Some(Timestamp::now() - SignedDuration::from_hours(2)),
        text: text.to_owned(),
    };
    let taken_back = remark("updateTakenBack", "Version 0.3.0 did not come up: 0.2.1 runs again");
    let agent = Agent { remarks: vec![taken_back], ..manager.agent().await };
    let mut newer = device("b", 7, 0);
    newer.notes = Some(Notes {
        remarks: vec![remark("polledLessSlow", "15 min; 12 s"), remark("loop", "1.3.6.1.2.1.43.11")],
        questions: vec![Question {
            doubt: DoubtKind::SerialTwice,
            older: DeviceId::new("a").unwrap(),
            asked_at: newer.read_at,
        }],
    });
    newer.events = vec![Event {
        kind: EventKind::Moved,
        at: newer.read_at,
        before: "192.0.2.1:161".to_owned(),
        after: "192.0.2.2:161".to_owned(),
    }];
    let (older, newer) = (DeviceRecord { id: DeviceId::new("a").unwrap(), ..device("a", 40, 5) }, newer);
    manager.receipt(agent.report(vec![older, newer])).await;
    let mut visitor = manager.visitor().await;
    visitor.get("/agents").await.has("Version 0.3.0 did not come up: 0.2.1 runs again");
    let fleet = visitor.get("/").await;
    fleet.has("There is something to decide: 1");
    fleet.has("go in circles");
    fleet.lacks("Polled every");
    let page = visitor.get("/devices/2").await;
    for words in [
        "Polled every 15 min only, because a reading takes 12 s.",
        "Address changed from 192.0.2.1:161 to 192.0.2.2:161",
        "Two devices say the same serial number.",
        "/questions/devices/1/same",
    ] {
        page.has(words);
    }
    visitor.language = "de";
    let questions = visitor.get("/questions").await;
    questions.has("Zwei Geräte nennen dieselbe Seriennummer.");
    questions.has("Schon bekannt");
    let refused = visitor.post("/questions/devices/1/same", &[]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "without a token");
    assert_eq!(visitor.send("/questions/devices/1/perhaps", &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(visitor.send("/questions/devices/1/same", &[]).await.location(), Some("/devices/1"));
    assert_eq!(visitor.send("/questions/devices/1/another", &[]).await.location(), Some("/questions"));
    assert_eq!(visitor.get("/devices/2").await.status, StatusCode::NOT_FOUND);
    visitor.get("/devices/1").await.has("Entschieden von admin: dasselbe Gerät wie");
}

#[tokio::test]
async fn exports_have_their_columns() {
    let manager = Manager::new();
    let agent = manager.agent().await;
    manager.receipt(agent.report(vec![device("a", 40, 5), device("b", 7, 5)])).await;
    manager.receipt(agent.report(vec![device("a", 41, 1)])).await;
    let mut visitor = manager.visitor().await;
    let csv = visitor.get("/devices.csv?q=SNa").await;
    assert!(csv.headers.get(header::CONTENT_TYPE).unwrap().to_str().unwrap().starts_with("text/csv"));
    let lines: Vec<&str> = csv.body.lines().collect();
    assert_eq!(
        lines[0].trim_start_matches('\u{feff}'),
        "device_id,customer,site,agent,manufacturer,model,serial,address,host_name,mac,location,firmware,condition,\
         read_at,silent_since,total,lowest_supply_percent"
    );
    assert!(
        lines[1]
            .starts_with("1,Beispiel GmbH,Zentrale,pi-zentrale,Kyocera,TASKalfa a,SNa,192.0.2.10,,,2. OG,,warning,")
    );
    assert!(lines[1].ends_with(",,41,0"), "{}", lines[1]);
    assert_eq!(lines.len(), 2);
    let csv = visitor.get("/devices/1/counters.csv").await;
    let lines: Vec<&str> = csv.body.lines().collect();
    assert_eq!(
        lines[0].trim_start_matches('\u{feff}'),
        "device_id,serial,model,read_at,counter,value,unit,meter_epoch,remark,source"
    );
    assert!(lines[1].ends_with("Z,System,41,impressions,1,,1.3.6.1.4.1.1347.42.3.1"), "{}", lines[1]);
    assert_eq!(lines.len(), 3);
}

#[tokio::test]
async fn style_and_script_may_be_kept_for_ever() {
    let manager = Manager::new();
    let mut visitor = manager.visitor().await;
    let page = visitor.get("/").await;
    for prefix in ["/assets/style-", "/assets/live-", "/assets/icon-"] {
        let rest = page.body.split(prefix).nth(1).unwrap().split('"').next().unwrap();
        let asset = visitor.get(&format!("{prefix}{rest}")).await;
        assert_eq!(asset.status, StatusCode::OK);
        assert!(asset.headers.get(header::CACHE_CONTROL).unwrap().to_str().unwrap().contains("immutable"));
    }
    page.lacks("style=");
    page.lacks("onclick=");
}
