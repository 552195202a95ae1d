//! The simulator asked by net-snmp: an independent implementation says whether its bytes are SNMP.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::{collections::BTreeMap, fs, net::SocketAddrV4, process::Command};

use data_encoding::HEXUPPER;
use testkit::{
    oid::{Oid, Value},
    printer_sim::{Mood, Printer, Version},
    recording::Recording,
    sim_site::SimSite,
};

/// One value of each type, at its limits, and OIDs whose arcs take one to five octets.
const EVERYTHING: &str = "\
1.3.6.1.2.1.1.1.0|4|Tiny 1
1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.1347.41
1.3.6.1.2.1.1.3.0|67|4294967295
1.3.6.1.2.1.1.4.0|4|
1.3.6.1.2.1.1.7.0|2|72
1.3.6.1.2.1.2.2.1.5.1|66|4294967295
1.3.6.1.2.1.2.2.1.6.1|4x|02004c4f4f50
1.3.6.1.2.1.2.2.1.22.1|6|0.0
1.3.6.1.2.1.4.20.1.1.192.0.2.7|64|192.0.2.7
1.3.6.1.2.1.4.31.1.1.4.1|70|18446744073709551615
1.3.6.1.2.1.43.8.2.1.10.1.1|2|-3
1.3.6.1.2.1.43.8.2.1.10.1.2|2|-2147483648
1.3.6.1.2.1.43.8.2.1.10.1.128|2|2147483647
1.3.6.1.2.1.43.8.2.1.10.1.16384|2|128
1.3.6.1.2.1.43.8.2.1.10.1.4294967295|2|-129
1.3.6.1.2.1.43.10.2.1.4.1.1|65|4294967295
1.3.6.1.2.1.43.10.2.1.4.1.2|65|2147483648
1.3.6.1.2.1.43.10.2.1.4.1.3|65|0
1.3.6.1.4.1.1.1|4x|00ff7f80
";

#[tokio::test]
async fn a_bulk_walk_sees_every_row_as_recorded() {
    let (site, recording) = start(Printer::new).await;
    let walked = walk(&site, &["snmpbulkwalk", "-v2c", "-Cr7"]).await;
    same(&walked, &shown(&recording, |_| true));
}

#[tokio::test]
async fn every_recording_comes_over_the_wire_as_it_is() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../agent-core/walks");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "snmprec") {
            continue;
        }
        let recording = Recording::load(&path).unwrap();
        let site = SimSite::start(vec![Printer::new(recording.clone())]).await.unwrap();
        let walked = walk(&site, &["snmpbulkwalk", "-v2c", "-Cr40"]).await;
        same(&walked, &shown(&recording, |_| true));
    }
}

#[tokio::test]
async fn a_walk_in_v1_sees_all_but_64_bit_counters() {
    let (site, recording) = start(Printer::new).await;
    let walked = walk(&site, &["snmpwalk", "-v1"]).await;
    same(&walked, &shown(&recording, |value| !matches!(value, Value::Counter64(_))));
}

#[tokio::test]
async fn small_messages_make_bulk_walks_longer_and_no_poorer() {
    let (site, recording) = start(|recording| Printer::new(recording).with_max_message(120)).await;
    let walked = walk(&site, &["snmpbulkwalk", "-v2c", "-Cr50"]).await;
    same(&walked, &shown(&recording, |_| true));
    let traffic = site.with(0, |printer| printer.traffic());
    assert!(traffic.bytes_out <= traffic.datagrams_out * 120, "{traffic:?}");
}

#[tokio::test]
async fn sloppy_encoding_is_what_net_snmp_bears() {
    let (site, recording) = start(|recording| Printer::new(recording).with_mood(Mood::OddEncoding)).await;
    let walked = walk(&site, &["snmpbulkwalk", "-v2c"]).await;
    same(&walked, &shown(&recording, |_| true));
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let (site, _) = start(Printer::new).await;
    let address = site.addresses()[0];
    let v2c = ask(address, &["snmpget", "-v2c", "-cpublic", "1.3.6.1.2.1.43.8.2.1.10.1.9", "1.3.6.1.9.9.0"]).await;
    assert!(v2c.contains("43.8.2.1.10.1.9 = No Such Instance"), "{v2c}");
    assert!(v2c.contains("9.9.0 = No Such Object"), "{v2c}");
    let end = ask(address, &["snmpgetnext", "-v2c", "-cpublic", "1.3.6.1.5"]).await;
    assert!(end.contains("No more variables left"), "{end}");
    // -Cf: do not repeat the request without the name that failed.
    let v1 = ask(address, &["snmpget", "-v1", "-cpublic", "-Cf", "1.3.6.1.2.1.1.1.0", "1.3.6.1.9.9.0"]).await;
    assert!(v1.contains("noSuchName") && v1.contains("Failed object: .1.3.6.1.9.9.0"), "{v1}");
    let set = ask(address, &["snmpset", "-v2c", "-cpublic", "1.3.6.1.2.1.1.1.0", "s", "x"]).await;
    assert!(set.contains("notWritable"), "{set}");
}

#[tokio::test]
async fn strangers_hear_nothing() {
    let (site, _) = start(|recording| Printer::new(recording).with_newest_version(Version::V1)).await;
    let address = site.addresses()[0];
    for options in [["-v1", "-cprivate"], ["-v2c", "-cpublic"]] {
        let heard = ask(address, &["snmpget", options[0], options[1], "-t0.2", "-r0", "1.3.6.1.2.1.1.1.0"]).await;
        assert!(heard.contains("Timeout"), "{heard}");
    }
    assert_eq!(site.with(0, |printer| printer.traffic().datagrams_out), 0);
    assert!(site.with(0, |printer| printer.asked().is_empty()));
}

async fn start(printer: impl Fn(Recording) -> Printer) -> (SimSite, Recording) {
    let recording = Recording::parse(EVERYTHING).unwrap();
    (SimSite::start(vec![printer(recording.clone())]).await.unwrap(), recording)
}

async fn walk(site: &SimSite, command: &[&str]) -> BTreeMap<Oid, String> {
    let said = ask(site.addresses()[0], &[command, &["-cpublic", "1"]].concat()).await;
    let ends = ["No more variables left", "End of MIB"];
    let rows = said.lines().filter(|line| !ends.iter().any(|end| line.contains(end)));
    rows.map(|line| {
        let (oid, value) = line.split_once(" = ").unwrap_or_else(|| panic!("no row: {said}"));
        (oid.trim_start_matches('.').parse().unwrap(), value.trim().to_owned())
    })
    .collect()
}

fn shown(recording: &Recording, wanted: impl Fn(&Value) -> bool) -> BTreeMap<Oid, String> {
    let rows = recording.rows.iter().filter(|(_, value)| wanted(value));
    rows.map(|(oid, value)| (oid.clone(), show(value))).collect()
}

#[track_caller]
fn same(walked: &BTreeMap<Oid, String>, recorded: &BTreeMap<Oid, String>) {
    for oid in walked.keys().chain(recorded.keys()) {
        assert_eq!(walked.get(oid), recorded.get(oid), "{oid}");
    }
}

/// A value as net-snmp shows it.
fn show(value: &Value) -> String {
    match value {
        Value::Integer(number) => format!("INTEGER: {number}"),
        Value::OctetString(octets) if octets.is_empty() => "\"\"".to_owned(),
        Value::OctetString(octets) => {
            let hex: Vec<String> = octets.iter().map(|octet| HEXUPPER.encode(&[*octet])).collect();
            format!("Hex-STRING: {}", hex.join(" "))
        }
        Value::Null => "NULL".to_owned(),
        Value::ObjectId(oid) => format!("OID: .{oid}"),
        Value::IpAddress([a, b, c, d]) => format!("IpAddress: {a}.{b}.{c}.{d}"),
        Value::Counter32(number) => format!("Counter32: {number}"),
        Value::Gauge32(number) => format!("Gauge32: {number}"),
        Value::TimeTicks(number) => format!("Timeticks: ({number})"),
        Value::Opaque(octets) => format!("OPAQUE: {octets:?}"),
        Value::Counter64(number) => format!("Counter64: {number}"),
    }
}

/// Runs a program of net-snmp; what it says on either channel.
async fn ask(address: SocketAddrV4, command: &[&str]) -> String {
    let (program, arguments) = command.split_first().unwrap();
    let (options, operands): (Vec<&str>, Vec<&str>) = arguments.iter().partition(|text| text.starts_with('-'));
    let mut run = Command::new(program);
    // No configuration, no MIBs; OIDs as numbers, strings in hexadecimal.
    run.args(["-m", "", "-M", "", "-One", "-Ox"]).args(options).arg(address.to_string()).args(operands);
    run.env("SNMPCONFPATH", "/nonexistent");
    let program = (*program).to_owned();
    let ran = tokio::task::spawn_blocking(move || run.output()).await.unwrap();
    let output = ran.unwrap_or_else(|error| panic!("can not run {program} (Debian package `snmp`): {error}"));
    let timeticks = |line: &str| match line.split_once("Timeticks: (") {
        // Days and hours stand behind the number.
        Some((before, rest)) => format!("{before}Timeticks: ({})", rest.split(')').next().unwrap_or_default()),
        None => line.to_owned(),
    };
    let said = [output.stdout, output.stderr].concat();
    let mut lines: Vec<String> = Vec::new();
    for line in String::from_utf8_lossy(&said).lines().map(timeticks) {
        // Long strings go on in lines of hexadecimal.
        let goes_on =
            line.as_bytes().get(2) == Some(&b' ') && HEXUPPER.decode(line.get(..2).unwrap_or("x").as_bytes()).is_ok();
        match lines.last_mut().filter(|_| goes_on) {
            Some(last) => last.push_str(&line),
            None => lines.push(line),
        }
    }
    lines.join("\n")
}

/// net-snmp speaks SNMPv3 with the simulator in every pair of protocols that it knows, over UDP and over TCP.
#[tokio::test]
async fn version_3_is_what_net_snmp_speaks() {
    use testkit::usm::{Cipher, Hash, User, Usm};

    let hashes = [
        ("MD5", Hash::Md5),
        ("SHA", Hash::Sha1),
        ("SHA-224", Hash::Sha224),
        ("SHA-256", Hash::Sha256),
        ("SHA-384", Hash::Sha384),
        ("SHA-512", Hash::Sha512),
    ];
    let ciphers = [
        ("DES", Cipher::Des, false),
        ("AES", Cipher::Aes128, false),
        ("AES-192", Cipher::Aes192, false),
        ("AES-256", Cipher::Aes256, false),
        ("AES-192-C", Cipher::Aes192, true),
        ("AES-256-C", Cipher::Aes256, true),
    ];
    let mut users = vec![User { name: "nobody".to_owned(), auth: None, privacy: None, reeder: false }];
    let password = "correct horse".to_owned();
    for (auth, hash) in hashes {
        for (privacy, cipher, reeder) in ciphers {
            let name = format!("{auth}{privacy}");
            let (auth, privacy) = (Some((hash, password.clone())), Some((cipher, password.clone())));
            users.push(User { name, auth, privacy, reeder });
        }
    }
    let engine = [0x80, 0, 0, 0, 4, b'n', b'e', b't'];
    let usm = Usm::new(&engine, users);
    let (site, _) =
        start(|recording| Printer::new(recording).with_usm(usm.clone()).without_communities().with_tcp()).await;
    let address = site.addresses()[0];
    let get = |place: String, options: Vec<&'static str>| async move {
        let ran = tokio::task::spawn_blocking(move || {
            let mut run = Command::new("snmpget");
            run.args(["-m", "", "-M", "", "-One", "-v3", "-t2"]).args(options).arg(place).arg("1.3.6.1.2.1.1.7.0");
            run.env("SNMPCONFPATH", "/nonexistent").output()
        });
        let output = ran.await.unwrap().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let fits = |said: &str| said.contains("INTEGER: 72");
    let said = get(address.to_string(), vec!["-lnoAuthNoPriv", "-unobody"]).await;
    assert!(fits(&said), "{said}");
    for (auth, _) in hashes {
        for (privacy, _, _) in ciphers {
            let name: &'static str = Box::leak(format!("{auth}{privacy}").into_boxed_str());
            let options = vec!["-u", name, "-a", auth, "-A", "correct horse", "-x", privacy, "-X", "correct horse"];
            let said = get(address.to_string(), [&options[..], &["-lauthPriv"]].concat()).await;
            assert!(fits(&said), "{auth} {privacy}: {said}");
            let said = get(format!("tcp:{address}"), [&options[..], &["-lauthNoPriv"]].concat()).await;
            assert!(fits(&said), "{auth} over TCP: {said}");
        }
    }
    let wrong = vec!["-lauthNoPriv", "-uSHAAES", "-aSHA", "-A", "wrong password"];
    let said = get(address.to_string(), wrong).await;
    assert!(said.contains("Authentication failure"), "{said}");
    let unknown = get(address.to_string(), vec!["-lnoAuthNoPriv", "-usomeone"]).await;
    assert!(unknown.contains("Unknown user name"), "{unknown}");
}
