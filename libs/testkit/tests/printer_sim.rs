//! Each behaviour of a simulated printer, asked through its public door with messages that `rasn` encodes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::time::Duration;

use rasn::types::{Integer, ObjectIdentifier, OctetString};
use rasn_snmp::{
    v1::Message,
    v2::{BulkPdu, GetBulkRequest, GetNextRequest, GetRequest, Pdu, Pdus, Response, VarBind, VarBindValue},
};
use testkit::{
    oid::{Oid, Value},
    printer_sim::{Mood, Printer, Source, Version},
    recording::Recording,
};

const ROWS: &str = "\
1.3.6.1.2.1.1.1.0|4|Tiny 1
1.3.6.1.2.1.1.3.0|67|4711
1.3.6.1.2.1.4.31.1.1.4.1|70|5000000000
1.3.6.1.2.1.43.11.1.1.6.1.1|4|Toner C
1.3.6.1.2.1.43.11.1.1.6.1.2|4|Toner K
1.3.6.1.2.1.43.11.1.1.9.1.1|65|4294967295
1.3.6.1.2.1.43.11.1.1.9.1.2|2|-3
";
const DESCRIPTION: &str = "1.3.6.1.2.1.1.1.0";
const UPTIME: &str = "1.3.6.1.2.1.1.3.0";
const COUNTER64: &str = "1.3.6.1.2.1.4.31.1.1.4.1";
const NAMES: &str = "1.3.6.1.2.1.43.11.1.1.6";
const LEVELS: &str = "1.3.6.1.2.1.43.11.1.1.9";

#[test]
fn get_answers_each_variable_in_its_place() {
    let mut printer = printer();
    let answer = ask(&mut printer, get(Version::V2c, &[UPTIME, "1.3.6.1.2.1.1.9.0", DESCRIPTION, "1.3.6.1.2.1.1.1.7"]));
    assert_eq!(answer.request_id, -77);
    assert_eq!((answer.error_status, answer.error_index), (0, 0));
    assert_eq!(names(&answer), [UPTIME, "1.3.6.1.2.1.1.9.0", DESCRIPTION, "1.3.6.1.2.1.1.1.7"]);
    assert_eq!(answer.variable_bindings[1].value, VarBindValue::NoSuchObject);
    assert_eq!(answer.variable_bindings[3].value, VarBindValue::NoSuchInstance);
    assert_eq!(printer.asked().len(), 4);
    assert_eq!(printer.told().iter().map(Oid::to_string).collect::<Vec<_>>(), [DESCRIPTION, UPTIME]);
}

#[test]
fn one_name_that_is_not_there_fails_a_whole_v1_get() {
    let answer = ask(&mut printer(), get(Version::V1, &[UPTIME, "1.3.6.1.2.1.1.9.0", "1.3.6.1.2.1.1.9.1"]));
    assert_eq!((answer.error_status, answer.error_index), (u32::from(NO_SUCH_NAME), 2));
    assert_eq!(names(&answer), [UPTIME, "1.3.6.1.2.1.1.9.0", "1.3.6.1.2.1.1.9.1"]);
    let answer = ask(&mut printer(), get(Version::V1, &[COUNTER64]));
    assert_eq!((answer.error_status, answer.error_index), (u32::from(NO_SUCH_NAME), 1));
}

#[test]
fn get_next_passes_64_bit_counters_in_v1_and_ends_as_the_version_does() {
    let last = "1.3.6.1.2.1.43.11.1.1.9.1.2";
    let v1 = ask(&mut printer(), next(Version::V1, &[UPTIME]));
    assert_eq!(names(&v1), ["1.3.6.1.2.1.43.11.1.1.6.1.1"]);
    let v2c = ask(&mut printer(), next(Version::V2c, &[UPTIME, last]));
    assert_eq!(names(&v2c), [COUNTER64, last]);
    assert_eq!(v2c.variable_bindings[1].value, VarBindValue::EndOfMibView);
    let end = ask(&mut printer(), next(Version::V1, &[UPTIME, last]));
    assert_eq!((end.error_status, end.error_index), (u32::from(NO_SUCH_NAME), 2));
}

#[test]
fn get_bulk_repeats_what_is_to_be_repeated() {
    let answer = ask(&mut printer(), bulk(1, 2, &["1.3.6.1.2.1.1.2", NAMES, LEVELS]));
    let expected =
        [UPTIME, &format!("{NAMES}.1.1"), &format!("{LEVELS}.1.1"), &format!("{NAMES}.1.2"), &format!("{LEVELS}.1.2")];
    assert_eq!(names(&answer), expected);
    // Beyond the end a single round of endOfMibView is enough.
    let answer = ask(&mut printer(), bulk(0, 10_000, &[LEVELS]));
    assert_eq!(names(&answer), [expected[2], expected[4], expected[4]]);
    assert_eq!(answer.variable_bindings[2].value, VarBindValue::EndOfMibView);
    assert!(printer().answer(&bulk_in(Version::V1, 0, 5, &[LEVELS])).is_empty(), "v1 has no GETBULK");
}

#[test]
fn an_answer_that_is_too_large_is_cut_or_refused() {
    let names_of_rows = [DESCRIPTION, UPTIME, COUNTER64, "1.3.6.1.2.1.43.11.1.1.6.1.1"];
    let full = printer().answer(&get(Version::V2c, &names_of_rows))[0].bytes.len();
    let small = |request: &[u8]| ask_bytes(&mut printer().with_max_message(full - 1), request).unwrap();
    let answer = small(&get(Version::V2c, &names_of_rows));
    assert_eq!((answer.error_status, answer.error_index, answer.variable_bindings.len()), (TOO_BIG, 0, 0));
    let answer = small(&get(Version::V1, &names_of_rows[..2]));
    assert_eq!(answer.error_status, 0);

    for limit in 60..200 {
        let responses = printer().with_max_message(limit).answer(&bulk(0, 100, &["1.3"]));
        assert!(responses.iter().all(|response| response.bytes.len() <= limit));
        let variables = pdu(&responses[0].bytes).unwrap().variable_bindings.len();
        assert!((1..=8).contains(&variables), "{variables} variables in {limit} octets");
    }
}

#[test]
fn what_is_no_request_for_it_stays_unanswered() {
    let community =
        |community: &str| message(Version::V2c, community, Pdus::GetRequest(GetRequest(variables(&[UPTIME]))));
    let response = message(Version::V2c, "public", Pdus::Response(Response(variables(&[UPTIME]))));
    let mut v3 = get(Version::V2c, &[UPTIME]);
    v3[4] = 3;
    let cut = &get(Version::V2c, &[UPTIME])[..20];
    let mut printer = printer();
    for request in [&community("Public"), &community(""), &response, &v3, cut, &[0x30, 0x80, 0, 0], &[]] {
        assert!(printer.answer(request).is_empty());
    }
    assert!(printer.asked().is_empty());
    let traffic = printer.traffic();
    assert_eq!((traffic.datagrams_in, traffic.datagrams_out, traffic.bytes_out), (7, 0, 0));
    assert!(printer.with_newest_version(Version::V1).answer(&get(Version::V2c, &[UPTIME])).is_empty());
}

#[test]
fn moods_of_delivery() {
    let right = printer().answer(&get(Version::V2c, &[UPTIME]));
    assert_eq!((right.len(), right[0].delay, right[0].source), (1, Duration::ZERO, Source::Same));
    let moody = |mood| printer().with_mood(mood).answer(&get(Version::V2c, &[UPTIME]));
    assert!(moody(Mood::Silent).is_empty());
    assert_eq!(moody(Mood::Duplicate), [right.clone(), right.clone()].concat());
    let slow = moody(Mood::Slow(Duration::from_secs(3)));
    assert_eq!((slow[0].delay, &slow[0].bytes), (Duration::from_secs(3), &right[0].bytes));
    assert_eq!(moody(Mood::OtherPort)[0].source, Source::OtherPort);
    assert_eq!(moody(Mood::OtherAddress)[0].source, Source::OtherAddress);
    assert_eq!(moody(Mood::Truncated)[0].bytes, right[0].bytes[..right[0].bytes.len() / 2]);

    let mut rubbish = printer().with_mood(Mood::Rubbish);
    let kinds: Vec<_> = (0..6).flat_map(|_| rubbish.answer(&get(Version::V2c, &[UPTIME]))).collect();
    assert_eq!(kinds.len(), 6);
    assert!(kinds.iter().all(|kind| pdu(&kind.bytes).is_none()));
    assert!(kinds.iter().all(|kind| kinds.iter().filter(|other| *other == kind).count() == 1), "six different kinds");
    assert!(rubbish.told().is_empty());
}

#[test]
fn moods_of_content() {
    let moody = |mood, request: &[u8]| ask_bytes(&mut printer().with_mood(mood), request);
    let two = get(Version::V2c, &[UPTIME, DESCRIPTION]);
    assert_eq!(moody(Mood::WrongRequestId, &two).unwrap().request_id, -76);
    let failed = moody(Mood::GenErr, &two).unwrap();
    assert_eq!((failed.error_status, failed.error_index), (5, 1));
    assert_eq!(names(&moody(Mood::FirstVariableOnly, &two).unwrap()), [UPTIME]);
    assert_eq!(moody(Mood::NoBulk, &bulk(0, 2, &[NAMES])), None);
    assert_eq!(moody(Mood::NoBulk, &two).unwrap().variable_bindings.len(), 2);
    assert_eq!(moody(Mood::TooBigAbove(1), &two).unwrap().error_status, TOO_BIG);
    assert_eq!(moody(Mood::TooBigAbove(1), &bulk(0, 2, &[NAMES])).unwrap().error_status, TOO_BIG);
    assert_eq!(moody(Mood::TooBigAbove(2), &two).unwrap().error_status, 0);
}

#[test]
fn moods_of_walking() {
    let request = next(Version::V2c, &[&format!("{NAMES}.1.2")]);
    let repeated = ask(&mut printer().with_mood(Mood::NextRepeats), request.clone());
    assert_eq!(names(&repeated), [format!("{NAMES}.1.2")]);
    let back = ask(&mut printer().with_mood(Mood::NextGoesBack), request);
    assert_eq!(names(&back), [format!("{NAMES}.1.1")]);
    let endless = ask(&mut printer().with_mood(Mood::NextGoesBack), bulk(0, 5, &[NAMES]));
    assert_eq!(names(&endless), [1, 2, 1, 2, 1].map(|row| format!("{NAMES}.1.{row}")));
}

#[test]
fn odd_encoding_says_the_same_in_other_octets() {
    let row = format!("{LEVELS}.1.1");
    let request = get(Version::V2c, &[&row, DESCRIPTION]);
    let right = printer().answer(&request).remove(0).bytes;
    let odd = printer().with_mood(Mood::OddEncoding).answer(&request).remove(0).bytes;
    let holds = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(holds(&right, &[0x41, 0x05, 0x00, 0xff, 0xff, 0xff, 0xff]));
    assert!(holds(&odd, &[0x41, 0x81, 0x04, 0xff, 0xff, 0xff, 0xff]));
    assert!(odd.starts_with(&[0x30, 0x83, 0x00, 0x00]));
    assert!(holds(&odd, b"\x04\x81\x06Tiny 1"));
}

#[test]
fn rows_can_change_while_it_answers() {
    let mut printer = printer();
    let uptime: Oid = UPTIME.parse().unwrap();
    printer.set(uptime.clone(), Some(Value::TimeTicks(4712)));
    assert_eq!(printer.rows()[&uptime], Value::TimeTicks(4712));
    printer.set(uptime, None);
    assert_eq!(ask(&mut printer, get(Version::V2c, &[UPTIME])).variable_bindings[0].value, VarBindValue::NoSuchObject);
    printer.forget();
    assert!(printer.asked().is_empty());
}

const NO_SUCH_NAME: u8 = 2;
const TOO_BIG: u32 = 1;

fn printer() -> Printer {
    Printer::new(Recording::parse(ROWS).unwrap())
}

fn ask(printer: &mut Printer, request: Vec<u8>) -> Pdu {
    ask_bytes(printer, &request).expect("an answer")
}

fn ask_bytes(printer: &mut Printer, request: &[u8]) -> Option<Pdu> {
    pdu(&printer.answer(request).first()?.bytes)
}

fn pdu(bytes: &[u8]) -> Option<Pdu> {
    match rasn::ber::decode::<Message<Pdus>>(bytes).ok()?.data {
        Pdus::Response(Response(pdu)) => Some(pdu),
        _ => None,
    }
}

fn names(pdu: &Pdu) -> Vec<String> {
    pdu.variable_bindings.iter().map(|variable| Oid::new(&**variable.name).unwrap().to_string()).collect()
}

fn get(version: Version, names: &[&str]) -> Vec<u8> {
    message(version, "public", Pdus::GetRequest(GetRequest(variables(names))))
}

fn next(version: Version, names: &[&str]) -> Vec<u8> {
    message(version, "public", Pdus::GetNextRequest(GetNextRequest(variables(names))))
}

fn bulk(non_repeaters: u32, max_repetitions: u32, names: &[&str]) -> Vec<u8> {
    bulk_in(Version::V2c, non_repeaters, max_repetitions, names)
}

fn bulk_in(version: Version, non_repeaters: u32, max_repetitions: u32, names: &[&str]) -> Vec<u8> {
    let Pdu { request_id, variable_bindings, .. } = variables(names);
    let pdu = BulkPdu { request_id, non_repeaters, max_repetitions, variable_bindings };
    message(version, "public", Pdus::GetBulkRequest(GetBulkRequest(pdu)))
}

fn variables(names: &[&str]) -> Pdu {
    let unspecified = |name: &&str| {
        let oid: Oid = name.parse().unwrap();
        VarBind { name: ObjectIdentifier::new(oid.arcs().to_vec()).unwrap(), value: VarBindValue::Unspecified }
    };
    let variable_bindings = names.iter().map(unspecified).collect();
    Pdu { request_id: -77, error_status: 0, error_index: 0, variable_bindings }
}

fn message(version: Version, community: &str, data: Pdus) -> Vec<u8> {
    let message =
        Message { version: Integer::from(version as u8), community: OctetString::from(community.as_bytes()), data };
    rasn::ber::encode(&message).unwrap()
}
