//! The schema against the program: same words, same numbers, and a word of explanation on everything.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may")]

use std::collections::BTreeMap;
use std::fs;

use wire::device::Level;
use wire::message::{FaultCode, Receipt, SendReports};
use wire::vocab::{
    AlertGroup, AlertSeverity, Basis, ColorUse, Colorant, Confidence, CounterUnit, DetectedError, DeviceState,
    DoubtKind, EventKind, IdentityField, InputKind, MediaSize, OutputKind, PrinterState, RemarkCode, Service, Sides,
    SupplyClass, SupplyKind, SupplyUnit, TrayUnit,
};
use wire::xml::{NAMESPACE, limits};
use xml::reader::{EventReader, XmlEvent};

/// What the tests ask of the schema.
#[derive(Default)]
struct Schema {
    namespace: String,
    /// Words of each simple type that has some, in their order.
    enumerations: BTreeMap<String, Vec<String>>,
    /// Simple types that take any keyword besides.
    open: Vec<String>,
    /// `type/facet` → value.
    facets: BTreeMap<String, String>,
    /// `type/element` → most occurrences; a choice has no name.
    occurrences: BTreeMap<String, String>,
    /// Declarations without documentation.
    silent: Vec<String>,
}

fn schema() -> Schema {
    let text = fs::read_to_string("schema/druckwart-2026-11.xsd").unwrap();
    let mut schema = Schema::default();
    // Open declarations: name or reference, and whether documentation was seen.
    let mut open: Vec<(String, bool)> = Vec::new();
    for event in EventReader::new(text.as_bytes()) {
        match event.unwrap() {
            XmlEvent::StartElement { name, attributes, .. } => {
                let attribute = |wanted: &str| {
                    let found = attributes.iter().find(|attribute| attribute.name.local_name == wanted);
                    found.map(|attribute| attribute.value.clone())
                };
                let top = open.get(1).map(|(name, _)| name.clone()).unwrap_or_default();
                let own = attribute("name").or(attribute("ref")).unwrap_or_default();
                match name.local_name.as_str() {
                    "schema" => schema.namespace = attribute("targetNamespace").unwrap(),
                    "documentation" => open.iter_mut().rev().nth(1).unwrap().1 = true,
                    "enumeration" => schema.enumerations.entry(top).or_default().push(attribute("value").unwrap()),
                    "union" if attribute("memberTypes").as_deref() == Some("w:Keyword") => schema.open.push(top),
                    facet @ ("minLength" | "maxLength") => {
                        schema.facets.insert(format!("{top}/{facet}"), attribute("value").unwrap());
                    }
                    "element" | "choice" if attribute("maxOccurs").is_some() => {
                        schema.occurrences.insert(format!("{top}/{own}"), attribute("maxOccurs").unwrap());
                    }
                    _ => {}
                }
                let described = ["schema", "element", "attribute", "complexType", "simpleType"];
                let needs_words = described.contains(&name.local_name.as_str()) && !(own.is_empty() && open.len() > 1);
                open.push((own, !needs_words));
            }
            XmlEvent::EndElement { .. } => {
                let (name, documented) = open.pop().unwrap();
                if !documented {
                    schema.silent.push(name);
                }
            }
            _ => {}
        }
    }
    schema
}

#[test]
fn the_vocabularies_are_the_same() {
    let mut schema = schema();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let open = [
        ("SupplyKind", SupplyKind::KEYWORDS),
        ("SupplyClass", SupplyClass::KEYWORDS),
        ("SupplyUnit", SupplyUnit::KEYWORDS),
        ("TrayUnit", TrayUnit::KEYWORDS),
        ("InputKind", InputKind::KEYWORDS),
        ("OutputKind", OutputKind::KEYWORDS),
        ("PrinterState", PrinterState::KEYWORDS),
        ("DeviceState", DeviceState::KEYWORDS),
        ("DetectedError", DetectedError::KEYWORDS),
        ("AlertSeverity", AlertSeverity::KEYWORDS),
        ("AlertGroup", AlertGroup::KEYWORDS),
        ("Colorant", Colorant::KEYWORDS),
        ("Service", Service::KEYWORDS),
        ("ColorUse", ColorUse::KEYWORDS),
        ("MediaSize", MediaSize::KEYWORDS),
        ("Sides", Sides::KEYWORDS),
        ("CounterUnit", CounterUnit::KEYWORDS),
        ("Basis", Basis::KEYWORDS),
        ("Confidence", Confidence::KEYWORDS),
        ("IdentityField", IdentityField::KEYWORDS),
        ("RemarkCode", RemarkCode::KEYWORDS),
        ("Doubt", DoubtKind::KEYWORDS),
        ("EventKind", EventKind::KEYWORDS),
    ];
    for (name, keywords) in open {
        assert_eq!(schema.enumerations.remove(name), Some(words(keywords)), "{name}");
        assert!(schema.open.iter().any(|open| open == name), "{name} takes no other keyword");
    }
    let levels =
        [Level::Measured(1), Level::Empty, Level::SomeLeft, Level::NearlyEmpty, Level::Unknown, Level::NoLimit];
    let closed = [
        ("LevelState", words(&levels.map(Level::keyword))),
        ("FaultCode", words(&FaultCode::KEYWORDS.map(|(_, word)| word))),
        ("Receipt", words(&[Receipt::Accepted, Receipt::Duplicate].map(Receipt::keyword))),
    ];
    for (name, keywords) in closed {
        assert_eq!(schema.enumerations.remove(name), Some(keywords), "{name}");
        assert!(schema.open.iter().all(|open| open != name), "{name} takes other keywords");
    }
    assert!(schema.enumerations.is_empty(), "only the schema has {:?}", schema.enumerations.keys());
}

#[test]
fn the_numbers_are_the_same() {
    let schema = schema();
    let numbers = |entries: &[(&str, usize)]| {
        entries.iter().map(|(name, number)| ((*name).to_owned(), number.to_string())).collect::<BTreeMap<_, _>>()
    };
    let facets = [
        ("Keyword/maxLength", limits::KEYWORD),
        ("Keyword/minLength", 1),
        ("Text/maxLength", limits::TEXT),
        ("Token/maxLength", limits::TOKEN),
    ];
    assert_eq!(schema.facets, numbers(&facets));
    let occurrences = [
        ("SendReports/Remark", limits::OWN_REMARKS),
        ("SendReports/SameDevice", limits::SAME),
        ("Notes/Remark", limits::REMARKS),
        ("Notes/Question", limits::QUESTIONS),
        ("Device/Event", limits::EVENTS),
        ("SendReports/w:Device", SendReports::MAX_DEVICES),
        ("SendReports/RemovedDevice", limits::REMOVED),
        ("Identity/Source", limits::SOURCES),
        ("Status/DetectedError", limits::ERRORS),
        ("Status/ConsoleLine", limits::CONSOLE_LINES),
        ("Status/Alert", limits::ALERTS),
        ("MarkerSupplies/Supply", limits::SUPPLIES),
        ("Trays/", limits::TRAYS),
        ("Counters/Counter", limits::COUNTERS),
    ];
    assert_eq!(schema.occurrences, numbers(&occurrences));
    assert_eq!(schema.namespace, NAMESPACE);
}

#[test]
fn everything_is_explained() {
    assert_eq!(schema().silent, Vec::<String>::new());
}
