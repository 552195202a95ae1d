//! Replies of one printer to a [`Snapshot`]: the same model that a reading over SNMP fills.

use std::collections::BTreeMap;

use wire::device::{Counter, Identity, Level, Origin, Raw, Snapshot, Status, Supply, Tray, TrayKind};
use wire::vocab::{
    Basis, ColorUse, Colorant, Confidence, CounterUnit, DetectedError, DeviceState, InputKind, MediaSize, PrinterState,
    Service, Sides, SupplyClass, SupplyKind, SupplyUnit, TrayUnit,
};

use super::pcl::Readback;
use super::reply::Reply;
use super::status;
use crate::profile::without_maker;

/// Most supplies and trays of one printer.
const MAX_ROWS: usize = 64;

/// What a printer is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "`words` says what each is")]
pub enum Question {
    Id,
    Status,
    PageCount,
    Supplies,
    SerialNumber,
    ProductInfo,
    Config,
    Variables,
}

impl Question {
    /// All of them, the most important first.
    pub const ALL: [Self; 8] = [
        Self::Status,
        Self::PageCount,
        Self::Id,
        Self::Supplies,
        Self::SerialNumber,
        Self::ProductInfo,
        Self::Config,
        Self::Variables,
    ];

    /// The command behind `@PJL`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Id => "INFO ID",
            Self::Status => "INFO STATUS",
            Self::PageCount => "INFO PAGECOUNT",
            Self::Supplies => "INFO SUPPLIES",
            Self::SerialNumber => "INFO SERIALNUMBER",
            Self::ProductInfo => "INFO PRODINFO",
            Self::Config => "INFO CONFIG",
            Self::Variables => "INFO VARIABLES",
        }
    }
}

/// All that one conversation with a printer brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answers {
    /// Maker, from the device id.
    pub manufacturer: Option<String>,
    /// Model, from the device id.
    pub model: Option<String>,
    /// Serial number, from the USB descriptor or the device id.
    pub serial: Option<String>,
    /// The name that an administrator has given.
    pub name: Option<String>,
    /// The octet of GET_PORT_STATUS.
    pub port_status: Option<u8>,
    /// Replies to PJL questions; empty for a printer that was asked none.
    pub replies: BTreeMap<Question, Reply>,
    /// What PCL 5 said; `None` where it was not asked.
    pub readback: Option<Readback>,
}

/// What a reading is worth: how the printer could be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// PJL: status, meter and more.
    Pjl,
    /// PCL 5 readback: that it answers.
    Pcl,
    /// Device id and port status only.
    Port,
}

impl Means {
    /// The name under which the reading stands in place of a profile's.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Pjl => "usb-pjl",
            Self::Pcl => "usb-pcl5",
            Self::Port => "usb-port",
        }
    }
}

impl Answers {
    /// How the printer could be asked.
    pub fn means(&self) -> Means {
        match (self.replies.values().any(|reply| !reply.is_empty()), &self.readback) {
            (true, _) => Means::Pjl,
            (false, Some(readback)) if readback.has_ended || readback.free_memory.is_some() => Means::Pcl,
            (false, _) => Means::Port,
        }
    }

    /// The device as it presents itself.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            identity: self.identity(),
            status: self.status(),
            supplies: self.supplies(),
            trays: self.trays(),
            counters: self.meter().into_iter().collect(),
        }
    }

    fn reply(&self, question: Question) -> Reply {
        self.replies.get(&question).cloned().unwrap_or_default()
    }

    /// The serial number: what the printer says in PJL is what stands on its plate; else what USB says.
    fn serial(&self) -> Option<String> {
        const NAMES: &[&str] =
            &["SERIALNUMBER", "SERIAL NUMBER", "PRODUCTSERIALNUMBER", "PRINTERSERIALNUMBER", "SERIALNO", "SERIAL"];
        let alone = self.reply(Question::SerialNumber);
        let said = alone.value(NAMES).or_else(|| alone.first_text().map(str::to_owned));
        let said = said.or_else(|| self.reply(Question::ProductInfo).value(NAMES));
        said.or_else(|| self.reply(Question::Config).value(NAMES)).or_else(|| self.serial.clone())
    }

    fn identity(&self) -> Identity {
        // `"Acme X series:8C5-F12:Ver1.2"`: the model, then what only the maker knows, among it the firmware.
        let id = self.reply(Question::Id);
        let parts: Vec<&str> = id.first_text().unwrap_or_default().split(':').map(str::trim).collect();
        let model =
            self.model.clone().or_else(|| parts.first().filter(|part| !part.is_empty()).map(|part| (*part).to_owned()));
        let model = model.map(|model| match &self.manufacturer {
            Some(maker) => without_maker(&model, maker).to_owned(),
            None => model,
        });
        let version = parts.iter().skip(1).find(|part| part.starts_with("Ver")).map(|part| (*part).to_owned());
        let named = ["FIRMWAREVERSION", "FIRMWARE VERSION", "FIRMWAREDATECODE", "FIRMWARE DATECODE", "FIRMWARE"];
        let firmware =
            self.reply(Question::ProductInfo).value(&named).or_else(|| self.reply(Question::Config).value(&named));
        let means = self.means();
        Identity {
            manufacturer: self.manufacturer.clone(),
            model,
            serial: self.serial(),
            firmware: firmware.or(version),
            host_name: self.name.clone(),
            description: (means != Means::Pjl)
                .then(|| "USB printer without answers in PJL: no meter and no supplies can be read from it".to_owned()),
            profile: Some(means.keyword().to_owned()),
            ..Identity::default()
        }
    }

    fn status(&self) -> Status {
        let reply = self.reply(Question::Status);
        let code = reply.number(&["CODE"]).and_then(|code| u32::try_from(code).ok());
        let variables = reply.variables();
        // DISPLAY and, on printers with a larger one, LINE2 and so on.
        let shown = variables.iter().filter(|variable| variable.name == "DISPLAY" || variable.name.starts_with("LINE"));
        let console: Vec<String> = shown.map(|line| line.value.clone()).filter(|line| !line.is_empty()).collect();
        let is_offline = reply.value(&["ONLINE"]).is_some_and(|online| online.eq_ignore_ascii_case("false"));
        let Some(code) = code else { return self.status_of_port(console) };
        let meaning = status::meaning(code);
        let words = console.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let alert = meaning.alert(code, Some(words.as_str()).filter(|words| !words.is_empty()));
        let mut errors: Vec<_> = meaning.error.into_iter().collect();
        // A printer that waits for someone calls itself off line too: the reason is the better news.
        if is_offline && errors.is_empty() && alert.is_none() {
            errors.push(DetectedError::Offline);
        }
        Status {
            printer: meaning.printer,
            device: Some(meaning.device),
            errors,
            console,
            alerts: alert.into_iter().collect(),
        }
    }

    /// The three bits that every printer with a cable has: paper is out, it is on line, it has no fault.
    fn status_of_port(&self, console: Vec<String>) -> Status {
        let alive = self.readback.as_ref().is_some_and(|readback| readback.has_ended);
        // All bits off is what printers send that have not implemented it.
        let Some(bits) = self.port_status.filter(|bits| bits & 0b0011_1000 != 0) else {
            return Status { device: alive.then_some(DeviceState::Running), console, ..Status::default() };
        };
        let mut errors = Vec::new();
        if bits & 0b0010_0000 != 0 {
            errors.push(DetectedError::NoPaper);
        }
        if bits & 0b0001_0000 == 0 {
            errors.push(DetectedError::Offline);
        }
        if bits & 0b0000_1000 == 0 && errors.is_empty() {
            errors.push(DetectedError::ServiceRequested);
        }
        let device = if errors.is_empty() { DeviceState::Running } else { DeviceState::Down };
        let printer = errors.is_empty().then_some(PrinterState::Idle);
        Status { printer, device: Some(device), errors, console, alerts: Vec::new() }
    }

    fn meter(&self) -> Option<Counter> {
        let value = self.reply(Question::PageCount).number(&["PAGECOUNT", "PAGE COUNT"])?;
        Some(Counter {
            service: Service::System,
            color: ColorUse::Any,
            size: MediaSize::Any,
            sides: Sides::Any,
            unit: CounterUnit::Impressions,
            basis: Basis::Engine,
            value,
            source: "PJL INFO PAGECOUNT".to_owned(),
            confidence: Confidence::Verified,
        })
    }

    fn supplies(&self) -> Vec<Supply> {
        let reply = self.reply(Question::Supplies);
        let rows = reply.variables().into_iter().filter_map(|row| {
            let (kind, class) = supply_kind(&row.name)?;
            // On its own line, or on one below that says so.
            let below = row.choices.iter().filter_map(|line| line.split_once('='));
            let below = below.filter(|(name, _)| is_of_level(name)).map(|(_, value)| value);
            let said = [row.value.as_str()].into_iter().chain(below).map(level).find(|level| *level != Level::Unknown);
            Some((kind, class, color(&row.name), said.unwrap_or(Level::Unknown), row.name))
        });
        let supply = |(number, (kind, class, color, level, description)): (usize, _)| Supply {
            index: (number + 1).to_string(),
            kind,
            class,
            color,
            description,
            part_number: None,
            serial: None,
            unit: SupplyUnit::Percent,
            capacity: Some(100),
            level,
            raw: Raw::default(),
            // No maker publishes what it answers: docs/usb-printers.md.
            origin: Origin { source: Some("PJL INFO SUPPLIES".to_owned()), confidence: Confidence::Probable },
        };
        rows.take(MAX_ROWS).enumerate().map(supply).collect()
    }

    fn trays(&self) -> Vec<Tray> {
        let variables = self.reply(Question::Variables).variables();
        let size = |tray: &str| {
            let name = format!("{tray}SIZE");
            variables.iter().find(|variable| variable.name == name).map(|variable| variable.value.clone())
        };
        let config = self.reply(Question::Config).variables();
        let listed = config.iter().filter(|variable| variable.name == "IN TRAYS").flat_map(|trays| &trays.choices);
        let tray = |(number, line): (usize, &String)| {
            let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
            Tray {
                index: (number + 1).to_string(),
                kind: TrayKind::Input(InputKind::Unknown),
                name: name.to_owned(),
                description: Some(rest.trim().to_owned()).filter(|rest| !rest.is_empty()),
                media: size(&name.to_uppercase()),
                unit: TrayUnit::Unknown,
                capacity: None,
                level: Level::Unknown,
                status: None,
                raw: Raw::default(),
            }
        };
        listed.take(MAX_ROWS).enumerate().map(tray).collect()
    }
}

/// What a key of INFO SUPPLIES names, by the words in it; `None` where it names no supply.
fn supply_kind(name: &str) -> Option<(SupplyKind, SupplyClass)> {
    const WORDS: [(&str, SupplyKind); 9] = [
        ("WASTE", SupplyKind::WasteToner),
        ("DRUM", SupplyKind::Opc),
        ("IMAGING", SupplyKind::Opc),
        ("FUSER", SupplyKind::Fuser),
        ("TRANSFER", SupplyKind::TransferUnit),
        ("STAPLE", SupplyKind::Staples),
        ("INK", SupplyKind::InkCartridge),
        ("TONER", SupplyKind::Toner),
        ("CARTRIDGE", SupplyKind::TonerCartridge),
    ];
    // Limits, counts and order numbers stand among the levels.
    const OTHER: [&str; 14] = [
        "SERIAL",
        "PART",
        "TYPE",
        "CAPACITY",
        "MAX",
        "DATE",
        "STATUS",
        "PAGE",
        "COUNT",
        "USED",
        "THRESHOLD",
        "LIMIT",
        "MODEL",
        "NUMBER",
    ];
    let mut words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    if OTHER.iter().any(|word| name.contains(word)) || words.any(|word| matches!(word, "LOW" | "WARN" | "WARNING")) {
        return None;
    }
    let found = WORDS.iter().find(|(word, _)| name.contains(word)).map(|(_, kind)| kind.clone());
    let kind = found.or_else(|| color(name).map(|_| SupplyKind::TonerCartridge))?;
    let class = if kind == SupplyKind::WasteToner { SupplyClass::Receptacle } else { SupplyClass::Consumed };
    Some((kind, class))
}

fn color(name: &str) -> Option<Colorant> {
    let colors = [Colorant::Black, Colorant::Cyan, Colorant::Magenta, Colorant::Yellow];
    colors.into_iter().find(|color| name.contains(&color.keyword().to_uppercase()))
}

/// Whether the key of a line below a supply is that of its level.
fn is_of_level(name: &str) -> bool {
    let name = name.to_uppercase();
    ["LEVEL", "REMAINING", "PERCENT"].iter().any(|word| name.contains(word)) && !name.contains("USED")
}

/// A level: hundredths with or without their sign, or a word. "Some left", "unknown" and "empty" stay three things.
fn level(value: &str) -> Level {
    let value = value.trim().trim_matches('"').to_uppercase();
    let (number, unit) =
        value.split_at(value.find(|letter: char| !"+-0123456789".contains(letter)).unwrap_or(value.len()));
    if let Ok(number) = number.parse::<i64>() {
        // A number of pages, or of what is gone, is no level.
        let unit = unit.trim_start_matches(|letter: char| letter == '.' || letter.is_ascii_digit()).trim();
        let is_hundredths = matches!(unit, "" | "%" | "PERCENT" | "% REMAINING" | "% LEFT" | "PERCENT REMAINING");
        return if number > 100 || !is_hundredths { Level::Unknown } else { Level::from_code(number) };
    }
    match value.as_str() {
        "OK" | "LOW" | "NEAR EMPTY" | "NORMAL" | "GOOD" => Level::SomeLeft,
        "EMPTY" | "OUT" | "END" => Level::Empty,
        _ => Level::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use wire::device::{Condition, total};

    use super::*;

    fn answers(replies: &[(Question, &str)]) -> Answers {
        let replies =
            replies.iter().map(|(question, text)| (*question, Reply::find(text.as_bytes(), question.words())));
        Answers { replies: replies.collect(), port_status: Some(0x18), ..Answers::default() }
    }

    #[test]
    fn a_printer_that_speaks_pjl_is_whole() {
        let mut answers = answers(&[
            (Question::Id, "@PJL INFO ID\r\n\"Acme M 1 series:84U:Ver1.11\"\r\n\x0c"),
            (
                Question::Status,
                "@PJL INFO STATUS\r\nCODE=40021\r\nDISPLAY=\"Klappe zu\"\r\nLINE2=\"machen\"\r\nONLINE=False\r\n\x0c",
            ),
            (Question::PageCount, "PAGECOUNT=18421\r\n"),
            (
                Question::Supplies,
                "@PJL INFO SUPPLIES\r\nBLACK TONER=44%\r\nCYAN TONER=0\r\nDRUM=OK\r\nBLACK TONER PART=\"X1\"\r\n\x0c",
            ),
            (
                Question::ProductInfo,
                "@PJL INFO PRODINFO\r\nProductSerialNumber = \"VNB3\"\r\nFirmwareDateCode=20200101\r\n\x0c",
            ),
            (
                Question::Config,
                "@PJL INFO CONFIG\r\nIN TRAYS [2 ENUMERATED]\r\n\tINTRAY1 MP\r\n\tINTRAY2 PC\r\nDUPLEX\r\n\x0c",
            ),
            (Question::Variables, "@PJL INFO VARIABLES\r\nINTRAY2SIZE=A4 [2 ENUMERATED]\r\n\tA4\r\n\tA5\r\n\x0c"),
        ]);
        answers.manufacturer = Some("ACME".to_owned());
        let snapshot = answers.snapshot();
        assert_eq!(snapshot.identity.model.as_deref(), Some("M 1 series"));
        assert_eq!(snapshot.identity.serial.as_deref(), Some("VNB3"));
        assert_eq!(snapshot.identity.firmware.as_deref(), Some("20200101"));
        assert_eq!(snapshot.status.console, ["Klappe zu", "machen"]);
        assert_eq!(snapshot.status.errors, [DetectedError::DoorOpen]);
        assert_eq!(snapshot.status.condition(), Condition::Critical);
        assert_eq!(
            snapshot.status.alerts.first().unwrap().description,
            "A cover is open (Klappe zu machen; PJL 40021)"
        );
        assert_eq!(total(&snapshot.counters).map(|counter| counter.value), Some(18_421));
        let levels: Vec<_> = snapshot.supplies.iter().map(|supply| (supply.color.clone(), supply.level)).collect();
        let expected = [
            (Some(Colorant::Black), Level::Measured(44)),
            (Some(Colorant::Cyan), Level::Empty),
            (None, Level::SomeLeft),
        ];
        assert_eq!(levels, expected);
        assert_eq!(snapshot.trays.len(), 2);
        assert_eq!(snapshot.trays.last().unwrap().media.as_deref(), Some("A4"));
        assert_eq!(snapshot.identity.profile.as_deref(), Some("usb-pjl"));
    }

    #[test]
    fn levels_are_found_in_every_likely_form_and_nothing_else_is_taken_for_one() {
        let reply = "@PJL INFO SUPPLIES\r\nBLACK TONER=\"44 %\"\r\nCYAN CARTRIDGE=81 PERCENT\r\nYELLOW=7.5% REMAINING\r\n\
            MAGENTA TONER [3 ENTRIES]\r\n\tPAGESUSED=900\r\n\tLEVEL=12\r\n\tCAPACITY=9000\r\nDRUM=12000 PAGES\r\n\
            BLACK TONER LOW=10\r\nCYAN TONER USED=90%\r\nFUSER COUNT=17\r\nWASTE TONER BOX=NEAR FULL\r\n\x0c";
        let supplies = answers(&[(Question::Supplies, reply)]).snapshot().supplies;
        let levels: Vec<_> = supplies.iter().map(|supply| (supply.description.as_str(), supply.level)).collect();
        let expected = [
            ("BLACK TONER", Level::Measured(44)),
            ("CYAN CARTRIDGE", Level::Measured(81)),
            ("YELLOW", Level::Measured(7)),
            ("MAGENTA TONER", Level::Measured(12)),
            ("DRUM", Level::Unknown),
            ("WASTE TONER BOX", Level::Unknown),
        ];
        assert_eq!(levels, expected);
        assert!(supplies.iter().all(|supply| supply.origin.confidence == Confidence::Probable));
    }

    #[test]
    fn sleep_and_an_english_true_are_well() {
        for text in ["CODE=10001\r\nDISPLAY=\"Ready\"\r\nONLINE=True", "CODE=40000\r\nDISPLAY=\"SLEEP\"\r\nONLINE=TRUE"]
        {
            assert_eq!(answers(&[(Question::Status, text)]).snapshot().status.condition(), Condition::Good, "{text}");
        }
    }

    #[test]
    fn without_pjl_the_port_says_what_it_can() {
        let of = |bits| Answers { port_status: bits, ..Answers::default() }.snapshot();
        assert_eq!(of(Some(0x18)).status.condition(), Condition::Good);
        assert_eq!(of(Some(0x38)).status.errors, [DetectedError::NoPaper]);
        assert_eq!(of(Some(0x08)).status.errors, [DetectedError::Offline]);
        assert_eq!(of(Some(0x10)).status.errors, [DetectedError::ServiceRequested]);
        assert_eq!(of(Some(0)).status.condition(), Condition::Unknown);
        assert_eq!(of(None).identity.profile.as_deref(), Some("usb-port"));
        assert!(of(None).identity.description.unwrap().contains("no meter"));
        let readback = Some(Readback { has_ended: true, free_memory: None });
        let alive = Answers { readback, ..Answers::default() };
        assert_eq!((alive.means(), alive.snapshot().status.condition()), (Means::Pcl, Condition::Good));
    }
}
