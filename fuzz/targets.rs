//! What is fuzzed: plain functions that take any bytes and must not panic, hang or grow. `fuzz_targets/` hands them to libFuzzer,
//! `agent-core/tests/corpora.rs` replays the corpora with them in every test run.

use agent_core::profile::Profiles;
use agent_core::reader::Reader;
use agent_core::snmp::Version;
use agent_core::snmp::message::decode_response;
use agent_core::snmp::v3::Message;

/// A function for any bytes.
pub type Target = fn(&[u8]);

/// All targets by the names of their corpora.
pub const TARGETS: [(&str, Target); 6] =
    [("response", response), ("v3", v3), ("reader", reader), ("profile", profile), ("dns_sd", dns_sd), ("arp", arp)];

/// An answer of version 1 or 2c, through the library's decoder and our forgiving one.
pub fn response(bytes: &[u8]) {
    let _ = decode_response(bytes);
}

/// A message of version 3 before anything of it is trusted.
pub fn v3(bytes: &[u8]) {
    let _ = Message::decode(bytes);
}

/// A whole reading, answered with what the bytes hold: two octets of length and an answer, again and again; then silence.
pub fn reader(bytes: &[u8]) {
    let Ok(profiles) = Profiles::built_in() else { return };
    let mut reader = Reader::full(if bytes.len().is_multiple_of(2) { Version::V2c } else { Version::V1 });
    let mut rest = bytes;
    let mut asked = 0;
    while let Ok(Some(question)) = reader.poll_question(&profiles) {
        asked += 1;
        assert!(asked <= 401, "a reading without end");
        let answer = rest.split_first_chunk::<2>().and_then(|(length, behind)| {
            let (answer, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            rest = behind;
            decode_response(answer).ok()
        });
        match answer {
            Some(response) => reader.handle_response(question, response),
            None if reader.handle_silence(question).is_err() => break,
            None => {}
        }
    }
    let reading = reader.finish();
    let _ = profiles.snapshot(profiles.named(&reading.profile), &reading.variables);
}

/// A profile as someone wrote it.
pub fn profile(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let base = include_str!("../agent-core/profiles/printer-mib.toml");
    let _ = Profiles::parse(&[("printer-mib", base), ("acme", text)]);
}

/// What printers announce of themselves.
pub fn dns_sd(bytes: &[u8]) {
    let _ = agent_core::dns_sd::decode_hints(std::net::Ipv4Addr::LOCALHOST, bytes);
}

/// A frame of an attached network.
pub fn arp(bytes: &[u8]) {
    let _ = agent_core::arp::decode_reply(agent_core::arp::Mac([2, 0, 0, 0, 0, 1]), bytes);
}
