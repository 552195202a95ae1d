//! What holds for all messages and all octets: what is written is read again as it was, and nothing panics.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may")]

mod common;

use common::{Document, device_id, examples};
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use wire::device::{
    Alert, Counter, DeviceRecord, FieldSource, Identity, Level, Origin, Raw, Status, Supply, Tray, TrayKind,
};
use wire::message::{
    AgentId, Fault, FaultCode, Receipt, RegisterForManagement, RegisterForManagementResponse, ReportId, Request,
    Response, SendReports, SendReportsResponse,
};
use wire::notes::{Event, Notes, Question, Remark, SameDevice};
use wire::vocab::{
    AlertGroup, AlertSeverity, Basis, ColorUse, Colorant, Confidence, CounterUnit, DetectedError, DeviceState,
    DoubtKind, EventKind, IdentityField, InputKind, MediaSize, OutputKind, PrinterState, RemarkCode, Service, Sides,
    SupplyClass, SupplyKind, SupplyUnit, TrayUnit,
};
use wire::xml;

/// How the strings, levels and moments of a message are made.
#[derive(Clone)]
struct Making {
    text: BoxedStrategy<String>,
    token: BoxedStrategy<String>,
    keyword: BoxedStrategy<String>,
    level: BoxedStrategy<Level>,
    moment: BoxedStrategy<Timestamp>,
}

impl Making {
    /// In the form in which they are read: such messages have to come back unchanged.
    fn readable() -> Self {
        let sound = |character: char| match character {
            '\t' | '\n' | '\r' => character,
            '\0'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            other => other,
        };
        let text = rough_text().prop_map(move |text| text.chars().map(sound).collect::<String>());
        let token = text.clone().prop_map(|text| {
            text.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
        });
        let keyword = token.clone().prop_map(|token| if token.is_empty() { "17".to_owned() } else { token });
        let level = select(vec![Level::Empty, Level::SomeLeft, Level::NearlyEmpty, Level::Unknown, Level::NoLimit]);
        Self {
            text: text.boxed(),
            token: token.boxed(),
            keyword: keyword.boxed(),
            level: prop_oneof![(1..=u32::MAX).prop_map(Level::Measured), level].boxed(),
            moment: (-62_135_596_800_i64..253_402_207_200, 0..1_000_000_000)
                .prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap())
                .boxed(),
        }
    }

    /// As the types allow.
    fn rough() -> Self {
        let moments = [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX].to_vec();
        Self {
            text: prop_oneof![9 => rough_text(), 1 => Just("x&\u{1f5a8}".repeat(700))].boxed(),
            token: rough_text().boxed(),
            keyword: rough_text().boxed(),
            level: any::<u32>().prop_map(|amount| Level::Measured(amount % 3)).boxed(),
            moment: select(moments).boxed(),
        }
    }

    fn identity(&self) -> impl Strategy<Value = Identity> + use<> {
        let source = (
            self.words(IdentityField::KEYWORDS, IdentityField::from_keyword),
            self.token.clone(),
            self.words(Confidence::KEYWORDS, Confidence::from_keyword),
        )
            .prop_map(|(field, source, confidence)| FieldSource { field, source, confidence });
        (vec(option::of(self.text.clone()), 11), vec(source, 0..3)).prop_map(|(texts, sources)| {
            let mut texts = texts.into_iter();
            let mut next = || texts.next().flatten();
            Identity {
                manufacturer: next(),
                model: next(),
                serial: next(),
                firmware: next(),
                host_name: next(),
                mac: next(),
                location: next(),
                contact: next(),
                sys_object_id: next(),
                description: next(),
                profile: next(),
                sources,
            }
        })
    }

    fn words<T: std::fmt::Debug + Clone + 'static>(
        &self,
        keywords: &'static [&'static str],
        from_keyword: fn(&str) -> T,
    ) -> BoxedStrategy<T> {
        let any = prop_oneof![select(keywords).prop_map(str::to_owned), self.keyword.clone()];
        any.prop_map(move |word| from_keyword(&word)).boxed()
    }

    fn status(&self) -> impl Strategy<Value = Status> + use<> {
        let alert = (
            self.words(AlertSeverity::KEYWORDS, AlertSeverity::from_keyword),
            self.words(AlertGroup::KEYWORDS, AlertGroup::from_keyword),
            any::<Option<i64>>(),
            any::<Option<i64>>(),
            self.text.clone(),
        )
            .prop_map(|(severity, group, group_index, code, description)| Alert {
                severity,
                group,
                group_index,
                code,
                description,
            });
        (
            option::of(self.words(PrinterState::KEYWORDS, PrinterState::from_keyword)),
            option::of(self.words(DeviceState::KEYWORDS, DeviceState::from_keyword)),
            vec(self.words(DetectedError::KEYWORDS, DetectedError::from_keyword), 0..3),
            vec(self.text.clone(), 0..3),
            vec(alert, 0..3),
        )
            .prop_map(|(printer, device, errors, console, alerts)| Status {
                printer,
                device,
                errors,
                console,
                alerts,
            })
    }

    fn origin(&self) -> impl Strategy<Value = Origin> + use<> {
        let confidence = self.words(Confidence::KEYWORDS, Confidence::from_keyword);
        (option::of(self.token.clone()), confidence).prop_map(|(source, confidence)| Origin { source, confidence })
    }

    fn supply(&self) -> impl Strategy<Value = Supply> + use<> {
        (
            self.token.clone(),
            self.words(SupplyKind::KEYWORDS, SupplyKind::from_keyword),
            self.words(SupplyClass::KEYWORDS, SupplyClass::from_keyword),
            option::of(self.words(Colorant::KEYWORDS, Colorant::from_keyword)),
            self.text.clone(),
            option::of(self.text.clone()),
            option::of(self.text.clone()),
            self.words(SupplyUnit::KEYWORDS, SupplyUnit::from_keyword),
            (any::<Option<u32>>(), self.level.clone(), raw(), self.origin()),
        )
            .prop_map(
                |(
                    index,
                    kind,
                    class,
                    color,
                    description,
                    part_number,
                    serial,
                    unit,
                    (capacity, level, raw, origin),
                )| Supply {
                    index,
                    kind,
                    class,
                    color,
                    description,
                    part_number,
                    serial,
                    unit,
                    capacity,
                    level,
                    raw,
                    origin,
                },
            )
    }

    fn tray(&self) -> impl Strategy<Value = Tray> + use<> {
        let kind = prop_oneof![
            self.words(InputKind::KEYWORDS, InputKind::from_keyword).prop_map(TrayKind::Input),
            self.words(OutputKind::KEYWORDS, OutputKind::from_keyword).prop_map(TrayKind::Output),
        ];
        (
            self.token.clone(),
            kind,
            self.text.clone(),
            option::of(self.text.clone()),
            option::of(self.text.clone()),
            self.words(TrayUnit::KEYWORDS, TrayUnit::from_keyword),
            any::<Option<u32>>(),
            self.level.clone(),
            any::<Option<u32>>(),
            raw(),
        )
            .prop_map(|(index, kind, name, description, media, unit, capacity, level, status, raw)| Tray {
                index,
                kind,
                name,
                description,
                media,
                unit,
                capacity,
                level,
                status,
                raw,
            })
    }

    fn counter(&self) -> impl Strategy<Value = Counter> + use<> {
        (
            self.words(Service::KEYWORDS, Service::from_keyword),
            self.words(ColorUse::KEYWORDS, ColorUse::from_keyword),
            self.words(MediaSize::KEYWORDS, MediaSize::from_keyword),
            self.words(Sides::KEYWORDS, Sides::from_keyword),
            self.words(CounterUnit::KEYWORDS, CounterUnit::from_keyword),
            self.words(Basis::KEYWORDS, Basis::from_keyword),
            any::<u64>(),
            self.token.clone(),
            self.words(Confidence::KEYWORDS, Confidence::from_keyword),
        )
            .prop_map(|(service, color, size, sides, unit, basis, value, source, confidence)| Counter {
                service,
                color,
                size,
                sides,
                unit,
                basis,
                value,
                source,
                confidence,
            })
    }

    fn device(&self) -> impl Strategy<Value = DeviceRecord> + use<> {
        (
            "[!-~]{1,128}",
            self.token.clone(),
            self.moment.clone(),
            option::of(self.moment.clone()),
            option::of(self.identity()),
            option::of(self.status()),
            option::of(vec(self.supply(), 0..3)),
            option::of(vec(self.tray(), 0..3)),
            (option::of(vec(self.counter(), 0..3)), option::of(self.notes()), vec(self.event(), 0..3)),
        )
            .prop_map(|(id, address, read_at, silent_since, identity, status, supplies, trays, rest)| {
                let (counters, notes, events) = rest;
                DeviceRecord {
                    id: device_id(&id),
                    address,
                    read_at,
                    silent_since,
                    identity,
                    status,
                    supplies,
                    trays,
                    counters,
                    notes,
                    events,
                }
            })
    }

    fn remark(&self) -> impl Strategy<Value = Remark> + use<> {
        let code = self.words(RemarkCode::KEYWORDS, RemarkCode::from_keyword);
        (code, option::of(self.moment.clone()), self.text.clone()).prop_map(|(code, since, text)| Remark {
            code,
            since,
            text,
        })
    }

    fn notes(&self) -> impl Strategy<Value = Notes> + use<> {
        let doubt = self.words(DoubtKind::KEYWORDS, DoubtKind::from_keyword);
        let question = (doubt, "[!-~]{1,128}", self.moment.clone()).prop_map(|(doubt, older, asked_at)| Question {
            doubt,
            older: device_id(&older),
            asked_at,
        });
        (vec(self.remark(), 0..3), vec(question, 0..3)).prop_map(|(remarks, questions)| Notes { remarks, questions })
    }

    fn event(&self) -> impl Strategy<Value = Event> + use<> {
        let kind = self.words(EventKind::KEYWORDS, EventKind::from_keyword);
        (kind, self.moment.clone(), self.text.clone(), self.text.clone()).prop_map(|(kind, at, before, after)| Event {
            kind,
            at,
            before,
            after,
        })
    }

    fn document(&self) -> impl Strategy<Value = Document> + use<> {
        let agent = || any::<[u8; 32]>().prop_map(|key| AgentId::of_key(&key));
        let report_id = || any::<(u64, u64)>().prop_map(|(epoch, sequence)| ReportId { epoch, sequence });
        let registration = (self.token.clone(), any::<[u8; 32]>(), self.text.clone(), self.text.clone()).prop_map(
            |(token, public_key, agent_name, software)| {
                let message = RegisterForManagement { token, public_key, agent_name, software };
                Document::Request(Request::RegisterForManagement(message))
            },
        );
        let report = (
            (agent(), report_id(), self.moment.clone(), self.text.clone(), self.text.clone()),
            vec(self.device(), 0..3),
            vec("[!-~]{1,128}".prop_map(|id| device_id(&id)), 0..3),
            vec(self.remark(), 0..3),
            vec(("[!-~]{1,128}", "[!-~]{1,128}"), 0..3),
        )
            .prop_map(|((agent, id, created, agent_name, software), devices, removed, remarks, same)| {
                let pair =
                    |(gone, stays): (String, String)| SameDevice { gone: device_id(&gone), stays: device_id(&stays) };
                let same = same.into_iter().map(pair).collect();
                let message = SendReports { agent, id, created, agent_name, software, remarks, same, devices, removed };
                Document::Request(Request::SendReports(message))
            });
        let welcome = (agent(), self.text.clone(), self.text.clone()).prop_map(|(agent, customer, site)| {
            let message = RegisterForManagementResponse { agent, customer, site };
            Document::Response(Response::RegisterForManagementResponse(message))
        });
        let receipt = (report_id(), select(vec![Receipt::Accepted, Receipt::Duplicate])).prop_map(|(id, receipt)| {
            Document::Response(Response::SendReportsResponse(SendReportsResponse { id, receipt }))
        });
        let fault = (select(&FaultCode::KEYWORDS[..]), self.text.clone())
            .prop_map(|((code, _), message)| Document::Response(Response::Fault(Fault { code, message })));
        let device = self.device().prop_map(Document::Device);
        prop_oneof![1 => registration, 4 => report, 1 => welcome, 1 => receipt, 1 => fault, 4 => device]
    }
}

/// Any characters, the awkward ones more often.
fn raw() -> impl Strategy<Value = Raw> {
    any::<(Option<i64>, Option<i64>)>().prop_map(|(level, capacity)| Raw { level, capacity })
}

fn rough_text() -> BoxedStrategy<String> {
    let awkward: Vec<char> = "<>&\"';] \t\n\r\0\u{b}\u{7f}\u{85}\u{a0}\u{2028}\u{feff}\u{fffe}".chars().collect();
    let character = prop_oneof![3 => select(awkward), 2 => proptest::char::range('a', 'z'), 1 => any::<char>()];
    prop_oneof![8 => vec(character, 0..20).prop_map(String::from_iter), 1 => "[0-9]{1,3}", 1 => "]]>|&amp;|&#65;"]
        .boxed()
}

/// One change to the octets of a document.
#[derive(Debug, Clone)]
enum Change {
    Octet(Index, u8),
    Remove(Index, u8),
    Repeat(Index, u8),
    Insert(Index, &'static str),
}

impl Change {
    fn any() -> impl Strategy<Value = Self> {
        let pieces = [
            "<",
            ">",
            "/>",
            "&",
            "&amp;",
            "&#0;",
            "&#x10FFFF;",
            "\"",
            "'",
            "=",
            "<a>",
            "</a>",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "<?a ?>",
            "<?xml version=\"1.1\"?>",
            "<!DOCTYPE a>",
            "<!DOCTYPE a [",
            "<!ENTITY",
            " xmlns=\"\"",
            " xmlns:a=\"b\"",
            " a:b=\"c\"",
            ":",
            "\u{feff}",
            "\u{ffff}",
            "\0",
            "-1",
            "99999999999999999999",
            "</Device>",
        ];
        prop_oneof![
            (any::<Index>(), any::<u8>()).prop_map(|(at, octet)| Self::Octet(at, octet)),
            (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Self::Remove(at, count)),
            (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Self::Repeat(at, count)),
            (any::<Index>(), select(pieces.to_vec())).prop_map(|(at, piece)| Self::Insert(at, piece)),
        ]
    }

    fn apply(self, document: &mut Vec<u8>) {
        let place = |at: Index| at.index(document.len().max(1));
        let range = |at: Index, count: u8| place(at)..(place(at) + usize::from(count)).min(document.len());
        match self {
            _ if document.is_empty() => {}
            Self::Octet(at, octet) => {
                let at = place(at);
                document[at] = octet;
            }
            Self::Remove(at, count) => {
                let range = range(at, count);
                document.drain(range);
            }
            Self::Repeat(at, count) => {
                let range = range(at, count);
                let piece = document[range.clone()].to_vec();
                document.splice(range.start..range.start, piece);
            }
            Self::Insert(at, piece) => {
                let at = place(at);
                document.splice(at..at, piece.bytes());
            }
        }
    }
}

/// Whatever is understood can be written, and is understood again as the same.
fn understood_or_refused(document: &[u8]) {
    let understood = [
        xml::decode_request(document).map(Document::Request),
        xml::decode_response(document).map(Document::Response),
        xml::decode_device(document).map(Document::Device),
    ];
    for result in understood {
        match result {
            Ok(understood) => {
                let again = understood.decode_alike(&understood.encode());
                assert_eq!(again.as_ref(), Ok(&understood));
            }
            Err(error) => assert!(error.to_string().len() < 2_000, "a long message: {error}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_message_comes_back_as_itself(message in Making::readable().document()) {
        let read = message.decode_alike(&message.encode());
        prop_assert_eq!(read, Ok(message));
    }

    #[test]
    fn any_message_can_be_written_and_what_is_read_is_what_was_written(message in Making::rough().document()) {
        let written = message.encode();
        match message.decode_alike(&written) {
            Ok(read) => prop_assert_eq!(read.encode(), written),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn no_octets_cause_a_panic(octets in vec(any::<u8>(), 0..300), text in "[<>&;/a='\" \\-!?\\[\\]x:]{0,60}") {
        understood_or_refused(&octets);
        understood_or_refused(text.as_bytes());
        understood_or_refused(format!("<Device xmlns=\"{}\">{text}", xml::NAMESPACE).as_bytes());
    }

    #[test]
    fn no_change_to_a_document_causes_a_panic(which in any::<Index>(), changes in vec(Change::any(), 1..6)) {
        let examples = examples();
        let mut document = which.get(&examples).1.encode();
        changes.into_iter().for_each(|change| change.apply(&mut document));
        understood_or_refused(&document);
    }
}
