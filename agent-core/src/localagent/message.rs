//! The bridge's own words, in PJL's manner: a header, lines `KEY=VALUE`, a form feed. Made by the bridge, understood by whoever
//! reads through it, and harmless to PJL programs that know nothing of it.

use std::fmt::Write as _;

use crate::ieee1284::Ieee1284;
use crate::pjl::filter::Refusal;
use crate::pjl::reply::Reply;

/// The question behind `@PJL`.
pub const QUESTION: &str = "INFO LOCALAGENT";
/// The question as it is sent first on a connection. A bridge answers it in every mode and passes it to no printer.
pub const OPENER: &[u8] = b"\x1b%-12345X@PJL INFO LOCALAGENT\r\n";
/// Most ports of one bridge.
pub const MAX_PORTS: usize = 16;
/// Longest value in a message, in octets.
const MAX_VALUE: usize = 250;

/// Who answers on a port, and what printer is behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Greeting {
    /// Every byte passes, so that the port prints; otherwise only questions do.
    pub is_printing: bool,
    /// The printer, where one is connected.
    pub printer: Option<Printer>,
    /// The name that an administrator has given.
    pub name: Option<String>,
    /// The ports of this bridge that belong to a printer.
    pub ports: Vec<u16>,
}

/// What is known of a connected printer without asking it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Printer {
    /// The maker's USB number.
    pub usb_vendor: Option<u16>,
    /// Maker, by the device id.
    pub manufacturer: Option<String>,
    /// Model, by the device id.
    pub model: Option<String>,
    /// Serial number, by USB or the device id.
    pub serial: Option<String>,
    /// Languages, as the device id lists them.
    pub languages: Option<String>,
    /// The octet of GET_PORT_STATUS.
    pub port_status: Option<u8>,
    /// Whether it can answer at all.
    pub is_two_way: bool,
}

/// A message of the bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The answer to [`QUESTION`].
    Greeting(Box<Greeting>),
    /// Something was not done: what, and why.
    Refused {
        /// A command, or `CONNECTION`.
        what: String,
        /// In English, for people.
        reason: String,
    },
}

impl From<Refusal> for Message {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { what: refusal.what, reason: refusal.reason.to_string() }
    }
}

impl Message {
    /// The refusal of a connection.
    pub fn no_connection(reason: impl Into<String>) -> Self {
        Self::Refused { what: "CONNECTION".to_owned(), reason: reason.into() }
    }

    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("@PJL {QUESTION}\r\n");
        let mut line = |name: &str, value: &str| {
            let _ = write!(text, "{name}={value}\r\n");
        };
        match self {
            Self::Refused { what, reason } => {
                line("REFUSED", &quoted(what));
                line("REASON", &quoted(reason));
            }
            Self::Greeting(greeting) => {
                line("VERSION", "1");
                line("MODE", if greeting.is_printing { "PRINTING" } else { "STATUS" });
                line("CONNECTED", if greeting.printer.is_some() { "TRUE" } else { "FALSE" });
                let mut told = |name: &str, value: &Option<String>| {
                    if let Some(value) = value {
                        line(name, &quoted(value));
                    }
                };
                told("NAME", &greeting.name);
                if let Some(printer) = &greeting.printer {
                    told("USBVENDOR", &printer.usb_vendor.map(|vendor| format!("{vendor:04x}")));
                    told("MANUFACTURER", &printer.manufacturer);
                    told("MODEL", &printer.model);
                    told("SERIAL", &printer.serial);
                    told("LANGUAGES", &printer.languages);
                    told("PORTSTATUS", &printer.port_status.map(|bits| bits.to_string()));
                    line("TWOWAY", if printer.is_two_way { "TRUE" } else { "FALSE" });
                }
                let _ = write!(text, "PORTS [{} ENUMERATED]\r\n", greeting.ports.len());
                for port in &greeting.ports {
                    let _ = write!(text, "\t{port}\r\n");
                }
            }
        }
        text.push('\x0c');
        text.into_bytes()
    }

    /// The message among the bytes that have come so far; `None` while there is no whole one.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let header = format!("@PJL {QUESTION}\r\n");
        let at = octets.windows(header.len()).position(|window| window == header.as_bytes())?;
        let rest = octets.get(at..)?;
        let end = rest.iter().position(|octet| *octet == 0x0c)?;
        let reply = Reply::find(rest.get(..end)?, QUESTION);
        let value = |name: &str| reply.value(&[name]);
        if let Some(what) = value("REFUSED") {
            return Some(Self::Refused { what, reason: value("REASON").unwrap_or_default() });
        }
        value("VERSION")?;
        let is = |name: &str, word: &str| value(name).as_deref() == Some(word);
        let variables = reply.variables();
        let ports = variables.iter().find(|variable| variable.name == "PORTS").map(|ports| &ports.choices);
        let printer = is("CONNECTED", "TRUE").then(|| Printer {
            usb_vendor: value("USBVENDOR").and_then(|vendor| u16::from_str_radix(&vendor, 16).ok()),
            manufacturer: value("MANUFACTURER"),
            model: value("MODEL"),
            serial: value("SERIAL"),
            languages: value("LANGUAGES"),
            port_status: value("PORTSTATUS").and_then(|bits| bits.parse().ok()),
            is_two_way: is("TWOWAY", "TRUE"),
        });
        Some(Self::Greeting(Box::new(Greeting {
            is_printing: is("MODE", "PRINTING"),
            printer,
            name: value("NAME"),
            ports: ports.into_iter().flatten().filter_map(|port| port.parse().ok()).take(MAX_PORTS).collect(),
        })))
    }
}

impl Printer {
    /// What is known of a printer by its device id.
    pub fn of(id: &Ieee1284) -> Self {
        let value = |key| id.value(key).map(str::to_owned);
        Self {
            manufacturer: value("MFG"),
            model: value("MDL"),
            serial: value("SN"),
            languages: value("CMD"),
            ..Self::default()
        }
    }

    /// Its languages as a device id, to be asked about.
    pub fn id(&self) -> Ieee1284 {
        Ieee1284::parse(&format!("CMD:{};", self.languages.as_deref().unwrap_or_default()))
    }
}

/// A value in quotes; what would end it or the line is replaced.
fn quoted(value: &str) -> String {
    let end = value.floor_char_boundary(MAX_VALUE);
    let plain = |c: char| match c {
        '"' => '\'',
        c if c.is_control() => ' ',
        c => c,
    };
    let inner: String = value.get(..end).unwrap_or_default().chars().map(plain).collect();
    format!("\"{inner}\"")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn greeting() -> Greeting {
        let printer = Printer {
            usb_vendor: Some(0x482),
            serial: Some("A1 \"2\"".to_owned()),
            port_status: Some(24),
            is_two_way: true,
            ..Printer::of(&Ieee1284::parse("MFG:Acme;MDL:X [1];CMD:PCL,PJL;"))
        };
        Greeting {
            is_printing: false,
            printer: Some(printer),
            name: Some("Empfang Köln".to_owned()),
            ports: vec![9418, 9420],
        }
    }

    #[test]
    fn messages_come_back_as_they_were() {
        let mut expected = greeting();
        let octets = Message::Greeting(Box::new(expected.clone())).encode();
        if let Some(printer) = &mut expected.printer {
            printer.serial = Some("A1 '2'".to_owned());
        }
        assert_eq!(Message::decode(&octets), Some(Message::Greeting(Box::new(expected))));
        assert_eq!(Message::decode(octets.strip_suffix(b"\x0c").unwrap()), None, "not whole");
        let refused = Message::no_connection("busy");
        assert_eq!(Message::decode(&refused.encode()), Some(refused));
        assert_eq!(Message::decode(b"@PJL INFO LOCALAGENT\r\n\"?\"\r\n\x0c"), None, "a printer that does not know it");
    }

    proptest! {
        #[test]
        fn texts_of_printers_break_no_message(name in "\\PC{0,40}", model in "(\r\n|\x0c|=|\"|[a-z]|@PJL ){0,20}") {
            let mut sent = greeting();
            sent.name = Some(name);
            sent.printer.as_mut().unwrap().model = Some(model);
            let decoded = Message::decode(&Message::Greeting(Box::new(sent)).encode());
            let Some(Message::Greeting(decoded)) = decoded else { panic!("{decoded:?}") };
            prop_assert_eq!(decoded.ports, [9418, 9420]);
            prop_assert!(decoded.printer.unwrap().is_two_way);
        }

        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut framed = b"@PJL INFO LOCALAGENT\r\nVERSION=1\r\n".to_vec();
            framed.extend(octets);
            framed.push(0x0c);
            let _ = Message::decode(&framed);
        }
    }
}
