//! From the data to the document. Never fails: what XML or the schema cannot carry is made to fit.
//!
//! Indented, because the customer is shown these very bytes; compression takes the blanks away again.

use std::borrow::Cow;

use jiff::Timestamp;
use xml::attribute::Attribute;
use xml::common::is_xml10_char;
use xml::name::Name;
use xml::namespace::{NS_NO_PREFIX, Namespace};
use xml::writer::{EmitterConfig, EventWriter, XmlEvent};

use super::cursor::collapse;
use super::{NAMESPACE, limits};
use crate::device::{Alert, Counter, DeviceRecord, Identity, Level, Raw, Status, Supply, Tray, TrayKind};
use crate::message::{
    Fault, RegisterForManagement, RegisterForManagementResponse, ReportId, Request, Response, SendReports,
    SendReportsResponse,
};
use crate::notes::{Event, Notes, Remark};
use crate::vocab::Confidence;

pub(super) fn request(request: &Request) -> Vec<u8> {
    document(|writer| match request {
        Request::RegisterForManagement(message) => register(writer, message),
        Request::SendReports(message) => send_reports(writer, message),
    })
}

pub(super) fn response(response: &Response) -> Vec<u8> {
    document(|writer| match response {
        Response::RegisterForManagementResponse(message) => register_response(writer, message),
        Response::SendReportsResponse(message) => send_reports_response(writer, message),
        Response::Fault(message) => fault(writer, message),
    })
}

pub(super) fn device(device: &DeviceRecord) -> Vec<u8> {
    document(|writer| record(writer, device))
}

fn register(writer: &mut Writer, message: &RegisterForManagement) {
    writer.element("RegisterForManagement", Attributes::new(), |writer| {
        writer.text_element("AgentName", &message.agent_name);
        writer.text_element("Software", &message.software);
        writer.text_element("PublicKey", &data_encoding::BASE64.encode(&message.public_key));
        writer.text_element("Token", &token(&message.token));
    });
}

fn register_response(writer: &mut Writer, message: &RegisterForManagementResponse) {
    let attributes = Attributes::new().with("agent", message.agent.as_str());
    writer.element("RegisterForManagementResponse", attributes, |writer| {
        writer.text_element("Customer", &message.customer);
        writer.text_element("Site", &message.site);
    });
}

fn send_reports(writer: &mut Writer, message: &SendReports) {
    let attributes = Attributes::new()
        .with("agent", message.agent.as_str())
        .report_id(message.id)
        .with("created", moment(message.created));
    writer.element("SendReports", attributes, |writer| {
        writer.text_element("AgentName", &message.agent_name);
        writer.text_element("Software", &message.software);
        for own in message.remarks.iter().take(limits::OWN_REMARKS) {
            remark(writer, own);
        }
        for same in &message.same {
            let attributes = Attributes::new().with("id", same.gone.as_str()).with("as", same.stays.as_str());
            writer.element("SameDevice", attributes, |_| {});
        }
        for device in &message.devices {
            record(writer, device);
        }
        for device in &message.removed {
            writer.element("RemovedDevice", Attributes::new().with("id", device.as_str()), |_| {});
        }
    });
}

fn send_reports_response(writer: &mut Writer, message: &SendReportsResponse) {
    let attributes = Attributes::new().report_id(message.id).with("receipt", message.receipt.keyword());
    writer.element("SendReportsResponse", attributes, |_| {});
}

fn fault(writer: &mut Writer, message: &Fault) {
    writer.element("Fault", Attributes::new().with("code", message.code.keyword()), |writer| {
        writer.text(&message.message);
    });
}

fn record(writer: &mut Writer, device: &DeviceRecord) {
    let attributes = Attributes::new()
        .with("id", device.id.as_str())
        .with("address", token(&device.address))
        .with("readAt", moment(device.read_at))
        .with_some("silentSince", device.silent_since.map(moment));
    writer.element("Device", attributes, |writer| {
        if let Some(group) = &device.identity {
            identity(writer, group);
        }
        if let Some(group) = &device.status {
            status(writer, group);
        }
        if let Some(group) = &device.supplies {
            writer.list("MarkerSupplies", group, limits::SUPPLIES, supply);
        }
        if let Some(group) = &device.trays {
            writer.list("Trays", group, limits::TRAYS, tray);
        }
        if let Some(group) = &device.counters {
            writer.list("Counters", group, limits::COUNTERS, counter);
        }
        if let Some(group) = &device.notes {
            notes(writer, group);
        }
        for happening in device.events.iter().take(limits::EVENTS) {
            event(writer, happening);
        }
    });
}

fn notes(writer: &mut Writer, notes: &Notes) {
    writer.element("Notes", Attributes::new(), |writer| {
        for row in notes.remarks.iter().take(limits::REMARKS) {
            remark(writer, row);
        }
        for question in notes.questions.iter().take(limits::QUESTIONS) {
            let attributes = Attributes::new()
                .with("doubt", keyword(question.doubt.keyword()))
                .with("older", question.older.as_str())
                .with("askedAt", moment(question.asked_at));
            writer.element("Question", attributes, |_| {});
        }
    });
}

fn remark(writer: &mut Writer, remark: &Remark) {
    let attributes =
        Attributes::new().with("code", keyword(remark.code.keyword())).with_some("since", remark.since.map(moment));
    writer.element("Remark", attributes, |writer| writer.text(&remark.text));
}

fn event(writer: &mut Writer, event: &Event) {
    let attributes = Attributes::new().with("kind", keyword(event.kind.keyword())).with("at", moment(event.at));
    writer.element("Event", attributes, |writer| {
        for (name, text) in [("Before", &event.before), ("After", &event.after)] {
            writer.optional_text_element(name, Some(text.as_str()).filter(|text| !text.is_empty()));
        }
    });
}

fn identity(writer: &mut Writer, identity: &Identity) {
    writer.element("Identity", Attributes::new(), |writer| {
        writer.optional_text_element("Manufacturer", identity.manufacturer.as_deref());
        writer.optional_text_element("Model", identity.model.as_deref());
        writer.optional_text_element("SerialNumber", identity.serial.as_deref());
        writer.optional_text_element("Firmware", identity.firmware.as_deref());
        writer.optional_text_element("HostName", identity.host_name.as_deref());
        writer.optional_text_element("MacAddress", identity.mac.as_deref());
        writer.optional_text_element("Location", identity.location.as_deref());
        writer.optional_text_element("Contact", identity.contact.as_deref());
        writer.optional_text_element("SysObjectId", identity.sys_object_id.as_deref());
        writer.optional_text_element("Description", identity.description.as_deref());
        writer.optional_text_element("Profile", identity.profile.as_deref());
        for origin in identity.sources.iter().take(limits::SOURCES) {
            let attributes = Attributes::new()
                .with("field", keyword(origin.field.keyword()))
                .with("source", token(&origin.source))
                .with_some("confidence", confidence(&origin.confidence));
            writer.element("Source", attributes, |_| {});
        }
    });
}

fn status(writer: &mut Writer, status: &Status) {
    let attributes = Attributes::new()
        .with_some("printer", status.printer.as_ref().map(|state| keyword(state.keyword())))
        .with_some("device", status.device.as_ref().map(|state| keyword(state.keyword())));
    writer.element("Status", attributes, |writer| {
        for error in status.errors.iter().take(limits::ERRORS) {
            writer.element("DetectedError", Attributes::new().with("condition", keyword(error.keyword())), |_| {});
        }
        for line in status.console.iter().take(limits::CONSOLE_LINES) {
            writer.text_element("ConsoleLine", line);
        }
        for row in status.alerts.iter().take(limits::ALERTS) {
            alert(writer, row);
        }
    });
}

fn alert(writer: &mut Writer, alert: &Alert) {
    let attributes = Attributes::new()
        .with("severity", keyword(alert.severity.keyword()))
        .with("group", keyword(alert.group.keyword()))
        .with_some("groupIndex", alert.group_index.map(|index| index.to_string()))
        .with_some("code", alert.code.map(|code| code.to_string()));
    writer.element("Alert", attributes, |writer| writer.text(&alert.description));
}

fn supply(writer: &mut Writer, supply: &Supply) {
    let attributes = Attributes::new()
        .with("index", token(&supply.index))
        .with("type", keyword(supply.kind.keyword()))
        .with("class", keyword(supply.class.keyword()))
        .with_some("color", supply.color.as_ref().map(|color| keyword(color.keyword())))
        .with("unit", keyword(supply.unit.keyword()))
        .with_some("capacity", supply.capacity.map(|capacity| capacity.to_string()))
        .raw(supply.raw)
        .with_some("source", supply.origin.source.as_ref().map(|source| token(source)))
        .with_some("confidence", confidence(&supply.origin.confidence));
    writer.element("Supply", attributes, |writer| {
        writer.text_element("Description", &supply.description);
        writer.optional_text_element("PartNumber", supply.part_number.as_deref());
        writer.optional_text_element("SerialNumber", supply.serial.as_deref());
        level(writer, supply.level);
    });
}

fn tray(writer: &mut Writer, tray: &Tray) {
    let (name, kind) = match &tray.kind {
        TrayKind::Input(kind) => ("InputTray", kind.keyword()),
        TrayKind::Output(kind) => ("OutputTray", kind.keyword()),
    };
    let attributes = Attributes::new()
        .with("index", token(&tray.index))
        .with("type", keyword(kind))
        .with("unit", keyword(tray.unit.keyword()))
        .with_some("capacity", tray.capacity.map(|capacity| capacity.to_string()))
        .with_some("status", tray.status.map(|status| status.to_string()))
        .raw(tray.raw);
    writer.element(name, attributes, |writer| {
        writer.text_element("Name", &tray.name);
        writer.optional_text_element("Description", tray.description.as_deref());
        writer.optional_text_element("Media", tray.media.as_deref());
        level(writer, tray.level);
    });
}

fn level(writer: &mut Writer, level: Level) {
    // A measured nought is "empty", so that one fact has one form.
    let (level, amount) = match level {
        Level::Measured(0) => (Level::Empty, None),
        Level::Measured(amount) => (level, Some(amount.to_string())),
        level => (level, None),
    };
    writer.element("Level", Attributes::new().with("state", level.keyword()), |writer| {
        if let Some(amount) = amount {
            writer.text(&amount);
        }
    });
}

fn counter(writer: &mut Writer, counter: &Counter) {
    let attributes = Attributes::new()
        .with("service", keyword(counter.service.keyword()))
        .with("color", keyword(counter.color.keyword()))
        .with("size", keyword(counter.size.keyword()))
        .with("sides", keyword(counter.sides.keyword()))
        .with("unit", keyword(counter.unit.keyword()))
        .with("basis", keyword(counter.basis.keyword()))
        .with("source", token(&counter.source))
        .with_some("confidence", confidence(&counter.confidence));
    writer.element("Counter", attributes, |writer| writer.text(&counter.value.to_string()));
}

/// The confidence, where it is less than that of a standard table.
fn confidence(confidence: &Confidence) -> Option<Cow<'_, str>> {
    (*confidence != Confidence::Verified).then(|| keyword(confidence.keyword()))
}

/// The attributes of one element, in the order in which they are written.
struct Attributes<'a>(Vec<(&'static str, Cow<'a, str>)>);

impl<'a> Attributes<'a> {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn with(mut self, name: &'static str, value: impl Into<Cow<'a, str>>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    fn raw(self, raw: Raw) -> Self {
        self.with_some("rawLevel", raw.level.map(|level| level.to_string()))
            .with_some("rawCapacity", raw.capacity.map(|capacity| capacity.to_string()))
    }

    fn with_some(self, name: &'static str, value: Option<impl Into<Cow<'a, str>>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn report_id(self, id: ReportId) -> Self {
        self.with("epoch", id.epoch.to_string()).with("sequence", id.sequence.to_string())
    }
}

fn document(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let config = EmitterConfig::new().perform_indent(true).pad_self_closing(false).keep_element_names_stack(false);
    let mut writer = Writer { events: EventWriter::new_with_config(Vec::new(), config), at_root: true };
    write(&mut writer);
    let mut document = writer.events.into_inner();
    document.push(b'\n');
    document
}

/// Writes elements into memory.
struct Writer {
    events: EventWriter<Vec<u8>>,
    at_root: bool,
}

impl Writer {
    fn element(&mut self, name: &'static str, attributes: Attributes, content: impl FnOnce(&mut Self)) {
        let mut namespace = Namespace::empty();
        if self.at_root {
            namespace.put(NS_NO_PREFIX, NAMESPACE);
            self.at_root = false;
        }
        let attributes: Vec<_> =
            attributes.0.iter().map(|(name, value)| Attribute::new(Name::local(name), value)).collect();
        self.put(XmlEvent::StartElement {
            name: Name::local(name),
            attributes: Cow::Borrowed(&attributes),
            namespace: Cow::Owned(namespace),
        });
        content(self);
        self.put(XmlEvent::EndElement { name: Some(Name::local(name)) });
    }

    fn list<T>(&mut self, name: &'static str, rows: &[T], limit: usize, write: impl Fn(&mut Self, &T)) {
        self.element(name, Attributes::new(), |writer| {
            for row in rows.iter().take(limit) {
                write(writer, row);
            }
        });
    }

    fn text_element(&mut self, name: &'static str, content: &str) {
        self.element(name, Attributes::new(), |writer| writer.text(content));
    }

    fn optional_text_element(&mut self, name: &'static str, content: Option<&str>) {
        if let Some(content) = content {
            self.text_element(name, content);
        }
    }

    /// A text, without what XML cannot carry, cut to its limit. A carriage return would be read as a line feed.
    fn text(&mut self, content: &str) {
        let content = cut(sound(content), limits::TEXT);
        for (index, piece) in content.split('\r').enumerate() {
            if index > 0 {
                self.put(XmlEvent::RawCharacters("&#xD;"));
            }
            if !piece.is_empty() {
                self.put(XmlEvent::Characters(piece));
            }
        }
    }

    fn put(&mut self, event: XmlEvent<'_>) {
        self.events.write(event).expect("writing to memory does not fail, and every element that is opened is closed");
    }
}

/// An index, address, version or source: without blanks around, cut to its limit.
fn token(text: &str) -> Cow<'_, str> {
    cut_token(text, limits::TOKEN)
}

/// A keyword: as a token, but never empty.
fn keyword(text: &str) -> Cow<'_, str> {
    match cut_token(text, limits::KEYWORD) {
        empty if empty.is_empty() => Cow::Borrowed("unknown"),
        keyword => keyword,
    }
}

fn cut_token(text: &str, limit: usize) -> Cow<'_, str> {
    let plain = text.len() <= limit && text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain {
        return Cow::Borrowed(text);
    }
    let cut = cut(Cow::Owned(collapse(&sound(text))), limit);
    Cow::Owned(cut.trim_end_matches(' ').to_owned())
}

/// Without the characters that XML 1.0 cannot carry in any form: each becomes U+FFFD.
fn sound(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_xml10_char) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|character| if is_xml10_char(character) { character } else { '\u{fffd}' }).collect())
}

fn cut(text: Cow<'_, str>, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit || text.chars().nth(limit).is_none() {
        return text;
    }
    Cow::Owned(text.chars().take(limit).collect())
}

/// A moment as the schema has it, which knows the years 1 to 9999 only.
fn moment(moment: Timestamp) -> String {
    moment.max(FIRST_MOMENT).to_string()
}

/// 0001-01-01T00:00:00Z.
const FIRST_MOMENT: Timestamp = Timestamp::constant(-62_135_596_800, 0);
