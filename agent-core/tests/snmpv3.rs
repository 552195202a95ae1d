//! SNMPv3 against simulated printers on the simulated network: every protocol, every refusal, every trick with clocks, and
//! people who answer in the printer's place.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod world;

use std::time::Duration;

use agent_core::engine::{Event, Finished, ReadKind, ReadOrder};
use agent_core::reader::ReadError;
use agent_core::snmp::session::Refusal;
use agent_core::snmp::v3::Message;
use agent_core::snmp::{AuthProtocol, Credential, KeyExtension, Keyed, PrivProtocol, Secret, User};
use proptest::prelude::*;
use testkit::printer_sim::Printer;
use testkit::usm::{self, Cipher, Hash, Oddity, Usm};
use world::{World, address, printer};

const WALK: &str = "kyocera_taskalfa-4054ci";
const ENGINE: &[u8] = &[0x80, 0, 0x1f, 0x88, 4, b'p', b'r', b'i', b'n', b't', b'e', b'r'];
const HASHES: [(AuthProtocol, Hash); 6] = [
    (AuthProtocol::Md5, Hash::Md5),
    (AuthProtocol::Sha1, Hash::Sha1),
    (AuthProtocol::Sha224, Hash::Sha224),
    (AuthProtocol::Sha256, Hash::Sha256),
    (AuthProtocol::Sha384, Hash::Sha384),
    (AuthProtocol::Sha512, Hash::Sha512),
];
const CIPHERS: [(PrivProtocol, Cipher); 4] = [
    (PrivProtocol::Des, Cipher::Des),
    (PrivProtocol::Aes128, Cipher::Aes128),
    (PrivProtocol::Aes192, Cipher::Aes192),
    (PrivProtocol::Aes256, Cipher::Aes256),
];

fn keyed<P>(protocol: P, password: &str) -> Option<Keyed<P>> {
    Some(Keyed { protocol, password: Secret::new(password) })
}

fn credential(name: &str, auth: Option<Keyed<AuthProtocol>>, privacy: Option<Keyed<PrivProtocol>>) -> Credential {
    Credential::v3(User::new(name, auth, privacy).unwrap())
}

/// The user that most tests are about.
fn monitor() -> Credential {
    credential("monitor", keyed(AuthProtocol::Sha1, "auth-pass"), keyed(PrivProtocol::Aes128, "priv-pass"))
}

fn known_to_printer(auth: Option<Hash>, privacy: Option<Cipher>) -> usm::User {
    usm::User {
        name: "monitor".to_owned(),
        auth: auth.map(|hash| (hash, "auth-pass".to_owned())),
        privacy: privacy.map(|cipher| (cipher, "priv-pass".to_owned())),
        reeder: false,
    }
}

fn engine(user: usm::User) -> Usm {
    Usm::new(ENGINE, vec![user])
}

fn v3(usm: Usm) -> Printer {
    // With room for what version 3 puts around the same answers.
    printer(WALK).with_usm(usm).without_communities().with_max_message(Printer::MAX_MESSAGE + 200)
}

/// A printer that knows `monitor`.
fn ready(oddity: Oddity) -> World {
    World::new().with(1, v3(engine(known_to_printer(Some(Hash::Sha1), Some(Cipher::Aes128))).with_oddity(oddity)))
}

/// Lets time go by, for the world and for the printer's clock.
fn pass(world: &mut World, seconds: u32) {
    world.now += Duration::from_secs(seconds.into());
    world.printers.get_mut(&address(1)).unwrap().usm().unwrap().time += seconds;
}

fn clock(world: &mut World, boots: u32, time: u32) {
    let usm = world.printers.get_mut(&address(1)).unwrap().usm().unwrap();
    (usm.boots, usm.time) = (boots, time);
}

fn refusal(finished: Finished) -> Refusal {
    match finished.outcome {
        Err(ReadError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_protocol_reads_the_same_as_a_community() {
    let open = World::new().with(1, printer(WALK)).read(1, &[Credential::v2c("public")]);
    let whole = open.outcome.unwrap().variables;
    let check = |auth: Option<(AuthProtocol, Hash)>, privacy: Option<(PrivProtocol, Cipher)>| {
        let mut user = known_to_printer(auth.map(|(_, hash)| hash), privacy.map(|(_, cipher)| cipher));
        let credential = credential(
            "monitor",
            auth.and_then(|(protocol, _)| keyed(protocol, "auth-pass")),
            privacy.and_then(|(protocol, _)| keyed(protocol, "priv-pass")),
        );
        for reeder in [false, true] {
            user.reeder = reeder;
            let finished = World::new().with(1, v3(engine(user.clone()))).read(1, std::slice::from_ref(&credential));
            assert_eq!(finished.outcome.unwrap().variables, whole, "{auth:?} {privacy:?}");
            if reeder && let Some(extension) = finished.credential.user().unwrap().extension() {
                assert_eq!(extension, KeyExtension::Reeder, "what fits is remembered");
            }
            let refused_once = u32::from(reeder && finished.credential != credential);
            assert_eq!(finished.cost.sent, open.cost.sent + 1 + refused_once, "one packet more for discovery");
        }
    };
    check(None, None);
    for auth in HASHES {
        check(Some(auth), None);
        for privacy in CIPHERS {
            check(Some(auth), Some(privacy));
        }
    }
}

#[test]
fn a_routine_poll_costs_no_packet_more_than_with_a_community() {
    let mut open = World::new().with(1, printer(WALK));
    let first = open.read(1, &[Credential::v2c("public")]);
    let open = open.poll(1, first.credential, first.outcome.unwrap());
    let mut world = ready(Oddity::None);
    let mut last = world.read(1, &[monitor()]);
    for _ in 0..3 {
        pass(&mut world, 300);
        last = world.poll(1, last.credential, last.outcome.unwrap());
        assert_eq!((last.cost.sent, last.cost.received), (open.cost.sent, open.cost.received));
    }
}

#[test]
fn every_refusal_is_named() {
    let sha = |password| keyed(AuthProtocol::Sha1, password);
    let aes = |password| keyed(PrivProtocol::Aes128, password);
    for (credential, expected) in [
        (credential("nobody", sha("auth-pass"), None), Refusal::UnknownUser),
        (credential("nobody", None, None), Refusal::UnknownUser),
        (credential("monitor", sha("auth-fail"), None), Refusal::WrongDigest),
        (credential("monitor", keyed(AuthProtocol::Sha256, "auth-pass"), None), Refusal::WrongDigest),
        (credential("monitor", sha("auth-pass"), aes("priv-fail")), Refusal::Decryption),
        (credential("monitor", sha("auth-pass"), keyed(PrivProtocol::Des, "priv-pass")), Refusal::Decryption),
    ] {
        let finished = ready(Oddity::None).read(1, std::slice::from_ref(&credential));
        assert!(finished.took < Duration::from_secs(1), "{expected:?}: {:?}", finished.took);
        assert_eq!(refusal(finished), expected);
    }
    let open = World::new().with(1, v3(engine(known_to_printer(None, None)))).read(1, &[monitor()]);
    assert_eq!(refusal(open), Refusal::SecurityLevel);
    let wrong = credential("monitor", sha("auth-pass"), aes("priv-fail"));
    let silent = ready(Oddity::SilentOnDecryption).read(1, &[wrong]);
    assert_eq!(refusal(silent), Refusal::SilentWithPrivacy);
}

#[test]
fn users_are_tried_in_order_after_one_discovery() {
    let mut credentials: Vec<_> = (0..5).map(|number| credential(&format!("user{number}"), None, None)).collect();
    credentials.push(monitor());
    let alone = ready(Oddity::None).read(1, &[monitor()]);
    let finished = ready(Oddity::None).read(1, &credentials);
    assert_eq!(finished.credential, monitor());
    assert_eq!(finished.cost.sent, alone.cost.sent + 5, "one packet for each user that is refused");
    // Who does not speak SNMPv3 costs the time of one silence, however many users there are.
    credentials.push(Credential::v2c("public"));
    let finished = World::new().with(1, printer(WALK)).read(1, &credentials);
    assert_eq!(finished.credential, Credential::v2c("public"));
    assert!(finished.took < Duration::from_secs(6), "{:?}", finished.took);
}

#[test]
fn a_device_that_restarts_is_asked_once_more_and_not_again() {
    let mut world = ready(Oddity::None);
    let first = world.read(1, &[monitor()]);
    pass(&mut world, 300);
    let usual = world.poll(1, monitor(), first.outcome.unwrap());
    // Restarts, and jumps of the clock forwards and backwards, with and without another count of starts.
    let mut last = usual.outcome.unwrap();
    for (boots, time) in [(2, 0), (2, 1_000_000), (2, 10), (1, 5), (7, 2_147_483_640)] {
        clock(&mut world, boots, time);
        for extra in [1, 0] {
            let poll = world.poll(1, monitor(), last.clone());
            assert_eq!(poll.cost.sent, usual.cost.sent + extra, "{boots} {time}");
            last = poll.outcome.unwrap();
        }
    }
}

#[test]
fn clocks_that_cannot_be_met_end_with_a_reason() {
    let finished = ready(Oddity::NeverInTime).read(1, &[monitor()]);
    assert!(finished.cost.sent < 10, "{:?}", finished.cost);
    assert_eq!(refusal(finished), Refusal::TimeWindow);

    let mut world = ready(Oddity::None);
    clock(&mut world, 2_147_483_647, 5);
    assert_eq!(refusal(world.read(1, &[monitor()])), Refusal::BootsExhausted);
}

#[test]
fn engines_that_are_odd_about_time_are_read_all_the_same() {
    let whole = ready(Oddity::None).read(1, &[monitor()]);
    for oddity in [Oddity::PlainTimeReports, Oddity::TimelessAnswers] {
        let mut world = ready(oddity);
        let first = world.read(1, &[monitor()]);
        let mut last = first.outcome.unwrap();
        assert_eq!(last.variables, whole.outcome.as_ref().unwrap().variables, "{oddity:?}");
        for boots in [1, 2] {
            clock(&mut world, boots, 0);
            world.now += Duration::from_secs(1000);
            let poll = world.poll(1, monitor(), last);
            assert!(poll.cost.sent <= first.cost.sent, "{oddity:?}: {:?}", poll.cost);
            last = poll.outcome.unwrap();
        }
    }
}

#[test]
fn answers_without_proof_are_no_answers() {
    for oddity in [Oddity::WrongDigests, Oddity::PlainAnswers] {
        let mut world = ready(oddity);
        let finished = world.read(1, &[monitor()]);
        assert_eq!(refusal(finished), Refusal::SilentWithPrivacy, "{oddity:?}");
        assert!(world.engine.strays() > 0);
    }
    // Nor is an answer in another version, however right its number is.
    let mut world = ready(Oddity::None);
    world.damage = Some(Box::new(|_, bytes| {
        if let Ok(message) = Message::decode(bytes) {
            let id = message.msg_id;
            let request =
                [&[0x30, 0x1d, 2, 1, 1, 4, 6][..], b"public", &[0xa0, 0x10, 2, 4], &id.to_be_bytes()].concat();
            let request = [&request[..], &[2, 1, 0, 2, 1, 0, 0x30, 2, 0x30, 0]].concat();
            *bytes = printer(WALK).answer(&request).pop().map_or_else(Vec::new, |answer| answer.bytes);
        }
    }));
    let finished = world.read(1, &[monitor()]);
    assert!(finished.outcome.is_err());
}

/// Someone else answers first, with the right number and from the right address: he can delay, and nothing more.
#[test]
fn forged_reports_do_not_shake_a_device_that_has_proved_itself() {
    let mut world = ready(Oddity::None);
    let first = world.read(1, &[monitor()]);
    let last = first.outcome.unwrap();
    let engines: [(&[u8], &str); 2] = [(ENGINE, "no such user"), (b"another engine", "another engine")];
    for (engine_id, what) in engines {
        let mut forger = v3(Usm::new(engine_id, Vec::new()));
        let now = world.tick();
        let kind = ReadKind::Routine(Box::new(last.clone()));
        world.engine.read(now, ReadOrder { address: address(1), credentials: vec![monitor()], kind });
        let asked = world.engine.poll_transmit().unwrap();
        for forged in forger.answer(&asked.bytes) {
            world.engine.handle_datagram(now, address(1), &forged.bytes);
        }
        let right = world.printers.get_mut(&address(1)).unwrap().answer(&asked.bytes).pop().unwrap();
        world.engine.handle_datagram(now, address(1), &right.bytes);
        // The same answer once more is late.
        let strays = world.engine.strays();
        world.engine.handle_datagram(now, address(1), &right.bytes);
        assert_eq!(world.engine.strays(), strays + 1);
        let finished = world.run().into_iter().map(|Event::Read(finished)| finished).next();
        assert!(finished.unwrap().outcome.is_ok(), "{what}");
    }
}

#[test]
fn another_board_in_the_device_is_found_out_after_a_silence() {
    let mut world = ready(Oddity::None);
    let first = world.read(1, &[monitor()]);
    let last = first.outcome.unwrap();
    world.printers.get_mut(&address(1)).unwrap().usm().unwrap().engine_id = b"the other board".to_vec();
    let poll = world.poll(1, monitor(), last.clone());
    assert!(poll.outcome.is_ok());
    assert!(poll.took < Duration::from_secs(2), "{:?}", poll.took);
    // And a user who is removed on the device is named as unknown, although nobody proves it.
    world.printers.get_mut(&address(1)).unwrap().usm().unwrap().users.clear();
    let poll = world.poll(1, monitor(), last);
    assert!(poll.took >= Duration::from_secs(1), "{:?}", poll.took);
    assert_eq!(refusal(poll), Refusal::UnknownUser);
}

#[test]
fn loss_and_small_messages_cost_time_and_nothing_else() {
    let whole = ready(Oddity::None).read(1, &[monitor()]).outcome.unwrap().variables;
    let mut world = ready(Oddity::None);
    world.lose_every = Some(4);
    assert_eq!(world.read(1, &[monitor()]).outcome.unwrap().variables, whole);
    let user = known_to_printer(Some(Hash::Sha1), Some(Cipher::Aes128));
    let finished = World::new().with(1, v3(engine(user)).with_max_message(484)).read(1, &[monitor()]);
    assert_eq!(finished.outcome.unwrap().variables, whole);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the damage, a reading ends in bounded time and without a panic, and nothing damaged is taken for an answer.
    #[test]
    fn damaged_answers_end_a_reading_in_peace(
        damages in proptest::collection::vec((any::<u16>(), any::<u8>(), any::<bool>()), 1..40),
    ) {
        let whole = ready(Oddity::None).read(1, &[monitor()]).outcome.unwrap().variables;
        let mut world = ready(Oddity::None);
        world.damage = Some(Box::new(move |number, bytes| {
            let (at, octet, cut) = damages[number % damages.len()];
            let at = usize::from(at) % bytes.len();
            bytes[at] = octet;
            if cut && at > 40 {
                bytes.truncate(at);
            }
        }));
        let finished = world.read(1, &[monitor()]);
        prop_assert!(finished.cost.sent <= 1300, "{:?}", finished.cost);
        if let Ok(reading) = finished.outcome {
            for (name, value) in reading.variables.column(&[1, 3]) {
                prop_assert_eq!(whole.cell(&[1, 3], name), Some(value));
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = Message::decode(&bytes) {
            let _ = message.scoped(None);
        }
    }
}
