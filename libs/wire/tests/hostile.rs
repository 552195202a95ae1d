//! Documents made to hurt: each is refused with the right error, after little work. And devices made to hurt: what they
//! answer can be written and read all the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may")]

mod common;

use std::fmt::Write;

use common::{Document, bare_device, color_mfp, examples, key, report, xmllint};
use jiff::Timestamp;
use wire::device::{
    Alert, Counter, DeviceRecord, FieldSource, Identity, Level, Origin, Raw, Status, Supply, Tray, TrayKind,
};
use wire::message::{FaultCode, Request};
use wire::notes::{Event, Notes, Question, Remark};
use wire::vocab::{
    AlertGroup, AlertSeverity, Basis, ColorUse, Colorant, Confidence, CounterUnit, DetectedError, DeviceState,
    DoubtKind, EventKind, IdentityField, MediaSize, OutputKind, PrinterState, RemarkCode, Service, Sides, SupplyClass,
    SupplyKind, SupplyUnit, TrayUnit,
};
use wire::xml::{self, XmlError, limits};

const DEVICE: &str = r#"<Device xmlns="urn:druckwart:wire:2026-11" id="x" address="" readAt="2026-11-24T05:59:58Z">"#;

fn refused(document: &str) -> XmlError {
    xml::decode_device(document.as_bytes()).unwrap_err()
}

/// A report with these octets in place of its devices.
fn report_with(devices: &str) -> String {
    let empty = String::from_utf8(xml::encode_request(&Request::SendReports(report(vec![], vec![])))).unwrap();
    empty.replace("</SendReports>", &format!("{devices}</SendReports>"))
}

#[test]
fn a_document_of_100_megabytes_is_not_parsed() {
    let error = xml::decode_request(&vec![b'<'; 100_000_000]).unwrap_err();
    assert_eq!(error, XmlError::TooLarge { size: 100_000_000 });
    assert_eq!(error.fault_code(), FaultCode::TooLarge);
    assert_eq!(
        error.to_string(),
        "the document has 100000000 octets, at most 33554432 are taken; send fewer devices at a time"
    );
    // One octet less than too many is looked at, and is no XML.
    let error = xml::decode_request(&vec![b'<'; limits::DOCUMENT]).unwrap_err();
    assert!(matches!(error, XmlError::Syntax { .. }), "{error}");
    assert_eq!(error.fault_code(), FaultCode::Malformed);
}

#[test]
fn a_million_elements_are_refused() {
    let device = format!("{DEVICE}</Device>");
    let error = xml::decode_request(report_with(&device.repeat(200_000)).as_bytes()).unwrap_err();
    assert!(error.to_string().ends_with("too many of Device, at most 500 are taken"), "{error}");
    let error = refused(&format!("{DEVICE}{}</Device>", "<a/>".repeat(1_000_000)));
    assert!(error.to_string().contains(r#"the element "a""#), "{error}");
}

#[test]
fn more_elements_than_the_limit_are_refused_even_where_the_schema_has_room_for_them() {
    let alerts = r#"<Alert severity="1" group="1"/>"#.repeat(limits::ALERTS);
    let supply = r#"<Supply index="" type="1" class="1" unit="1"><Description/><Level state="empty"/></Supply>"#;
    let supplies = supply.repeat(limits::SUPPLIES);
    let device = format!("{DEVICE}<Status>{alerts}</Status><MarkerSupplies>{supplies}</MarkerSupplies></Device>");
    let document = report_with(&device.repeat(490));
    assert!(document.len() < limits::DOCUMENT);
    let error = xml::decode_request(document.as_bytes()).unwrap_err();
    assert!(error.to_string().ends_with("too many elements, at most 500000 are taken"), "{error}");
}

#[test]
fn deep_nesting_is_refused_where_it_begins() {
    let deep = |name: &str| format!("{DEVICE}{}", format!("<{name}>").repeat(2_000_000));
    for name in ["a", "Device", "Identity"] {
        let error = refused(&deep(name)).to_string();
        assert!(error.starts_with("/Device") && error.contains("line 1"), "{error}");
    }
    let text = format!("{DEVICE}<Identity><Model>{}", "<Model>".repeat(2_000_000));
    assert!(refused(&text).to_string().starts_with("/Device/Identity/Model, line 1"));
}

#[test]
fn document_types_and_entities_are_refused_before_anything_else() {
    let laughs: String = (1..10).fold("<!ENTITY a0 \"ha\">".to_owned(), |mut text, level| {
        let _ = write!(text, "<!ENTITY a{level} \"{}\">", format!("&a{};", level - 1).repeat(10));
        text
    });
    let quadratic = format!("<!ENTITY a \"{}\">", "x".repeat(100_000));
    let documents = [
        format!("<!DOCTYPE Device [{laughs}]>{DEVICE}<Identity><Model>&a9;</Model></Identity></Device>"),
        format!(
            "<!DOCTYPE Device [{quadratic}]>{DEVICE}<Identity><Model>{}</Model></Identity></Device>",
            "&a;".repeat(10_000)
        ),
        format!("<!DOCTYPE Device SYSTEM \"file:///etc/passwd\">{DEVICE}</Device>"),
        format!("<!DOCTYPE Device [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>{DEVICE}</Device>"),
        format!("<!DOCTYPE Device [<!ENTITY % a SYSTEM \"http://192.0.2.1/\"> %a;]>{DEVICE}</Device>"),
        format!("\u{feff}<?xml version=\"1.0\"?>\n<!-- <a> --> <?a <!-- ?>\n<!DOCTYPE Device>{DEVICE}</Device>"),
        // Never closed, and not what follows it claims to be: still refused for what it is.
        "<!DOCTYPE".to_owned(),
    ];
    for document in documents {
        let error = refused(&document);
        assert!(matches!(error, XmlError::Doctype(_)), "{error}");
    }
    // Elsewhere it is no document type declaration, and no XML either.
    for document in [format!("{DEVICE}<!DOCTYPE a></Device>"), format!("{DEVICE}</Device><!DOCTYPE a>")] {
        let error = refused(&document);
        assert!(matches!(error, XmlError::Syntax { .. }), "{error}");
    }
    // In a comment or a text it means nothing.
    let harmless =
        format!("<!-- <!DOCTYPE a> -->{DEVICE}<Identity><Model><![CDATA[<!DOCTYPE a>]]></Model></Identity></Device>");
    let device = xml::decode_device(harmless.as_bytes()).unwrap();
    assert_eq!(device.identity.unwrap().model.as_deref(), Some("<!DOCTYPE a>"));
    for entity in ["&a;", "&nbsp;", "&#0;", "&#x1F;", "&#xFFFF;", "&#xD800;", "&#99999999999;", "&;", "& "] {
        let error = refused(&format!("{DEVICE}<Identity><Model>{entity}</Model></Identity></Device>"));
        assert!(matches!(error, XmlError::Syntax { .. }), "{entity}: {error}");
    }
}

#[test]
fn many_attributes_namespaces_or_long_names_are_refused() {
    let attributes = |count: usize, prefix: &str| {
        (0..count).fold(String::new(), |mut text, number| {
            let _ = write!(text, " {prefix}a{number}=\"b\"");
            text
        })
    };
    let device = |attributes: &str| DEVICE.replace('>', &format!("{attributes}></Device>"));
    let cases = [
        device(&attributes(1_000_000, "")),
        device(&attributes(1_000_000, "xmlns:")),
        device(&attributes(20, "xmlns:")),
        device(&format!(" a=\"{}\"", "x".repeat(10_000_000))),
        device(&format!(" {}=\"\"", "x".repeat(10_000_000))),
        device("").replace("address=\"\"", &format!("address=\"{}\"", "x".repeat(257))),
        format!("<{}", "x".repeat(10_000_000)),
        format!("{DEVICE}<Identity><Model>{}</Model></Identity></Device>", "x".repeat(10_000_000)),
        format!("{DEVICE}<Identity><Model>{}</Model></Identity></Device>", "&#65;".repeat(2_000_000)),
        format!("{DEVICE}<Identity>{}</Identity></Device>", " ".repeat(10_000_000)),
        format!("{DEVICE}&{};</Device>", "x".repeat(10_000_000)),
    ];
    for document in cases {
        let error = refused(&document).to_string();
        assert!(error.len() < 1000, "a long message: {error}");
    }
}

#[test]
fn a_document_that_breaks_off_anywhere_is_refused() {
    // The same device stands in a report, too: at every octet of both would take twice the time and say no more.
    for (name, example) in examples().into_iter().filter(|(name, _)| *name != "device") {
        let document = example.encode();
        let whole = document.trim_ascii_end().len();
        for end in 0..whole {
            assert!(example.decode_alike(document.get(..end).unwrap()).is_err(), "{name} breaks off at {end}");
        }
        assert_eq!(example.decode_alike(document.get(..whole).unwrap()), Ok(example), "{name}");
    }
}

#[test]
fn other_encodings_are_refused() {
    let text = format!("{DEVICE}<Identity><Model>ü</Model></Identity></Device>");
    assert!(xml::decode_device(format!("\u{feff}{text}").as_bytes()).is_ok());
    let utf16 = |octets: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(octets).collect::<Vec<_>>();
    let marked = |mark: [u8; 2], octets: Vec<u8>| [mark.to_vec(), octets].concat();
    for document in [
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
        marked([0xff, 0xfe], utf16(u16::to_le_bytes)),
        marked([0xfe, 0xff], utf16(u16::to_be_bytes)),
        text.replace('ü', "\0").into_bytes(),
    ] {
        assert!(xml::decode_device(&document).is_err());
    }
    let document = text.as_bytes();
    for position in 0..document.len() {
        for octet in [0x80, 0xc0, 0xff] {
            let mut document = document.to_vec();
            if document.get(position).is_some_and(u8::is_ascii) {
                *document.get_mut(position).unwrap() = octet;
                let error = xml::decode_device(&document).unwrap_err();
                let XmlError::NotUtf8(place) = &error else { panic!("{error}") };
                assert_eq!(place.line, 1);
            }
        }
    }
}

#[test]
fn what_xml_cannot_carry_becomes_the_replacement_character() {
    let mut device = color_mfp();
    let model = (0..=0xffff_u32).filter_map(char::from_u32).filter(|c| u32::from(*c) < 0x20 || u32::from(*c) > 0xfffd);
    device.identity = Some(Identity { model: Some(model.collect()), ..Identity::default() });
    device.address = " 192.0.2.7\0 \t\n x ".to_owned();
    device.status = Some(Status { printer: Some(PrinterState::Other(" \r\n ".to_owned())), ..Status::default() });
    let document = xml::encode_device(&device);
    let read = xml::decode_device(&document).unwrap();
    let expected: String =
        (0..0x20_u8).map(|c| if matches!(c, b'\t' | b'\n' | b'\r') { char::from(c) } else { '\u{fffd}' }).collect();
    assert_eq!(read.identity.clone().unwrap().model, Some(format!("{expected}\u{fffd}\u{fffd}")));
    assert_eq!(read.address, "192.0.2.7\u{fffd} x");
    assert_eq!(read.status.clone().unwrap().printer, Some(PrinterState::Unknown));
    assert_eq!(xml::encode_device(&read), document);
}

/// Every list longer than its limit, every text longer than its limit and of characters that grow when written.
fn greedy_device() -> DeviceRecord {
    let text = || "&".repeat(1_100);
    let word = || "\"".repeat(300);
    let many = 1_100;
    let supply = Supply {
        index: word(),
        kind: SupplyKind::Other(word()),
        class: SupplyClass::Other(word()),
        color: Some(Colorant::Other(word())),
        description: text(),
        part_number: Some(text()),
        serial: Some(text()),
        unit: SupplyUnit::Other(word()),
        capacity: Some(u32::MAX),
        level: Level::Measured(u32::MAX),
        raw: Raw { level: Some(i64::MIN), capacity: Some(i64::MIN) },
        origin: Origin { source: Some(word()), confidence: Confidence::Other(word()) },
    };
    let tray = Tray {
        index: word(),
        kind: TrayKind::Output(OutputKind::Other(word())),
        name: text(),
        description: Some(text()),
        media: Some(text()),
        unit: TrayUnit::Other(word()),
        capacity: Some(u32::MAX),
        level: Level::Measured(u32::MAX),
        status: Some(u32::MAX),
        raw: Raw { level: Some(i64::MIN), capacity: Some(i64::MIN) },
    };
    let counter = Counter {
        service: Service::Other(word()),
        color: ColorUse::Other(word()),
        size: MediaSize::Other(word()),
        sides: Sides::Other(word()),
        unit: CounterUnit::Other(word()),
        basis: Basis::Other(word()),
        value: u64::MAX,
        source: word(),
        confidence: Confidence::Other(word()),
    };
    let alert = Alert {
        severity: AlertSeverity::Other(word()),
        group: AlertGroup::Other(word()),
        group_index: Some(i64::MIN),
        code: Some(i64::MIN),
        description: text(),
    };
    let moment: Timestamp = "2026-11-24T05:59:58.123456789Z".parse().unwrap();
    let remark = Remark { code: RemarkCode::Other(word()), since: Some(moment), text: text() };
    let question =
        Question { doubt: DoubtKind::Other(word()), older: common::device_id(&"\"".repeat(128)), asked_at: moment };
    let event = Event { kind: EventKind::Other(word()), at: moment, before: text(), after: text() };
    let texts = Some(text());
    DeviceRecord {
        address: word(),
        identity: Some(Identity {
            manufacturer: texts.clone(),
            model: texts.clone(),
            serial: texts.clone(),
            firmware: texts.clone(),
            host_name: texts.clone(),
            mac: texts.clone(),
            location: texts.clone(),
            contact: texts.clone(),
            sys_object_id: texts.clone(),
            description: texts.clone(),
            profile: texts,
            sources: vec![
                FieldSource {
                    field: IdentityField::Other(word()),
                    source: word(),
                    confidence: Confidence::Other(word()),
                };
                many
            ],
        }),
        status: Some(Status {
            printer: Some(PrinterState::Other(word())),
            device: Some(DeviceState::Other(word())),
            errors: vec![DetectedError::Other(word()); many],
            console: vec![text(); many],
            alerts: vec![alert; many],
        }),
        supplies: Some(vec![supply; many]),
        trays: Some(vec![tray; many]),
        counters: Some(vec![counter; many]),
        notes: Some(Notes { remarks: vec![remark; many], questions: vec![question; many] }),
        events: vec![event; many],
        ..bare_device(&"\"".repeat(128), "")
    }
}

#[test]
fn one_device_always_fits_whatever_it_answers() {
    let document = xml::encode_request(&Request::SendReports(report(vec![greedy_device()], vec![])));
    assert!(document.len() < limits::DOCUMENT, "{} octets", document.len());
    let decoded = xml::decode_request(&document).unwrap();
    assert_eq!(xml::encode_request(&decoded), document);
    let Request::SendReports(report) = decoded else { panic!("a report") };
    let device = report.devices.first().unwrap();
    assert_eq!(device.supplies.as_ref().unwrap().len(), limits::SUPPLIES);
    assert_eq!(device.counters.as_ref().unwrap().len(), limits::COUNTERS);
    assert_eq!(device.notes.as_ref().unwrap().remarks.len(), limits::REMARKS);
    assert_eq!(device.events.len(), limits::EVENTS);
    assert_eq!(device.identity.as_ref().unwrap().model.as_ref().unwrap().len(), limits::TEXT);

    let file = std::env::temp_dir().join(format!("wire-greedy-device-{}.xml", std::process::id()));
    std::fs::write(&file, xml::encode_device(&greedy_device())).unwrap();
    let complaints = xmllint(&[file.to_str().unwrap().to_owned()]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(complaints, [None]);
}

#[test]
fn messages_say_nothing_secret() {
    let registration = Document::Request(Request::RegisterForManagement(common::registration()));
    assert!(!format!("{registration:?}").contains("BEEQ"));
    let document = String::from_utf8(registration.encode()).unwrap();
    let long = document.replace("BEEQSCIJ", &"BEEQ".repeat(50));
    let error = registration.decode_alike(long.as_bytes()).unwrap_err();
    assert!(error.to_string().ends_with("expected a token of at most 256 characters"), "{error}");
    assert!(!error.to_string().contains("BEEQ"));
    assert_eq!(key().agent_id().as_str().len(), 32);
}
