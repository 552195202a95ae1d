//! The intake against good agents, bad luck and malice.

use super::*;

#[tokio::test]
async fn an_agent_registers_and_reports() {
    let manager = Manager::new();
    let agent = Agent::new(7);
    let (status, answer) = manager.post(agent.registration(&manager.token())).await;
    assert_eq!(status, StatusCode::OK);
    let Answer::RegisterForManagementResponse(response) = answer else { panic!("{answer:?}") };
    assert_eq!((response.customer.as_str(), response.site.as_str()), ("Beispiel GmbH", "Zentrale"));
    assert_eq!(response.agent, agent.key.agent_id());
    assert_eq!(manager.receipt(agent.report(vec![device("a", 100, 0)])).await, Receipt::Accepted);
    let document = agent.document(vec![device("b", 5, 0)]);
    let mut packed = agent.signed(&document).with("content-encoding", "gzip");
    packed.body = Body::from(gzip(&document));
    assert_eq!(manager.receipt(packed).await, Receipt::Accepted);
    assert_eq!(manager.device_count(), 2);
}

#[tokio::test]
async fn a_report_that_comes_again_changes_nothing() {
    let manager = Manager::new();
    let agent = manager.agent().await;
    let document = agent.document(vec![device("a", 100, 0)]);
    assert_eq!(manager.receipt(agent.signed(&document)).await, Receipt::Accepted);
    assert_eq!(manager.receipt(agent.signed(&document)).await, Receipt::Duplicate);
    let agent_again = Agent::new(7);
    let other = agent_again.document(vec![device("a", 999, 0)]);
    let (status, code, message) = manager.fault(agent.signed(&other)).await;
    assert_eq!((status, code), (StatusCode::CONFLICT, FaultCode::ReportIdReused));
    assert!(message.contains("1800000000000-1"), "{message}");
}

#[tokio::test]
async fn a_signature_that_does_not_hold_stores_nothing() {
    let manager = Manager::new();
    let agent = manager.agent().await;
    let document = agent.document(vec![device("a", 100, 0)]);
    let signed = || agent.signed(&document);
    let stranger = Agent::new(9);
    let borrowed =
        stranger.key.sign(&document).replace(stranger.key.agent_id().as_str(), agent.key.agent_id().as_str());
    let mut altered = signed();
    altered.body = Body::from(document.iter().chain(b" ").copied().collect::<Vec<_>>());
    for (post, expected) in [
        (signed().without("druckwart-signature"), "missing"),
        (signed().with("druckwart-signature", "nonsense"), "form"),
        (signed().with("druckwart-signature", &borrowed), "does not fit"),
        (altered, "does not fit"),
    ] {
        let (status, code, message) = manager.fault(post).await;
        assert_eq!((status, code), (StatusCode::UNAUTHORIZED, FaultCode::BadSignature), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    // A registered agent cannot report in another's name.
    let other = Agent::new(8);
    manager.post(other.registration(&manager.token())).await;
    let (_, code, message) = manager.fault(other.signed(&document)).await;
    assert_eq!(code, FaultCode::BadSignature, "{message}");
    assert_eq!(manager.device_count(), 0);
}

#[tokio::test]
async fn an_agent_that_is_not_registered_is_told_so() {
    let manager = Manager::new();
    let stranger = Agent::new(9);
    let (status, code, message) = manager.fault(stranger.report(vec![device("a", 1, 0)])).await;
    assert_eq!((status, code), (StatusCode::FORBIDDEN, FaultCode::UnknownAgent));
    assert!(message.contains("new enrolment code"), "{message}");
    let many = (0..100).map(|number| device(&number.to_string(), 1, 0)).collect();
    let (_, code, _) = manager.fault(stranger.report(many)).await;
    assert_eq!(code, FaultCode::UnknownAgent, "also when its report is long");
}

#[tokio::test]
async fn a_token_is_good_once() {
    let manager = Manager::new();
    let token = manager.token();
    let first = Agent::new(1);
    assert_eq!(manager.post(first.registration(&token)).await.0, StatusCode::OK);
    assert_eq!(manager.post(first.registration(&token)).await.0, StatusCode::OK, "the same agent may ask again");
    let (status, code, message) = manager.fault(Agent::new(2).registration(&token)).await;
    assert_eq!((status, code), (StatusCode::FORBIDDEN, FaultCode::BadToken));
    assert!(message.contains("used already"), "{message}");
    let (_, code, message) = manager.fault(Agent::new(2).registration("BEEQSCIJBEEQSCIJBEEQSCIJBE")).await;
    assert_eq!(code, FaultCode::BadToken);
    assert!(message.contains("not known"), "{message}");
    // A registration in which the key of another is claimed.
    let thief = Agent::new(3);
    let mut claimed = first.registration(&manager.token());
    claimed.headers.insert("druckwart-signature", thief.key.sign(b"something else"));
    assert_eq!(manager.fault(claimed).await.1, FaultCode::BadSignature);
    assert_eq!(manager.house.store.agents(&manager.scope).unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_not_a_message_is_named() {
    let manager = Manager::new();
    let agent = manager.agent().await;
    let document = agent.document(vec![device("a", 100, 0)]);
    let (status, _, message) = manager.fault(agent.signed(&document).with("content-type", "application/json")).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(message.contains("application/xml"), "{message}");
    let (status, _, _) = manager.fault(agent.signed(&document).with("content-encoding", "br")).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let (status, code, message) = manager.fault(agent.signed(&document).with("content-encoding", "gzip")).await;
    assert_eq!((status, code), (StatusCode::BAD_REQUEST, FaultCode::Malformed));
    assert!(message.contains("gzip data is damaged"), "{message}");
    for document in ["", "hello", "<Unknown/>", "<SendReports", "\u{0}"] {
        let (status, code, _) = manager.fault(agent.signed(document.as_bytes())).await;
        assert_eq!((status, code), (StatusCode::BAD_REQUEST, FaultCode::Malformed), "{document}");
    }
    let response = manager.send(Request::get("/agent/messages").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers().get(header::ALLOW).unwrap(), "POST");
    assert_eq!(manager.device_count(), 0);
}

#[tokio::test]
async fn hostile_xml_is_refused() {
    let manager = Manager::new();
    let agent = manager.agent().await;
    let good = String::from_utf8(agent.document(vec![device("a", 100, 0)])).unwrap();
    let (declaration, root) = good.split_once("?>").unwrap();
    let doctype = format!("{declaration}?><!DOCTYPE x [<!ENTITY a \"b\">]>{root}");
    let deep = format!("{declaration}?>{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let many =
        format!("{declaration}?>{}", root.replace("</SendReports>", &("<x/>".repeat(1_000_000) + "</SendReports>")));
    for document in [doctype, deep, many] {
        let mut post = agent.signed(document.as_bytes()).with("content-encoding", "gzip");
        post.body = Body::from(gzip(document.as_bytes()));
        let (status, code, message) = manager.fault(post).await;
        assert_eq!((status, code), (StatusCode::BAD_REQUEST, FaultCode::Malformed), "{message}");
    }
    assert_eq!(manager.device_count(), 0);
    assert_eq!(manager.receipt(agent.report(vec![device("a", 1, 0)])).await, Receipt::Accepted, "and life goes on");
}

#[tokio::test]
async fn what_is_too_large_is_cut_off_while_it_is_read() {
    let manager = Manager::new();
    let agent = manager.agent().await;
    let large = vec![b' '; 5 << 20];
    let (status, code, message) = manager.fault(agent.signed(&large)).await;
    assert_eq!((status, code), (StatusCode::PAYLOAD_TOO_LARGE, FaultCode::TooLarge));
    assert!(message.contains("4194304"), "{message}");
    let promised = agent.signed(b"<a/>").with("content-length", "104857600");
    assert_eq!(manager.fault(promised).await.1, FaultCode::TooLarge);
    // 100 MB of blanks pack to 100 kB.
    let bomb = vec![b' '; 100_000_000];
    let mut post = agent.signed(&bomb).with("content-encoding", "gzip");
    post.body = Body::from(gzip(&bomb));
    let (status, code, message) = manager.fault(post).await;
    assert_eq!((status, code), (StatusCode::PAYLOAD_TOO_LARGE, FaultCode::TooLarge));
    assert!(message.contains("once unpacked"), "{message}");
}

#[tokio::test]
async fn a_body_that_breaks_off_stores_nothing() {
    let manager = Manager::new();
    let agent = manager.agent().await;
    let document = agent.document(vec![device("a", 100, 0)]);
    let half = document.get(..document.len() / 2).unwrap().to_vec();
    let parts = [Ok(axum::body::Bytes::from(half)), Err(std::io::Error::other("connection reset"))];
    let mut post = agent.signed(&document);
    post.body = Body::from_stream(Parts(parts.into_iter().collect()));
    let (status, code, _) = manager.fault(post).await;
    assert_eq!((status, code), (StatusCode::BAD_REQUEST, FaultCode::Malformed));
    assert_eq!(manager.device_count(), 0);
    assert_eq!(manager.receipt(agent.signed(&document)).await, Receipt::Accepted);
}

/// A body in given parts.
struct Parts(std::collections::VecDeque<Result<axum::body::Bytes, std::io::Error>>);

impl futures_core::Stream for Parts {
    type Item = Result<axum::body::Bytes, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}

#[tokio::test]
async fn a_database_that_is_busy_asks_for_patience() {
    let manager = Manager::new();
    let agent = manager.agent().await;
    let path = manager._folder.path().join("manager.sqlite");
    let document = agent.document(vec![device("a", 100, 0)]);
    let blocker = rusqlite::Connection::open(path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let request = Request::post("/agent/messages")
        .header("content-type", "application/xml")
        .header("druckwart-signature", agent.key.sign(&document))
        .body(Body::from(document.clone()))
        .unwrap();
    let response = manager.send(request).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key(header::RETRY_AFTER));
    blocker.execute_batch("ROLLBACK").unwrap();
    assert_eq!(manager.receipt(agent.signed(&document)).await, Receipt::Accepted);
}
