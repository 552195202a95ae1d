//! Nothing but questions comes out of the filter, whatever goes in and however it is cut.
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

/// What streams are made of.
const WORDS: &[&[u8]] = &[
    b"\x1b%-12345X",
    b"@PJL",
    b"@pjl ",
    b"@PJL INFO ID",
    b"@PJL RESET",
    b" ",
    b"ECHO",
    b"\r",
    b"\n",
    b"\r\n",
    b"\x1b",
    b"\x1bE",
    b"\x1b*s",
    b"1M",
    b"1m",
    b"4t",
    b"9W",
    b"%-1234",
    b"5X",
    b"=",
    b"\0",
    b"\xff\x80",
    b"ENTER LANGUAGE=PCL",
    b"ENTER LANGUAGE=POSTSCRIPT",
    b"USTATUS DEVICE",
    b"ON",
    b"SET",
    b"FSDELETE NAME=\"0:\\a\"",
    b"\x0c",
    b"\t",
    b"\x1b&r",
    b"1F",
    b"!R! EXIT;",
    b"^XA",
    b"~HS",
];

/// Both languages.
const BOTH: Asked = Asked { pjl: true, pcl: true };

/// Puts the pieces through a filter: what the printer gets, what the client is told.
fn run(pieces: &[&[u8]], asked: Asked) -> (String, Vec<Passage>) {
    let mut filter = Filter::new(asked);
    let (mut passed, mut told) = (Vec::new(), Vec::new());
    let mut drain = |filter: &mut Filter| {
        while let Some(passage) = filter.poll_passage() {
            match passage {
                Passage::Pass(octets) => passed.extend(octets),
                other => told.push(other),
            }
        }
    };
    for piece in pieces {
        filter.handle_octets(piece);
        drain(&mut filter);
    }
    filter.handle_end();
    drain(&mut filter);
    passed.extend(filter.closing());
    (String::from_utf8(passed).expect("only ASCII is ever passed"), told)
}

fn passed(octets: &[u8]) -> String {
    run(&[octets], BOTH).0.replace('\x1b', "^")
}

fn refused(octets: &[u8]) -> Vec<(String, Reason)> {
    let told = run(&[octets], BOTH).1.into_iter();
    let refusals = told.filter_map(|passage| match passage {
        Passage::Refuse(refusal) => Some((refusal.what, refusal.reason)),
        _ => None,
    });
    refusals.collect()
}

/// What a printer may get, by a grammar of its own: split into lines and sequences, each of a closed set of forms.
fn is_harmless(passed: &str) -> bool {
    let mut rest = passed;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("\x1b%-12345X") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("\x1bE") {
            rest = after;
        } else if rest.starts_with("\x1b*s") || rest.starts_with("\x1b&r") {
            let Some(end) = rest.find(|c: char| c.is_ascii_uppercase()) else { return false };
            let (sequence, after) = rest.split_at(end + 1);
            let letters: String = sequence[3..].chars().filter(char::is_ascii_alphabetic).collect();
            let allowed = if sequence.starts_with("\x1b*s") { "TUIXM" } else { "F" };
            if !letters.to_uppercase().chars().all(|letter| allowed.contains(letter)) {
                return false;
            }
            rest = after;
        } else {
            let Some((line, after)) = rest.split_once("\r\n") else { return false };
            let Some(words) = line.strip_prefix("@PJL") else { return false };
            let verbs = ["INFO", "ECHO", "INQUIRE", "DINQUIRE", "USTATUS", "USTATUSOFF"];
            let verb = words.split(' ').nth(1).unwrap_or_default();
            if verb == "ECHO" && (line.len() > 90 || line.contains(['!', '^', '~', '%', '{', '<', ';', '$', '\\'])) {
                return false;
            }
            let is_known = words.is_empty() || verbs.contains(&verb) || words == " ENTER LANGUAGE=PCL";
            if !is_known || !line.bytes().all(|octet| (b' '..=b'~').contains(&octet)) {
                return false;
            }
            rest = after;
        }
    }
    true
}

#[test]
fn questions_pass_and_are_framed() {
    let asked = b"\x1b%-12345X@PJL\r\n@PJL info status\r\n@PJL ECHO Dw 1\n@PJL DINQUIRE  LPARM : x\r\n@PJL DINQUIRE LPARM:PCL PTSIZE\r\n\x1b%-12345X";
    assert_eq!(
        passed(asked),
        "^%-12345X@PJL\r\n@PJL INFO STATUS\r\n@PJL ECHO Dw 1\r\n@PJL DINQUIRE LPARM:PCL PTSIZE\r\n^%-12345X^%-12345X"
    );
    assert_eq!(passed(b"@PJL INFO ID"), "^%-12345X@PJL INFO ID\r\n^%-12345X", "a bare question gets its frame");
    assert_eq!(
        passed(b"@PJL USTATUS DEVICE = ON\r\n"),
        "^%-12345X@PJL USTATUS DEVICE=ON\r\n@PJL USTATUSOFF\r\n^%-12345X",
        "unasked messages end with the connection"
    );
    assert_eq!(run(&[b"@PJL INFO LOCALAGENT\r\n"], BOTH), (String::new(), vec![Passage::Introduce]));
}

#[test]
fn readback_passes_where_the_printer_knows_it() {
    assert_eq!(passed(b"\x1bE\x1b*s4t1U\x1b*s1I\x1b*s1M\x1b*s-7X\x1b&r1F\x1bE"), "^E^*s4t1U^*s1I^*s1M^*s-7X^&r1F^E");
    assert_eq!(
        passed(b"@PJL ENTER LANGUAGE = PCL\r\n\x1b*s1M\x1b%-12345X@PJL INFO ID\r\n"),
        "^%-12345X@PJL ENTER LANGUAGE=PCL\r\n^*s1M^%-12345X@PJL INFO ID\r\n^%-12345X"
    );
    let (passed, told) = run(&[b"\x1b*s1M"], Asked { pcl: false, ..BOTH });
    let refusal = Refusal { what: "PCL".to_owned(), reason: Reason::NoPcl };
    assert_eq!((passed.as_str(), told), ("", vec![Passage::Refuse(refusal), Passage::End]));
}

#[test]
fn pjl_passes_where_the_printer_knows_it() {
    let asked = |id: &str| Asked::of(Some(&Ieee1284::parse(id)));
    assert_eq!(asked("MDL:X;COMMAND SET:PJL,PCLXL;"), Asked { pjl: true, pcl: false });
    assert_eq!(asked("MDL:X;CMD:ZPL,EPL;"), Asked { pjl: false, pcl: false });
    assert_eq!(asked("MDL:X;CMD:;"), BOTH, "an empty list says nothing");
    assert_eq!(Asked::of(None), BOTH);
    let stream = b"\x1b%-12345X@PJL\r\n@PJL INFO ID\r\n@PJL INFO LOCALAGENT\r\n@PJL ENTER LANGUAGE=PCL\r\n\x1b*s1M\x1b%-12345X@PJL ECHO a\r\n\x1b*s1M";
    let refuse = |what: &str| Passage::Refuse(Refusal { what: what.to_owned(), reason: Reason::NoPjl });
    let expected = [refuse("PJL"), refuse("INFO"), Passage::Introduce, refuse("ENTER"), refuse("ECHO")];
    let (passed, told) = run(&[stream], Asked { pjl: false, ..BOTH });
    assert_eq!((passed.as_str(), told.as_slice()), ("\x1b*s1M\x1b*s1M", &expected[..]));
    let (passed, told) = run(&[b"@PJL INFO ID\r\n@PJL RESET\r\n^XA^XZ"], asked("CMD:ZPL;"));
    let refusals: Vec<Reason> = told
        .into_iter()
        .filter_map(|passage| if let Passage::Refuse(refusal) = passage { Some(refusal.reason) } else { None })
        .collect();
    assert_eq!((passed.as_str(), refusals), ("", vec![Reason::NoPjl, Reason::NotReading, Reason::Job]));
}

#[test]
fn an_echo_gives_back_marks_and_no_other_language() {
    for mark in ["DW00017", "12:34:56.789", "Wed Nov 25 2026", "\"a_b-c\"", "DELIMITER=1/2", "#4 (a, b)", ""] {
        let sent = passed(format!("@PJL ECHO {mark}\r\n").as_bytes());
        assert_eq!(sent, format!("^%-12345X{}\r\n^%-12345X", format!("@PJL ECHO {mark}").trim_end()));
    }
    let (most, more) = ("x".repeat(80), "x".repeat(81));
    assert!(passed(format!("@PJL ECHO {most}\r\n").as_bytes()).contains(&most));
    for text in
        ["^XA^FDx^FS^XZ", "~JA", "!R! RES; EXIT;", "a;b", "%!PS", "{P}", "<xpml>", "! 0 200 200 1 1", "a\\b", &more]
    {
        let octets = format!("@PJL ECHO {text}\r\n");
        assert_eq!(passed(octets.as_bytes()), "", "{text}");
        assert_eq!(refused(octets.as_bytes()), [("ECHO".to_owned(), Reason::NotReading)], "{text}");
    }
}

#[test]
fn commands_that_change_something_are_refused_one_by_one() {
    let commands = "DEFAULT|SET|INITIALIZE|RESET|FSDELETE|FSDOWNLOAD|FSAPPEND|FSMKDIR|FSINIT|FSUPLOAD|FSDIRLIST|FSQUERY|RDYMSG|OPMSG|STMSG|DMCMD|RNVRAM|WNVRAM|EXECUTE|JOB|EOJ|DMINFO|UPGRADE|INFOX|XINFO";
    for command in commands.split('|') {
        let octets = format!("\x1b%-12345X@PJL {command} A=\"B\"\r\n@PJL INFO ID\r\n");
        assert_eq!(passed(octets.as_bytes()), "^%-12345X@PJL INFO ID\r\n^%-12345X", "{command}");
        assert_eq!(refused(octets.as_bytes()), [(command.to_owned(), Reason::NotReading)]);
    }
}

#[test]
fn tricks_do_not_pass() {
    for trick in [
        &b"@PJL INFO ID\r@PJL RESET\r\n"[..],
        b"@PJL INFO ID\x0b@PJL RESET\r\n",
        b"@PJL INFO ID\0@PJL RESET\r\n",
        b"@PJL INFO ID @PJL RESET\r\n",
        b"@PJL ECHO x\r@PJL RESET\r\n",
        b"@PJL ECHO \x85@PJL RESET\r\n",
        b"@PJLRESET\r\n",
        b"@PJL USTATUS DEVICE=ON RESET\r\n",
        b"@PJL INQUIRE LPARM:PCL=1 X\r\n",
        b"\x1b%-12345\x1b%-12345X@PJL RESET\r\n",
        b"\x1b%-12345X\x1b%-1234@PJL RESET\r\n",
        b"\x1b%0BSP1\x1b%-12345X",
        b"%!PS\nshowpage\n",
        b"\x1b%-12345X@PJL ENTER LANGUAGE=POSTSCRIPT\r\n%!PS\n",
        b"@PJL ENTER LANGUAGE=PCLXL\r\n",
        b"\x1bEHello\x0c",
        b"\x1b*s1M\x0c",
        b"\x1b*s1M@PJL RESET\r\n",
        b"\x1b*s5W12345",
        b"\x1b*s1m3W",
        b"\x1b*s2M",
        b"\x1b*c5G",
        b"\x1b&r2F",
        b"\x1b&l1X",
        b"\x1b*s1",
        b"!R! RES; EXIT;",
        b"\x1b\x01@EJL 1284.4\n",
        b"@PJL SET SERVICEMODE=X\r\n",
    ] {
        let sent = passed(trick);
        assert!(!sent.contains("RESET") && !sent.contains("SET") && !sent.contains("EJL"), "{trick:?} sends {sent:?}");
        assert!(is_harmless(&run(&[trick], BOTH).0), "{trick:?} sends {sent:?}");
    }
    assert_eq!(refused(b"\x1b%-12345X%!PS"), [("data".to_owned(), Reason::Job)]);
    assert_eq!(refused(b"@PJL ENTER LANGUAGE=PCLXL\r\n@PJL INFO ID\r\n"), [("ENTER LANGUAGE".to_owned(), Reason::Job)]);
}

#[test]
fn lines_and_refusals_are_bounded() {
    let long = [b"@PJL ECHO ".to_vec(), vec![b'x'; 10_000], b"\r\n@PJL INFO ID\r\n".to_vec()].concat();
    assert_eq!(passed(&long), "^%-12345X@PJL INFO ID\r\n^%-12345X");
    assert_eq!(refused(&long), [("ECHO".to_owned(), Reason::TooLong)]);
    let many = b"@PJL RESET\r\n".repeat(1_000);
    let told = refused(&many);
    assert_eq!((told.len(), told.last().map(|(_, reason)| *reason)), (MAX_REFUSED, Some(Reason::TooMany)));
}

#[test]
fn every_cut_of_a_stream_means_the_same() {
    let stream = b"\x1b%-12345X@PJL\r\n@PJL INFO ID\r\n@PJL RESET\r\n@PJL USTATUS DEVICE=ON\r\n\x1b%-12345X\x1b*s4t1u0I\x1b%-12345X@PJL ECHO a\r\n\x1b%-12345XHello";
    let whole = run(&[stream], BOTH);
    for cut in 0..stream.len() {
        assert_eq!(run(&[&stream[..cut], &stream[cut..]], BOTH), whole, "cut at {cut}");
    }
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(run(&single, BOTH), whole);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn only_questions_come_out(
        words in proptest::collection::vec(proptest::sample::select(WORDS), 0..30),
        cut in 0..200_usize,
        (pjl, pcl) in any::<(bool, bool)>(),
    ) {
        let asked = Asked { pjl, pcl };
        let stream = words.concat();
        let cut = cut.min(stream.len());
        let whole = run(&[&stream], asked);
        prop_assert!(is_harmless(&whole.0), "{:?} sends {:?}", stream, whole.0);
        prop_assert!(pjl || !whole.0.contains("@PJL"), "{:?} sends {:?}", stream, whole.0);
        prop_assert_eq!(run(&[&stream[..cut], &stream[cut..]], asked), whole);
    }

    #[test]
    fn any_octets_are_safe(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut framed = b"\x1b%-12345X@PJL ".to_vec();
        framed.extend(&octets);
        prop_assert!(is_harmless(&run(&[&octets], BOTH).0));
        prop_assert!(is_harmless(&run(&[&framed], BOTH).0));
    }
}
