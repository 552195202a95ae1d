//! From the document to the data: which element and attribute means which field, in the order of the schema.

use std::str::FromStr;

use super::XmlError;
use super::cursor::{Cursor, collapse, moment};
use super::limits;
use crate::device::{
    Alert, Counter, DeviceId, DeviceRecord, FieldSource, Identity, Level, Origin, Raw, Status, Supply, Tray, TrayKind,
};
use crate::message::{
    AgentId, Fault, FaultCode, Receipt, RegisterForManagement, RegisterForManagementResponse, ReportId, Request,
    Response, SendReports, SendReportsResponse,
};
use crate::notes::{Event, Notes, Question, Remark, SameDevice};
use crate::vocab::{
    AlertGroup, AlertSeverity, Basis, ColorUse, Colorant, Confidence, CounterUnit, DetectedError, DeviceState,
    DoubtKind, EventKind, IdentityField, InputKind, MediaSize, OutputKind, PrinterState, RemarkCode, Service, Sides,
    SupplyClass, SupplyKind, SupplyUnit, TrayUnit,
};

pub(super) fn request(document: &[u8]) -> Result<Request, XmlError> {
    Cursor::open(document)?.root(&["SendReports", "RegisterForManagement"], |cursor, name| match name {
        "SendReports" => Ok(Request::SendReports(send_reports(cursor)?)),
        _ => Ok(Request::RegisterForManagement(register(cursor)?)),
    })
}

pub(super) fn response(document: &[u8]) -> Result<Response, XmlError> {
    let names = ["SendReportsResponse", "RegisterForManagementResponse", "Fault"];
    Cursor::open(document)?.root(&names, |cursor, name| match name {
        "SendReportsResponse" => Ok(Response::SendReportsResponse(SendReportsResponse {
            id: report_id(cursor)?,
            receipt: cursor.attribute("receipt", "Accepted or Duplicate", Receipt::from_keyword)?,
        })),
        "RegisterForManagementResponse" => Ok(Response::RegisterForManagementResponse(RegisterForManagementResponse {
            agent: agent_id(cursor)?,
            customer: cursor.required("Customer", Cursor::text)?,
            site: cursor.required("Site", Cursor::text)?,
        })),
        _ => Ok(Response::Fault(Fault {
            code: cursor.attribute("code", &fault_codes(), FaultCode::from_keyword)?,
            message: cursor.text()?,
        })),
    })
}

pub(super) fn device(document: &[u8]) -> Result<DeviceRecord, XmlError> {
    Cursor::open(document)?.root(&["Device"], |cursor, _| record(cursor))
}

fn register(cursor: &mut Cursor) -> Result<RegisterForManagement, XmlError> {
    Ok(RegisterForManagement {
        agent_name: cursor.required("AgentName", Cursor::text)?,
        software: cursor.required("Software", Cursor::text)?,
        // A wrong key or token is not quoted in the message: the one is long, the other is secret.
        public_key: cursor.required("PublicKey", |cursor| {
            let text = cursor.text()?;
            let decoded = data_encoding::BASE64.decode(text.trim().as_bytes()).ok();
            decoded
                .and_then(|octets| octets.try_into().ok())
                .ok_or_else(|| cursor.unexpected("something else", "32 octets in base64"))
        })?,
        token: cursor.required("Token", |cursor| {
            let text = cursor.text()?;
            let fits = text.chars().count() <= limits::TOKEN;
            fits.then(|| collapse(&text))
                .ok_or_else(|| cursor.unexpected("something longer", "a token of at most 256 characters"))
        })?,
    })
}

fn send_reports(cursor: &mut Cursor) -> Result<SendReports, XmlError> {
    Ok(SendReports {
        agent: agent_id(cursor)?,
        id: report_id(cursor)?,
        created: cursor.attribute("created", MOMENT, moment)?,
        agent_name: cursor.required("AgentName", Cursor::text)?,
        software: cursor.required("Software", Cursor::text)?,
        remarks: cursor.list(&["Remark"], limits::OWN_REMARKS, |cursor, _| remark(cursor))?,
        same: cursor.list(&["SameDevice"], limits::SAME, |cursor, _| {
            Ok(SameDevice { gone: device_id(cursor)?, stays: device_name(cursor, "as")? })
        })?,
        devices: cursor.list(&["Device"], SendReports::MAX_DEVICES, |cursor, _| record(cursor))?,
        removed: cursor.list(&["RemovedDevice"], limits::REMOVED, |cursor, _| device_id(cursor))?,
    })
}

fn record(cursor: &mut Cursor) -> Result<DeviceRecord, XmlError> {
    Ok(DeviceRecord {
        id: device_id(cursor)?,
        address: token(cursor, "address")?,
        read_at: cursor.attribute("readAt", MOMENT, moment)?,
        silent_since: cursor.optional_attribute("silentSince", MOMENT, moment)?,
        identity: cursor.optional("Identity", identity)?,
        status: cursor.optional("Status", status)?,
        supplies: cursor.optional("MarkerSupplies", |cursor| {
            cursor.list(&["Supply"], limits::SUPPLIES, |cursor, _| supply(cursor))
        })?,
        trays: cursor.optional("Trays", |cursor| cursor.list(&["InputTray", "OutputTray"], limits::TRAYS, tray))?,
        counters: cursor
            .optional("Counters", |cursor| cursor.list(&["Counter"], limits::COUNTERS, |cursor, _| counter(cursor)))?,
        notes: cursor.optional("Notes", notes)?,
        events: cursor.list(&["Event"], limits::EVENTS, |cursor, _| event(cursor))?,
    })
}

fn notes(cursor: &mut Cursor) -> Result<Notes, XmlError> {
    Ok(Notes {
        remarks: cursor.list(&["Remark"], limits::REMARKS, |cursor, _| remark(cursor))?,
        questions: cursor.list(&["Question"], limits::QUESTIONS, |cursor, _| {
            Ok(Question {
                doubt: cursor.keyword("doubt", DoubtKind::from_keyword)?,
                older: device_name(cursor, "older")?,
                asked_at: cursor.attribute("askedAt", MOMENT, moment)?,
            })
        })?,
    })
}

fn remark(cursor: &mut Cursor) -> Result<Remark, XmlError> {
    Ok(Remark {
        code: cursor.keyword("code", RemarkCode::from_keyword)?,
        since: cursor.optional_attribute("since", MOMENT, moment)?,
        text: cursor.text()?,
    })
}

fn event(cursor: &mut Cursor) -> Result<Event, XmlError> {
    Ok(Event {
        kind: cursor.keyword("kind", EventKind::from_keyword)?,
        at: cursor.attribute("at", MOMENT, moment)?,
        before: cursor.optional("Before", Cursor::text)?.unwrap_or_default(),
        after: cursor.optional("After", Cursor::text)?.unwrap_or_default(),
    })
}

fn identity(cursor: &mut Cursor) -> Result<Identity, XmlError> {
    Ok(Identity {
        manufacturer: cursor.optional("Manufacturer", Cursor::text)?,
        model: cursor.optional("Model", Cursor::text)?,
        serial: cursor.optional("SerialNumber", Cursor::text)?,
        firmware: cursor.optional("Firmware", Cursor::text)?,
        host_name: cursor.optional("HostName", Cursor::text)?,
        mac: cursor.optional("MacAddress", Cursor::text)?,
        location: cursor.optional("Location", Cursor::text)?,
        contact: cursor.optional("Contact", Cursor::text)?,
        sys_object_id: cursor.optional("SysObjectId", Cursor::text)?,
        description: cursor.optional("Description", Cursor::text)?,
        profile: cursor.optional("Profile", Cursor::text)?,
        sources: cursor.list(&["Source"], limits::SOURCES, |cursor, _| {
            Ok(FieldSource {
                field: cursor.keyword("field", IdentityField::from_keyword)?,
                source: token(cursor, "source")?,
                confidence: confidence(cursor)?,
            })
        })?,
    })
}

fn status(cursor: &mut Cursor) -> Result<Status, XmlError> {
    Ok(Status {
        printer: cursor.optional_keyword("printer", PrinterState::from_keyword)?,
        device: cursor.optional_keyword("device", DeviceState::from_keyword)?,
        errors: cursor.list(&["DetectedError"], limits::ERRORS, |cursor, _| {
            cursor.keyword("condition", DetectedError::from_keyword)
        })?,
        console: cursor.list(&["ConsoleLine"], limits::CONSOLE_LINES, |cursor, _| cursor.text())?,
        alerts: cursor.list(&["Alert"], limits::ALERTS, |cursor, _| {
            Ok(Alert {
                severity: cursor.keyword("severity", AlertSeverity::from_keyword)?,
                group: cursor.keyword("group", AlertGroup::from_keyword)?,
                group_index: cursor.optional_attribute("groupIndex", SIGNED, number)?,
                code: cursor.optional_attribute("code", SIGNED, number)?,
                description: cursor.text()?,
            })
        })?,
    })
}

fn supply(cursor: &mut Cursor) -> Result<Supply, XmlError> {
    let raw = raw(cursor)?;
    let origin = Origin {
        source: cursor.optional_attribute("source", TOKEN, |text| Some(text.to_owned()))?,
        confidence: confidence(cursor)?,
    };
    Ok(Supply {
        index: token(cursor, "index")?,
        kind: cursor.keyword("type", SupplyKind::from_keyword)?,
        class: cursor.keyword("class", SupplyClass::from_keyword)?,
        color: cursor.optional_keyword("color", Colorant::from_keyword)?,
        unit: cursor.keyword("unit", SupplyUnit::from_keyword)?,
        capacity: cursor.optional_attribute("capacity", AMOUNT, number)?,
        description: cursor.required("Description", Cursor::text)?,
        part_number: cursor.optional("PartNumber", Cursor::text)?,
        serial: cursor.optional("SerialNumber", Cursor::text)?,
        level: cursor.required("Level", level)?,
        raw,
        origin,
    })
}

fn raw(cursor: &mut Cursor) -> Result<Raw, XmlError> {
    Ok(Raw {
        level: cursor.optional_attribute("rawLevel", SIGNED, number)?,
        capacity: cursor.optional_attribute("rawCapacity", SIGNED, number)?,
    })
}

fn confidence(cursor: &mut Cursor) -> Result<Confidence, XmlError> {
    Ok(cursor.optional_keyword("confidence", Confidence::from_keyword)?.unwrap_or_default())
}

fn tray(cursor: &mut Cursor, name: &str) -> Result<Tray, XmlError> {
    let raw = raw(cursor)?;
    Ok(Tray {
        index: token(cursor, "index")?,
        kind: match name {
            "InputTray" => TrayKind::Input(cursor.keyword("type", InputKind::from_keyword)?),
            _ => TrayKind::Output(cursor.keyword("type", OutputKind::from_keyword)?),
        },
        unit: cursor.keyword("unit", TrayUnit::from_keyword)?,
        capacity: cursor.optional_attribute("capacity", AMOUNT, number)?,
        status: cursor.optional_attribute("status", AMOUNT, number)?,
        name: cursor.required("Name", Cursor::text)?,
        description: cursor.optional("Description", Cursor::text)?,
        media: cursor.optional("Media", Cursor::text)?,
        level: cursor.required("Level", level)?,
        raw,
    })
}

fn level(cursor: &mut Cursor) -> Result<Level, XmlError> {
    const STATES: &str = "measured, empty, someLeft, nearlyEmpty, unknown or noLimit";
    let state = cursor.attribute("state", STATES, |word| match word {
        "measured" => Some(None),
        word => Level::from_keyword(word, None).map(Some),
    })?;
    match state {
        None => cursor.parsed_text("the measured level, a whole number from 1 to 4294967295", |text| {
            number(text).filter(|amount| *amount > 0).map(Level::Measured)
        }),
        Some(level) => {
            let expected = format!("nothing, because the state is {}", level.keyword());
            cursor.parsed_text(&expected, |text| text.is_empty().then_some(level))
        }
    }
}

fn counter(cursor: &mut Cursor) -> Result<Counter, XmlError> {
    Ok(Counter {
        service: cursor.keyword("service", Service::from_keyword)?,
        color: cursor.keyword("color", ColorUse::from_keyword)?,
        size: cursor.keyword("size", MediaSize::from_keyword)?,
        sides: cursor.keyword("sides", Sides::from_keyword)?,
        unit: cursor.keyword("unit", CounterUnit::from_keyword)?,
        basis: cursor.keyword("basis", Basis::from_keyword)?,
        source: token(cursor, "source")?,
        confidence: confidence(cursor)?,
        value: cursor.parsed_text(COUNT, number)?,
    })
}

const TOKEN: &str = "a text of at most 256 characters";
const MOMENT: &str = "a moment in UTC such as 2026-11-24T03:45:00Z";
const AMOUNT: &str = "a whole number from 0 to 4294967295";
const COUNT: &str = "a whole number from 0 to 18446744073709551615";
const SIGNED: &str = "a whole number of 64 bits";

/// A number as the schema has it: digits, with a minus before them where negative numbers are allowed.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn token(cursor: &mut Cursor, name: &str) -> Result<String, XmlError> {
    cursor.attribute(name, TOKEN, |text| Some(text.to_owned()))
}

fn device_id(cursor: &mut Cursor) -> Result<DeviceId, XmlError> {
    device_name(cursor, "id")
}

fn device_name(cursor: &mut Cursor, name: &str) -> Result<DeviceId, XmlError> {
    cursor.attribute(name, "1 to 128 printable ASCII characters without blanks", |text| DeviceId::new(text))
}

fn agent_id(cursor: &mut Cursor) -> Result<AgentId, XmlError> {
    cursor.attribute("agent", "32 hexadecimal digits in lower case", AgentId::parse)
}

fn fault_codes() -> String {
    FaultCode::KEYWORDS.map(|(_, word)| word).join(" or ")
}

fn report_id(cursor: &mut Cursor) -> Result<ReportId, XmlError> {
    Ok(ReportId {
        epoch: cursor.attribute("epoch", COUNT, number)?,
        sequence: cursor.attribute("sequence", COUNT, number)?,
    })
}
