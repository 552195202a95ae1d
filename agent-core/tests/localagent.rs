//! Conversations through a bridge with printers of every manner, in memory and with a clock moved by hand.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use agent_core::ieee1284::Ieee1284;
use agent_core::localagent::conversation::{Conversation, Failure, Findings, Patience};
use agent_core::localagent::message::{Greeting, Message, OPENER, Printer};
use agent_core::pjl::reading::{Means, Question};
use agent_core::tick::Tick;
use proptest::prelude::*;
use wire::device::{Condition, total};

/// What the other side does with bytes that it gets; nothing is silence.
type Other = fn(&[u8]) -> Vec<u8>;

struct Talk {
    outcome: Result<Box<Findings>, Failure>,
    took: Duration,
    sent: String,
}

/// Talks until the end, each answer in pieces of `piece` octets; silence moves the clock.
fn talk(other: impl Fn(&[u8]) -> Vec<u8>, piece: usize) -> Talk {
    let mut now = Tick::default();
    let mut conversation = Conversation::new(now, Patience::default(), &Question::ALL, 7);
    let mut sent = Vec::new();
    loop {
        let mut answers = Vec::new();
        while let Some(octets) = conversation.poll_transmit() {
            answers.extend(other(&octets));
            sent.extend(octets);
        }
        for part in answers.chunks(piece) {
            now = now + Duration::from_millis(1);
            conversation.handle_octets(now, part);
        }
        if let Some(outcome) = conversation.poll_outcome() {
            while let Some(octets) = conversation.poll_transmit() {
                sent.extend(octets);
            }
            let sent = String::from_utf8(sent).unwrap();
            return Talk { outcome, took: now.since(Tick::default()), sent };
        }
        if answers.is_empty() {
            now = conversation.poll_timeout().unwrap();
            conversation.handle_timeout(now);
        }
    }
}

fn greeting(languages: &str, is_two_way: bool) -> Vec<u8> {
    let id = Ieee1284::parse(&format!("MFG:Acme;MDL:M 1;CMD:{languages};SN:A123;"));
    let printer = Printer { port_status: Some(0x18), is_two_way, ..Printer::of(&id) };
    Message::Greeting(Box::new(Greeting { printer: Some(printer), ports: vec![9418], ..Greeting::default() })).encode()
}

/// Answers as a good printer does, from questions as they are sent.
fn answer(question: &str) -> &'static str {
    match question {
        "INFO STATUS" => "CODE=10001\r\nDISPLAY=\"Bereit\"\r\nONLINE=TRUE\r\n",
        "INFO PAGECOUNT" => "PAGECOUNT=4711\r\n",
        "INFO ID" => "\"Acme M 1\"\r\n",
        _ => "\"?\"\r\n",
    }
}

fn commands(octets: &[u8]) -> Vec<String> {
    let text = String::from_utf8(octets.to_vec()).unwrap().replace("\x1b%-12345X", "");
    text.lines().filter_map(|line| line.strip_prefix("@PJL ").map(str::to_owned)).collect()
}

fn good_printer(octets: &[u8]) -> Vec<u8> {
    if octets == OPENER {
        return greeting("PCL,PJL", true);
    }
    commands(octets)
        .iter()
        .map(|command| match command.starts_with("ECHO") {
            true => format!("@PJL {command}\r\n\x0c"),
            false => format!("@PJL {command}\r\n{}\x0c", answer(command)),
        })
        .collect::<String>()
        .into_bytes()
}

/// No form feeds, no headers, and the mark followed by an escape.
fn sloppy_printer(octets: &[u8]) -> Vec<u8> {
    if octets == OPENER {
        return greeting("PJL", true);
    }
    let answers = commands(octets).into_iter().map(|command| match command.strip_prefix("ECHO ") {
        Some(mark) => format!("{mark}\r\n\x1b"),
        None => answer(&command).replace("TRUE", "True"),
    });
    answers.collect::<String>().into_bytes()
}

/// Knows no ECHO.
fn deaf_to_echo(octets: &[u8]) -> Vec<u8> {
    if octets == OPENER {
        return greeting("PJL", true);
    }
    let known = commands(octets).into_iter().filter(|command| !command.starts_with("ECHO"));
    known.map(|command| format!("@PJL {command}\r\n{}\x0c", answer(&command))).collect::<String>().into_bytes()
}

#[test]
fn printers_of_every_manner_are_read() {
    for (printer, seconds) in [(good_printer as Other, 1), (sloppy_printer, 1), (deaf_to_echo, 7)] {
        for piece in [1, 7, 4_000] {
            let talk = talk(printer, piece);
            let findings = talk.outcome.unwrap();
            let snapshot = findings.answers.snapshot();
            assert_eq!(findings.answers.means(), Means::Pjl);
            assert_eq!(snapshot.status.condition(), Condition::Good);
            assert_eq!(snapshot.status.console, ["Bereit"]);
            assert_eq!(total(&snapshot.counters).map(|counter| counter.value), Some(4_711));
            assert_eq!(snapshot.identity.serial.as_deref(), Some("A123"));
            assert!(talk.took < Duration::from_secs(seconds), "{:?}", talk.took);
            assert!(talk.sent.starts_with("\x1b%-12345X") && talk.sent.ends_with("\x1b%-12345X"));
        }
    }
}

#[test]
fn a_port_without_a_bridge_is_read_too() {
    let raw: Other = |octets| if octets == OPENER { Vec::new() } else { good_printer(octets) };
    let talk = talk(raw, 100);
    let findings = talk.outcome.unwrap();
    assert_eq!(findings.greeting, None);
    assert_eq!(findings.answers.snapshot().identity.model.as_deref(), Some("Acme M 1"));
}

#[test]
fn a_printer_that_lists_no_pjl_is_asked_nothing_in_it() {
    let pcl: Other = |octets| match octets {
        OPENER => greeting("PCL5e", true),
        _ => b"PCL INFO MEMORY\r\nTOTAL=1000\r\nLARGEST=900\r\n\x0cPCL ECHO 7\r\n\x0c".to_vec(),
    };
    let talked = talk(pcl, 3);
    assert_eq!(talked.outcome.unwrap().answers.means(), Means::Pcl);
    assert_eq!(talked.sent.matches("@PJL").count(), 1, "the opener, which no printer gets");
    for (languages, is_two_way) in [("ESCPL2", true), ("", true), ("PJL", false)] {
        let talked = talk(|octets| if octets == OPENER { greeting(languages, is_two_way) } else { b"?".to_vec() }, 100);
        let findings = talked.outcome.unwrap();
        assert_eq!(findings.answers.means(), Means::Port);
        assert_eq!(findings.answers.snapshot().status.condition(), Condition::Good);
        assert_eq!(talked.sent, "\x1b%-12345X@PJL INFO LOCALAGENT\r\n", "{languages}");
    }
}

#[test]
fn what_goes_wrong_is_named_in_bounded_time() {
    let silent = talk(|_| Vec::new(), 1);
    assert_eq!(silent.outcome, Err(Failure::Silent));
    assert!(silent.took <= Patience::default().whole);
    let busy = talk(|_| Message::no_connection("busy").encode(), 1);
    assert_eq!(busy.outcome, Err(Failure::Refused("busy".to_owned())));
    let absent = talk(|_| Message::Greeting(Box::default()).encode(), 9);
    assert_eq!(absent.outcome, Err(Failure::NoPrinter(Vec::new())));
    let hanging = talk(|octets| if octets == OPENER { greeting("PJL", true) } else { Vec::new() }, 100);
    let findings = hanging.outcome.unwrap();
    assert_eq!(findings.answers.means(), Means::Port, "what the bridge knows remains");
    assert!(hanging.took < Duration::from_secs(15), "{:?}", hanging.took);
    let endless = talk(|octets| if octets == OPENER { greeting("PJL", true) } else { vec![b'x'; 100_000] }, 1_000);
    assert!(endless.outcome.is_ok());

    let mut closed = Conversation::new(Tick::default(), Patience::default(), &Question::ALL, 1);
    closed.handle_end(Tick::default());
    assert_eq!(closed.poll_outcome(), Some(Err(Failure::Closed)));
    assert_eq!(closed.poll_timeout(), None);
}

proptest! {
    #[test]
    fn rubbish_ends_in_bounded_time(
        rubbish in proptest::collection::vec(any::<u8>(), 0..300),
        greets: bool,
        piece in 1..50_usize,
    ) {
        let other = |octets: &[u8]| if greets && octets == OPENER { greeting("PJL,PCL", true) } else { rubbish.clone() };
        let talk = talk(other, piece);
        prop_assert!(talk.took <= Patience::default().whole + Duration::from_secs(1));
    }
}
