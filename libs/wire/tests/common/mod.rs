//! What the tests of this crate share: xmllint, and one example of everything that travels.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may")]

use std::process::Command;

use wire::device::{
    Alert, Counter, DeviceId, DeviceRecord, FieldSource, Identity, Level, Origin, Raw, Snapshot, Status, Supply, Tray,
    TrayKind,
};
use wire::message::{
    Fault, FaultCode, Receipt, RegisterForManagement, RegisterForManagementResponse, ReportId, Request, Response,
    SendReports, SendReportsResponse,
};
use wire::notes::{Event, Notes, Question, Remark, SameDevice};
use wire::sign::AgentKey;
use wire::vocab::{
    AlertGroup, AlertSeverity, Basis, ColorUse, Colorant, Confidence, CounterUnit, DetectedError, DeviceState,
    DoubtKind, EventKind, IdentityField, InputKind, MediaSize, OutputKind, PrinterState, RemarkCode, Service, Sides,
    SupplyClass, SupplyKind, SupplyUnit, TrayUnit,
};
use wire::xml::{self, XmlError};

pub const SCHEMA: &str = "schema/druckwart-2026-11.xsd";

/// What xmllint has against these files, per file; `None` where it is content.
pub fn xmllint(files: &[String]) -> Vec<Option<String>> {
    let output = Command::new("xmllint").args(["--noout", "--nonet", "--schema", SCHEMA]).args(files).output();
    let output = output.unwrap_or_else(|error| {
        panic!("xmllint is needed to check documents against the schema ({error}); Debian has it in libxml2-utils")
    });
    let said = String::from_utf8_lossy(&output.stderr);
    let judge = |file: &String| {
        let lines = said.lines().filter(|line| line.starts_with(file.as_str()) && !line.contains("parser warning"));
        let (good, bad): (Vec<_>, Vec<_>) = lines.partition(|line| line.ends_with(" validates"));
        match (good.len(), bad.is_empty()) {
            (1, true) => None,
            _ => Some(if bad.is_empty() { format!("no verdict on {file}: {said}") } else { bad.join("\n") }),
        }
    };
    files.iter().map(judge).collect()
}

const REPORT_ID: ReportId = ReportId { epoch: 1_795_492_800_000, sequence: 17 };

/// Anything that can be a document.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there are few of them")]
pub enum Document {
    Request(Request),
    Response(Response),
    Device(DeviceRecord),
}

impl Document {
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Request(message) => xml::encode_request(message),
            Self::Response(message) => xml::encode_response(message),
            Self::Device(device) => xml::encode_device(device),
        }
    }

    /// Decodes what should be the same kind of document.
    pub fn decode_alike(&self, document: &[u8]) -> Result<Self, XmlError> {
        match self {
            Self::Request(_) => xml::decode_request(document).map(Self::Request),
            Self::Response(_) => xml::decode_response(document).map(Self::Response),
            Self::Device(_) => xml::decode_device(document).map(Self::Device),
        }
    }
}

/// One document per feature, with the name of its golden file.
pub fn examples() -> Vec<(&'static str, Document)> {
    let report = |devices, removed| Document::Request(Request::SendReports(report(devices, removed)));
    let response = |response| Document::Response(response);
    let receipt = |receipt| response(Response::SendReportsResponse(SendReportsResponse { id: REPORT_ID, receipt }));
    vec![
        ("registration", Document::Request(Request::RegisterForManagement(registration()))),
        (
            "registration-response",
            response(Response::RegisterForManagementResponse(RegisterForManagementResponse {
                agent: key().agent_id(),
                customer: "Müller & Söhne GmbH".to_owned(),
                site: "Werk 2 <Halle B>".to_owned(),
            })),
        ),
        ("report-color-mfp", report(vec![color_mfp()], vec![])),
        ("report-mono-levels", report(vec![mono_printer()], vec![])),
        ("report-status-only", report(vec![status_only()], vec![])),
        ("report-silent-device", report(vec![silent_device()], vec![])),
        ("report-alive", report(vec![], vec![])),
        (
            "report-removed-devices",
            report(vec![], vec![device_id("1347:W7Z0123456"), device_id("mac:00:00:5e:00:53:21")]),
        ),
        ("report-with-remarks", Document::Request(Request::SendReports(report_with_remarks()))),
        ("report-noted-device", report(vec![noted_device()], vec![])),
        ("report-accepted", receipt(Receipt::Accepted)),
        ("report-duplicate", receipt(Receipt::Duplicate)),
        (
            "fault",
            response(Response::Fault(Fault {
                code: FaultCode::BadToken,
                message: "The token has been used already; make a new enrolment code for the site.".to_owned(),
            })),
        ),
        ("device", Document::Device(color_mfp())),
        ("device-unknown-vocabulary", Document::Device(device_of_tomorrow())),
        ("device-awkward-texts", Document::Device(awkward_device())),
    ]
}

pub fn key() -> AgentKey {
    AgentKey::from_seed(&[7; 32])
}

pub fn device_id(text: &str) -> DeviceId {
    DeviceId::new(text).unwrap()
}

pub fn registration() -> RegisterForManagement {
    RegisterForManagement {
        token: "BEEQSCIJBEEQSCIJBEEQSCIJBE".to_owned(),
        public_key: key().public_key(),
        agent_name: "druckwart-7f3a".to_owned(),
        software: "0.1.0".to_owned(),
    }
}

pub fn report(devices: Vec<DeviceRecord>, removed: Vec<DeviceId>) -> SendReports {
    SendReports {
        agent: key().agent_id(),
        id: REPORT_ID,
        created: "2026-11-24T06:00:07.25Z".parse().unwrap(),
        agent_name: "druckwart-7f3a".to_owned(),
        software: "0.1.0".to_owned(),
        remarks: vec![],
        same: vec![],
        devices,
        removed,
    }
}

fn remark(code: RemarkCode, since: Option<&str>, text: &str) -> Remark {
    Remark { code, since: since.map(|since| since.parse().unwrap()), text: text.to_owned() }
}

/// An agent that says something of itself, and two devices that are one.
fn report_with_remarks() -> SendReports {
    SendReports {
        remarks: vec![remark(
            RemarkCode::UpdateTakenBack,
            Some("2026-11-24T02:14:00Z"),
            "0.3.0 did not come up: 0.2.1 runs again",
        )],
        same: vec![SameDevice { gone: device_id("1347:W7Z0999999"), stays: device_id("1347:W7Z0123456") }],
        ..report(vec![], vec![])
    }
}

/// What an agent has noticed about a device, and nothing else.
fn noted_device() -> DeviceRecord {
    let event = |kind, at: &str, before: &str, after: &str| Event {
        kind,
        at: at.parse().unwrap(),
        before: before.to_owned(),
        after: after.to_owned(),
    };
    DeviceRecord {
        notes: Some(Notes {
            remarks: vec![
                remark(RemarkCode::Loop, None, "1.3.6.1.2.1.43.11"),
                remark(RemarkCode::PolledLessSlow, Some("2026-11-24T03:00:00Z"), "15 min, 12 s"),
            ],
            questions: vec![Question {
                doubt: DoubtKind::BoardSwapped,
                older: device_id("1347:W7Z0123456"),
                asked_at: "2026-11-24T05:00:00Z".parse().unwrap(),
            }],
        }),
        events: vec![
            event(EventKind::Met, "2026-11-24T05:00:00Z", "", ""),
            event(EventKind::Moved, "2026-11-24T05:10:00Z", "192.0.2.31:161", "192.0.2.36:161"),
            event(EventKind::Asked, "2026-11-24T05:00:00Z", "1347:W7Z0123456", "boardSwapped"),
            event(EventKind::Other("ofTomorrow".to_owned()), "2026-11-24T05:20:00Z", "<b>", "&"),
        ],
        ..bare_device("1347:W7Z0999999", "192.0.2.36")
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// A record that has no group yet.
pub fn bare_device(id: &str, address: &str) -> DeviceRecord {
    DeviceRecord {
        id: device_id(id),
        address: address.to_owned(),
        read_at: "2026-11-24T05:59:58Z".parse().unwrap(),
        silent_since: None,
        identity: None,
        status: None,
        supplies: None,
        trays: None,
        counters: None,
        notes: None,
        events: vec![],
    }
}

fn supply(index: &str, kind: SupplyKind, color: Option<Colorant>, description: &str, level: Level) -> Supply {
    let class = if kind == SupplyKind::WasteToner { SupplyClass::Receptacle } else { SupplyClass::Consumed };
    Supply {
        index: index.to_owned(),
        kind,
        class,
        color,
        description: description.to_owned(),
        part_number: None,
        serial: None,
        unit: SupplyUnit::Impressions,
        capacity: None,
        level,
        raw: Raw::default(),
        origin: Origin::default(),
    }
}

fn toner(index: &str, color: Colorant, letter: char, level: u32) -> Supply {
    let description = format!("CK-8512{letter}");
    let kind = SupplyKind::TonerCartridge;
    Supply {
        part_number: Some(description.clone()),
        capacity: Some(12_000),
        ..supply(index, kind, Some(color), &description, Level::Measured(level))
    }
}

fn tray(index: &str, kind: TrayKind, name: &str, level: Level) -> Tray {
    Tray {
        index: index.to_owned(),
        kind,
        name: name.to_owned(),
        description: None,
        media: None,
        unit: TrayUnit::Sheets,
        capacity: Some(500),
        level,
        status: Some(0),
        raw: Raw::default(),
    }
}

fn impressions(service: Service, color: ColorUse, value: u64, source: &str) -> Counter {
    Counter {
        service,
        color,
        size: MediaSize::Any,
        sides: Sides::Any,
        unit: CounterUnit::Impressions,
        basis: Basis::Meter,
        value,
        source: source.to_owned(),
        confidence: Confidence::Verified,
    }
}

pub fn color_mfp() -> DeviceRecord {
    let identity = Identity {
        manufacturer: some("UTAX"),
        model: some("3206ci"),
        serial: some("W7Z0123456"),
        firmware: some("2VG_S000.004.107"),
        host_name: some("KM53A1B2"),
        mac: some("00:00:5e:00:53:a1"),
        location: some("2nd floor, copy room"),
        contact: some("it@example.com"),
        sys_object_id: some("1.3.6.1.4.1.1347.41"),
        description: some("UTAX_TA Printing System"),
        profile: some("kyocera"),
        sources: vec![
            FieldSource {
                field: IdentityField::Serial,
                source: "1.3.6.1.4.1.1347.43.5.1.1.28.1".to_owned(),
                confidence: Confidence::Verified,
            },
            FieldSource {
                field: IdentityField::HostName,
                source: "1.3.6.1.4.1.1347.40.10.1.1.5.1".to_owned(),
                confidence: Confidence::Probable,
            },
        ],
    };
    let status = Status {
        printer: Some(PrinterState::Idle),
        device: Some(DeviceState::Warning),
        errors: vec![DetectedError::LowToner, DetectedError::InputTrayEmpty],
        console: vec!["Ready to print.".to_owned(), "Add paper in cassette 2.".to_owned()],
        alerts: vec![
            Alert {
                severity: AlertSeverity::Warning,
                group: AlertGroup::MarkerSupplies,
                group_index: Some(4),
                code: Some(1104),
                description: "Toner is low. [K]".to_owned(),
            },
            Alert {
                severity: AlertSeverity::Warning,
                group: AlertGroup::Input,
                group_index: Some(3),
                code: Some(808),
                description: String::new(),
            },
        ],
    };
    let input = |kind| TrayKind::Input(kind);
    let output = |kind| TrayKind::Output(kind);
    let counters = vec![
        impressions(Service::System, ColorUse::Any, 76_064, "1.3.6.1.4.1.1347.43.10.1.1.12.1.1"),
        Counter {
            basis: Basis::Engine,
            ..impressions(Service::System, ColorUse::Any, 76_498, "1.3.6.1.2.1.43.10.2.1.4.1.1")
        },
        impressions(Service::Print, ColorUse::Monochrome, 14_730, "1.3.6.1.4.1.1347.42.3.1.2.1.1.1.1"),
        impressions(Service::Print, ColorUse::FullColor, 25_870, "1.3.6.1.4.1.1347.42.3.1.2.1.1.1.3"),
        impressions(Service::Copy, ColorUse::Monochrome, 19_124, "1.3.6.1.4.1.1347.42.3.1.2.1.1.2.1"),
        impressions(Service::Copy, ColorUse::FullColor, 13_847, "1.3.6.1.4.1.1347.42.3.1.2.1.1.2.3"),
        impressions(Service::Fax, ColorUse::Monochrome, 2_493, "1.3.6.1.4.1.1347.42.3.1.1.1.1.4"),
        Counter {
            unit: CounterUnit::Images,
            ..impressions(Service::Scan, ColorUse::Any, 58_311, "1.3.6.1.4.1.1347.46.10.1.1.5.3")
        },
        Counter {
            size: MediaSize::Large,
            ..impressions(Service::System, ColorUse::Any, 3_706, "1.3.6.1.4.1.1347.42.2.1.1.1.6.1.1")
        },
        Counter {
            sides: Sides::TwoSided,
            confidence: Confidence::Probable,
            ..impressions(Service::System, ColorUse::Any, 40_112, "1.3.6.1.4.1.1347.42.2.5.1.1.2.1")
        },
        impressions(Service::System, ColorUse::Color, 39_717, "1.3.6.1.4.1.1347.42.2.1.1.1.8.1.*"),
    ];
    let snapshot = Snapshot {
        identity,
        status,
        supplies: vec![
            toner("1.1", Colorant::Cyan, 'C', 7_440),
            toner("1.2", Colorant::Magenta, 'M', 6_960),
            toner("1.3", Colorant::Yellow, 'Y', 11_880),
            toner("1.4", Colorant::Black, 'K', 1_080),
            Supply {
                raw: Raw { level: None, capacity: Some(-2) },
                unit: SupplyUnit::Percent,
                ..supply("1.5", SupplyKind::WasteToner, None, "Waste Toner Box", Level::SomeLeft)
            },
            Supply {
                unit: SupplyUnit::Items,
                serial: some("S1"),
                capacity: Some(5_000),
                ..supply("1.6", SupplyKind::Staples, None, "Staples", Level::Measured(3_200))
            },
        ],
        trays: vec![
            Tray {
                capacity: Some(100),
                media: some("Plain"),
                ..tray("1.1", input(InputKind::ManualFeed), "MP Tray", Level::Empty)
            },
            Tray {
                media: some("A4"),
                ..tray("1.2", input(InputKind::RemovableTray), "Cassette 1", Level::Measured(350))
            },
            Tray {
                description: some("Paper feeder, 500 sheets"),
                media: some("A3"),
                status: Some(9),
                ..tray("1.3", input(InputKind::RemovableTray), "Cassette 2", Level::Empty)
            },
            tray("1.1", output(OutputKind::UnremovableBin), "Inner tray", Level::SomeLeft),
        ],
        counters,
    };
    DeviceRecord::full(
        device_id("1347:W7Z0123456"),
        "192.0.2.31".to_owned(),
        "2026-11-24T05:59:58Z".parse().unwrap(),
        snapshot,
    )
}

/// Every state that a level can have.
fn mono_printer() -> DeviceRecord {
    let percent = |supply| Supply { unit: SupplyUnit::Percent, capacity: Some(100), ..supply };
    let input = TrayKind::Input(InputKind::RemovableTray);
    DeviceRecord {
        identity: Some(Identity {
            manufacturer: some("HP"),
            model: some("HP LaserJet 600 M602"),
            serial: some("CNDCF00000"),
            sys_object_id: some("1.3.6.1.4.1.11.2.3.9.1"),
            ..Identity::default()
        }),
        status: Some(Status { device: Some(DeviceState::Running), ..Status::default() }),
        supplies: Some(vec![
            percent(supply(
                "1.1",
                SupplyKind::TonerCartridge,
                Some(Colorant::Black),
                "Black Cartridge",
                Level::Measured(57),
            )),
            percent(supply("1.2", SupplyKind::Fuser, None, "Maintenance Kit", Level::Empty)),
            supply("1.3", SupplyKind::Opc, None, "Drum", Level::SomeLeft),
            supply("1.4", SupplyKind::TransferUnit, None, "Transfer Kit", Level::Unknown),
            supply("1.5", SupplyKind::WasteToner, None, "Waste Container", Level::NoLimit),
        ]),
        trays: Some(vec![
            tray("1.1", input.clone(), "Tray 1", Level::Measured(4_294_967_295)),
            tray("1.2", input.clone(), "Tray 2", Level::Empty),
            tray("1.3", input.clone(), "Tray 3", Level::SomeLeft),
            tray("1.4", input.clone(), "Tray 4", Level::Unknown),
            Tray { capacity: None, status: None, ..tray("1.5", input, "Tray 5", Level::NoLimit) },
            tray("1.1", TrayKind::Output(OutputKind::RemovableBin), "Standard Bin", Level::Measured(12)),
        ]),
        counters: Some(vec![Counter {
            basis: Basis::Engine,
            ..impressions(Service::System, ColorUse::Any, 18_446_744_073_709_551_615, "1.3.6.1.2.1.43.10.2.1.4.1.1")
        }]),
        ..bare_device("11:CNDCF00000", "192.0.2.32")
    }
}

/// A door was opened and nothing else has changed.
fn status_only() -> DeviceRecord {
    DeviceRecord {
        status: Some(Status {
            printer: Some(PrinterState::Unspecified),
            device: Some(DeviceState::Down),
            errors: vec![DetectedError::DoorOpen],
            console: vec!["Close front cover.".to_owned()],
            alerts: vec![Alert {
                severity: AlertSeverity::Critical,
                group: AlertGroup::Cover,
                group_index: Some(-1),
                code: Some(3),
                description: "Front cover open".to_owned(),
            }],
        }),
        ..bare_device("1347:W7Z0123456", "192.0.2.31")
    }
}

fn silent_device() -> DeviceRecord {
    DeviceRecord {
        silent_since: Some("2026-11-23T17:04:00.5Z".parse().unwrap()),
        ..bare_device("1248:X2AB000001", "2001:db8::17")
    }
}

/// What a device or an agent may send whose vocabulary is larger than ours.
fn device_of_tomorrow() -> DeviceRecord {
    let other = |text: &str| text.to_owned();
    DeviceRecord {
        status: Some(Status {
            printer: Some(PrinterState::Other(other("6"))),
            device: Some(DeviceState::Other(other("dreaming"))),
            errors: vec![DetectedError::Other(other("15"))],
            console: vec![],
            alerts: vec![Alert {
                severity: AlertSeverity::Other(other("6")),
                group: AlertGroup::Other(other("40")),
                group_index: None,
                code: Some(-9_223_372_036_854_775_808),
                description: "?".to_owned(),
            }],
        }),
        supplies: Some(vec![Supply {
            class: SupplyClass::Other(other("2")),
            unit: SupplyUnit::Other(other("x-drops")),
            ..supply("1.1", SupplyKind::Other(other("77")), Some(Colorant::Other(other("gold"))), "", Level::Unknown)
        }]),
        trays: Some(vec![
            Tray {
                unit: TrayUnit::Other(other("reams")),
                ..tray("1.1", TrayKind::Input(InputKind::Other(other("9"))), "", Level::Unknown)
            },
            tray("1.1", TrayKind::Output(OutputKind::Other(other("stacker"))), "", Level::Unknown),
        ]),
        counters: Some(vec![Counter {
            service: Service::Other(other("Bind")),
            color: ColorUse::Other(other("Spot")),
            size: MediaSize::Other(other("SRA3 wide")),
            sides: Sides::Other(other("ThreeSided")),
            unit: CounterUnit::Other(other("10")),
            basis: Basis::Other(other("Guess")),
            value: 0,
            source: String::new(),
            confidence: Confidence::Unconfirmed,
        }]),
        ..bare_device("99999:future", "192.0.2.99")
    }
}

/// Texts that need care: markup, quotes, blanks at the ends, line breaks of every kind, letters beyond the first plane.
fn awkward_device() -> DeviceRecord {
    DeviceRecord {
        identity: Some(Identity {
            manufacturer: some(""),
            model: some("  <b>\"Ink\" & 'Toner'</b> ]]> &amp; "),
            location: some("\tüber der Tür 🖨\u{fffd} "),
            description: some("ROM none,\r\nJETDIRECT\rFS24\n"),
            contact: some(" "),
            ..Identity::default()
        }),
        status: Some(Status::default()),
        supplies: Some(vec![]),
        trays: Some(vec![]),
        counters: Some(vec![]),
        ..bare_device("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "fe80::1%\"<&>'")
    }
}
