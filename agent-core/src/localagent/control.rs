//! Everything that may be asked of the bridge on its own machine, over its Unix socket: one line of JSON there, one back.
//!
//! A closed list: there is no request that reads or writes a printer, names a file or changes anything outside the bridge.

use serde::{Deserialize, Serialize};

/// Longest request and longest answer, in octets.
pub const MAX_LINE: usize = 64 * 1024;
/// Longest name of a printer, in characters.
pub const MAX_NAME: usize = 60;
/// Most addresses and networks that may connect.
pub const MAX_ALLOWED: usize = 64;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// What printers there are. (With braces, so that a field too many is refused here as well.)
    List {},
    /// Names the printer of a port; an empty name takes it away.
    Name {
        /// Which.
        port: u16,
        /// How it is to be called.
        name: String,
    },
    /// Switches printing over a port on or off.
    Printing {
        /// Which.
        port: u16,
        /// Every byte passes; otherwise only questions.
        on: bool,
    },
    /// Frees the port of a printer that is not connected.
    Forget {
        /// Which.
        port: u16,
    },
    /// Sets who may connect, beside the machine itself: addresses and networks.
    Allow {
        /// As written: `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/64`.
        networks: Vec<String>,
    },
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// How things are (after the change that was asked for).
    State(State),
    /// Not done, and why, in English.
    Refused {
        /// For people.
        reason: String,
    },
}

/// How things are with the bridge.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Ports and their printers, in order.
    pub ports: Vec<Port>,
    /// Who may connect, beside the machine itself.
    pub allowed: Vec<String>,
    /// Why no printers can be looked for, where that is so.
    pub fault: Option<String>,
}

/// A port and its printer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Port {
    pub port: u16,
    pub name: Option<String>,
    pub is_printing: bool,
    pub is_connected: bool,
    /// USB numbers of maker and product.
    pub usb_vendor: u16,
    pub usb_product: u16,
    pub serial: Option<String>,
    /// The IEEE 1284 device id, whole.
    pub device_id: Option<String>,
    pub manufacturer: Option<String>,
    pub model: Option<String>,
    pub port_status: Option<u8>,
    pub is_two_way: bool,
    /// How many connections wait or are served.
    pub connections: usize,
    /// What went wrong last, where it has not gone right since.
    pub fault: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_requests_is_closed() {
        let parse = |text: &str| serde_json::from_str::<Request>(text);
        assert_eq!(parse(r#"{"request":"list"}"#).unwrap(), Request::List {});
        let printing = Request::Printing { port: 9418, on: true };
        assert_eq!(serde_json::to_string(&printing).unwrap(), r#"{"request":"printing","port":9418,"on":true}"#);
        for refused in
            ["{}", r#"{"request":"write","port":9418}"#, r#"{"request":"printing","port":9418,"on":true,"x":1}"#]
        {
            assert!(parse(refused).is_err(), "{refused}");
        }
    }
}
