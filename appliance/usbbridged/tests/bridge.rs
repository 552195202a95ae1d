//! The bridge with printers of every kind of fault, over real sockets and an in-process USB.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod fake;

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agent_core::localagent::control::{Answer, Request};
use agent_core::localagent::conversation::{Conversation, Patience};
use agent_core::localagent::message::{Message, OPENER};
use agent_core::pjl::reading::{Means, Question};
use agent_core::tick::Tick;
use fake::{Faults, Printer, Running, pjl, timing, wait};
use usbbridged::session::{self, Connection};
use usbbridged::slot::{MAX_WAITING, Slot};
use usbbridged::transport::UsbError;

/// One that stands in the list of those that are not to be opened.
const LEFT_ALONE: (u16, u16) = (0x04a9, 0x304a);
/// The device id of most printers here.
const ID: &str = "MFG:Acme;MDL:Test;CMD:PCL,PJL;CLS:PRINTER;";

fn printer(path: &str, serial: &str) -> Arc<Printer> {
    Arc::new(Printer::new(path, Some(serial), ID, pjl))
}

/// Bytes that hold everything that could be taken for something: escapes, noughts, PJL in the midst.
fn job(length: usize) -> Vec<u8> {
    let mut job =
        b"\x1b%-12345X@PJL JOB\r\n@PJL ENTER LANGUAGE=POSTSCRIPT\r\n%!PS\r\n@PJL INFO LOCALAGENT\r\n".to_vec();
    let mut state = 1_u32;
    while job.len() < length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        job.push(state.to_be_bytes()[0]);
    }
    job
}

#[test]
fn questions_are_answered_and_everything_else_is_refused() {
    let bridge = Running::start();
    let acme = printer("1-1", "A1");
    let port = bridge.plug(&acme);
    assert_eq!(port, 9418);
    let answer = bridge.ask(port, b"\x1b%-12345X@PJL INFO STATUS\r\n@PJL RESET\r\n@PJL ECHO end\r\n\x1b%-12345X");
    assert!(answer.contains("CODE=10001") && answer.contains("@PJL ECHO end"), "{answer}");
    assert!(answer.contains("REFUSED=\"RESET\"") && answer.contains("Only questions are passed"), "{answer}");
    let received = String::from_utf8(acme.received()).unwrap();
    assert!(received.contains("INFO STATUS") && !received.contains("RESET"));
    assert!(received.starts_with("\x1b%-12345X") && received.ends_with("\x1b%-12345X"));

    let before = acme.received();
    let answer = bridge.ask(port, &job(200_000));
    assert!(answer.contains("REFUSED=\"JOB\"") && answer.contains("an administrator can switch"), "{answer}");
    assert_eq!(acme.received(), before, "not a byte of the job");
}

#[test]
fn a_printer_that_lists_its_languages_is_asked_in_no_other() {
    let bridge = Running::start();
    let labels = Arc::new(Printer::new("1-1", Some("L1"), "MFG:Acme;MDL:Labels;CMD:ZPL;CLS:PRINTER;", |_| Vec::new()));
    let port = bridge.plug(&labels);
    let answer = bridge.ask(port, b"\x1b%-12345X@PJL INFO ID\r\n@PJL ECHO end\r\n\x1b*s1M");
    assert!(answer.contains("does not list PJL") && answer.contains("does not list PCL"), "{answer}");
    assert!(labels.received().is_empty());
    let silent = Arc::new(Printer::new("1-2", Some("A2"), "MFG:Acme;MDL:Test;CLS:PRINTER;", pjl));
    let port = bridge.plug(&silent);
    assert!(bridge.ask(port, b"@PJL INFO ID\r\n").contains("Acme Test"), "who lists nothing is asked");
}

#[test]
fn a_job_arrives_byte_for_byte_where_printing_is_switched_on() {
    let bridge = Running::start();
    let acme = printer("1-1", "A1");
    let port = bridge.plug(&acme);
    assert!(matches!(bridge.control(&Request::Printing { port, on: true }), Answer::State(_)));
    acme.set(Faults { short: Some(4_000), stalls_each: Some(7), ..Faults::default() });
    let job = job(300_000);
    bridge.ask(port, &job);
    assert!(acme.received() == job, "{} octets of {}", acme.received().len(), job.len());
    // The bridge itself still answers, and the question stays with it.
    let answer = bridge.ask(port, OPENER);
    let Some(Message::Greeting(greeting)) = Message::decode(answer.as_bytes()) else { panic!("{answer}") };
    assert!(greeting.is_printing && greeting.printer.unwrap().is_two_way);
    assert_eq!(acme.received().len(), job.len());
}

#[test]
fn printing_ends_when_it_is_switched_off() {
    let bridge = Running::start();
    let acme = printer("1-1", "A1");
    let port = bridge.plug(&acme);
    bridge.control(&Request::Printing { port, on: true });
    let mut stream = bridge.connect(port);
    stream.write_all(&job(10_000)).unwrap();
    wait(|| (acme.received().len() == 10_000).then_some(()));
    bridge.control(&Request::Printing { port, on: false });
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("switched printing off"), "{answer}");
    assert_eq!(acme.received().len(), 10_000);
}

#[test]
fn who_is_no_longer_listed_is_not_served() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.write_all(b"@PJL INFO ID\r\n").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let (stream, peer) = listener.accept().unwrap();
    let connection = Connection { stream, peer: peer.ip(), is_listed: &|| false };
    session::serve(None, &Slot::new(9418), &[9418], timing(), &connection);
    drop(connection);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("not among those that may connect"), "{answer}");
}

#[test]
fn printers_keep_their_ports_names_and_switches() {
    let bridge = Running::start();
    let (one, two) = (printer("1-1", "A1"), printer("1-2", "A2"));
    let ports = (bridge.plug(&one), bridge.plug(&two));
    assert_eq!(ports, (9418, 9419));
    bridge.control(&Request::Name { port: 9419, name: "Empfang".to_owned() });
    bridge.control(&Request::Printing { port: 9419, on: true });
    bridge.unplug(&one);
    bridge.unplug(&two);
    assert_eq!(bridge.plug(&two), 9419);
    let (folder, bus) = (bridge.folder.clone(), bridge.bus.clone());
    drop(bridge);
    let bridge = Running::start_in(folder, bus, timing());
    let port = wait(|| bridge.connected().pop());
    assert_eq!((port.port, port.name.as_deref(), port.is_printing), (9419, Some("Empfang"), true));
    let answer = bridge.ask(9418, OPENER);
    let Some(Message::Greeting(greeting)) = Message::decode(answer.as_bytes()) else { panic!("{answer}") };
    assert_eq!((greeting.printer, greeting.ports), (None, vec![9418, 9419]));
    assert!(bridge.ask(9418, b"@PJL INFO ID\r\n").contains("it is not connected"));
    assert!(
        matches!(bridge.control(&Request::Forget { port: 9419 }), Answer::Refused { reason } if reason.contains("unplug"))
    );
    assert!(matches!(bridge.control(&Request::Forget { port: 9418 }), Answer::State(state) if state.ports.len() == 1));
}

#[test]
fn two_printers_with_one_serial_number_are_told_apart() {
    let bridge = Running::start();
    let (one, two) = (printer("1-1", "SAME"), printer("1-2", "SAME"));
    assert_eq!((bridge.plug(&one), bridge.plug(&two)), (9418, 9419));
    bridge.ask(9419, b"@PJL INFO ID\r\n");
    assert!(one.received().is_empty() && !two.received().is_empty());
}

#[test]
fn a_printer_that_hangs_costs_a_bounded_time_and_nobody_else_anything() {
    let bridge = Running::start();
    let (ill, well) = (printer("1-1", "A1"), printer("1-2", "A2"));
    let ports = (bridge.plug(&ill), bridge.plug(&well));
    ill.set(Faults { hangs: true, ..Faults::default() });
    let waiting = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| bridge.ask(ports.0, b"@PJL INFO ID\r\n"));
        assert!(bridge.ask(ports.1, b"@PJL INFO ID\r\n").contains("Acme Test"));
        waiting.join().unwrap()
    });
    assert!(waiting.contains("takes no data"), "{waiting}");
    let fault = |port| bridge.connected().into_iter().find(|other| other.port == port).unwrap().fault;
    assert_eq!(fault(ports.0).as_deref(), Some("it did not take or give data in time"));
    ill.set(Faults::default());
    assert!(bridge.ask(ports.0, b"@PJL INFO ID\r\n").contains("Acme Test"));
    wait(|| fault(ports.0).is_none().then_some(()));
}

#[test]
fn a_printer_that_vanishes_amid_a_job_works_again_when_it_is_back() {
    let bridge = Running::start();
    let acme = printer("1-1", "A1");
    let port = bridge.plug(&acme);
    bridge.control(&Request::Printing { port, on: true });
    acme.set(Faults { vanishes_after: Some(100_000), ..Faults::default() });
    let answer = bridge.ask(port, &job(1_000_000));
    assert!(answer.contains("it is gone"), "{answer}");
    wait(|| bridge.connected().is_empty().then_some(()));
    acme.set(Faults::default());
    assert_eq!(bridge.plug(&acme), port);
    assert!(bridge.ask(port, b"\x1b%-12345X@PJL INFO PAGECOUNT\r\n").contains("PAGECOUNT=4711"));
}

#[test]
fn printers_without_an_id_or_that_cannot_be_opened_at_first_are_offered() {
    let bridge = Running::start();
    let mute = printer("1-1", "A1");
    mute.set(Faults { id: Some(UsbError::Stalled), ..Faults::default() });
    assert!(bridge.ask(bridge.plug(&mute), b"@PJL INFO ID\r\n").contains("Acme Test"));
    let mut rubbish = Printer::new("1-2", None, "", pjl);
    rubbish.id = vec![0xff; 40];
    let port = bridge.plug(&Arc::new(rubbish));
    let state = bridge.connected().into_iter().find(|other| other.port == port).unwrap();
    assert_eq!((state.device_id, state.serial), (None, None));
    let late = printer("1-3", "A3");
    late.set(Faults { cannot_open: Some(UsbError::Denied), ..Faults::default() });
    bridge.bus.plug(&late);
    assert!(bridge.ask(9418, b"@PJL INFO ID\r\n").contains("Acme Test"), "the others go on");
    late.set(Faults::default());
    wait(|| (bridge.connected().len() == 3).then_some(()));
}

#[test]
fn one_way_printers_are_never_read_and_some_never_opened() {
    let bridge = Running::start();
    let numbered = |path, numbers| {
        let mut printer = Printer::new(path, Some("A1"), ID, pjl);
        printer.numbers = numbers;
        Arc::new(printer)
    };
    let one_way = numbered("1-1", (0x0482, 0x0010));
    let port = bridge.plug(&one_way);
    bridge.ask(port, b"@PJL INFO ID\r\n");
    assert_eq!(one_way.reads.load(Ordering::Relaxed), 0);
    let left_alone = numbered("1-2", LEFT_ALONE);
    bridge.bus.plug(&left_alone);
    // A printer that comes later is offered: the other was looked at before.
    bridge.plug(&printer("1-3", "A3"));
    assert_eq!(left_alone.opens.load(Ordering::Relaxed), 0);
}

#[test]
fn one_connection_at_a_time_others_wait_or_are_told() {
    let bridge = Running::start();
    let acme = printer("1-1", "A1");
    let port = bridge.plug(&acme);
    let mut first = bridge.connect(port);
    first.write_all(b"@PJL ECHO first\r\n").unwrap();
    let mut seen = [0; 16];
    first.read_exact(&mut seen).unwrap();
    let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| bridge.connect(port)).collect();
    wait(|| (bridge.connected()[0].connections == MAX_WAITING + 1).then_some(()));
    assert!(bridge.ask(port, b"@PJL INFO ID\r\n").contains("Too many connections"));
    drop(first);
    for stream in &mut waiting {
        stream.write_all(b"@PJL INFO ID\r\n").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
    for mut stream in waiting {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("Acme Test"), "{answer}");
    }
    assert_eq!(acme.opens.load(Ordering::Relaxed), acme.closes.load(Ordering::Relaxed), "each time given back");
}

#[test]
fn what_one_client_left_is_not_told_to_the_next() {
    let bridge = Running::start();
    let acme = printer("1-1", "A1");
    let port = bridge.plug(&acme);
    let answer = bridge.ask(port, b"@PJL USTATUS DEVICE=ON\r\n@PJL ECHO a\r\n");
    assert!(answer.contains("@PJL ECHO a"));
    assert!(String::from_utf8(acme.received()).unwrap().ends_with("@PJL USTATUSOFF\r\n\x1b%-12345X"));
    wait(|| (bridge.connected()[0].connections == 0).then_some(()));
    acme.say(b"@PJL ECHO the secret of another\r\n\x0c");
    let answer = bridge.ask(port, b"@PJL INFO ID\r\n");
    assert!(answer.contains("Acme Test") && !answer.contains("secret"), "{answer}");
}

#[test]
fn the_collector_reads_a_printer_through_it() {
    let bridge = Running::start();
    let port = bridge.plug(&printer("1-1", "A1"));
    let began = std::time::Instant::now();
    let now = || Tick::after(began.elapsed());
    let mut stream = bridge.connect(port);
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut conversation = Conversation::new(now(), Patience::default(), &Question::ALL, 3);
    let findings = loop {
        while let Some(octets) = conversation.poll_transmit() {
            stream.write_all(&octets).unwrap();
        }
        if let Some(outcome) = conversation.poll_outcome() {
            break outcome.unwrap();
        }
        let mut buffer = [0; 1_000];
        match stream.read(&mut buffer) {
            Ok(0) => conversation.handle_end(now()),
            Ok(length) => conversation.handle_octets(now(), &buffer[..length]),
            Err(_) => conversation.handle_timeout(now()),
        }
    };
    assert_eq!(findings.answers.means(), Means::Pjl);
    let snapshot = findings.answers.snapshot();
    assert_eq!((snapshot.identity.model.as_deref(), snapshot.identity.serial.as_deref()), (Some("Test"), Some("A1")));
    assert_eq!(snapshot.counters.first().map(|counter| counter.value), Some(4_711));
}

#[test]
fn the_control_socket_takes_only_its_own_list() {
    let bridge = Running::start();
    bridge.plug(&printer("1-1", "A1"));
    for line in ["", "x", r#"{"request":"write","port":9418,"octets":"x"}"#, r#"{"request":"list","more":1}"#] {
        assert!(matches!(bridge.control_line(line), Answer::Refused { .. }), "{line}");
    }
    for request in [
        Request::Printing { port: 9419, on: true },
        Request::Printing { port: 1, on: true },
        Request::Name { port: 9418, name: "x".repeat(1_000) },
        Request::Allow { networks: vec!["everybody".to_owned()] },
    ] {
        assert!(matches!(bridge.control(&request), Answer::Refused { .. }), "{request:?}");
    }
    let networks = vec!["192.0.2.0/24".to_owned()];
    let Answer::State(state) = bridge.control(&Request::Allow { networks: networks.clone() }) else { panic!() };
    assert_eq!(state.allowed, networks);
}
