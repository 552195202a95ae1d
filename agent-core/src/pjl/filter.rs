//! What may be sent to a printer that is offered for reading its status only.
//!
//! An allow-list on the byte stream: PJL's INFO, ECHO, INQUIRE, DINQUIRE, USTATUS and PCL 5 status readback. What goes out is
//! made anew from what was understood, one whole command at a time, so nothing that was not understood can go out with it,
//! however the stream is cut. Everything else is refused; data of a job end the connection.

use std::collections::VecDeque;
use std::fmt;

use super::UEL;
use crate::ieee1284::Ieee1284;

/// Longest line of PJL and longest sequence of PCL, in octets.
const MAX_UNIT: usize = 400;
/// Refused commands after which a connection is ended.
const MAX_REFUSED: usize = 32;
/// Longest word of a command.
const MAX_WORD: usize = 40;
/// Longest mark that ECHO gives back.
const MAX_MARK: usize = 80;
const ENTER_PCL: &[u8] = b"@PJL ENTER LANGUAGE=PCL\r\n";

/// What comes out of the filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passage {
    /// For the printer.
    Pass(Vec<u8>),
    /// The client asks the bridge who it is.
    Introduce,
    /// For the client: this was not passed.
    Refuse(Refusal),
    /// The connection is to be ended; nothing follows.
    End,
}

/// Why something was not passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The command, or the kind of data.
    pub what: String,
    /// Why.
    pub reason: Reason,
}

/// See [`Refusal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Not one of the commands that only read.
    NotReading,
    /// Neither PJL nor PCL status readback: a job.
    Job,
    /// PCL, and the printer does not list it: it would print the question.
    NoPcl,
    /// PJL, likewise.
    NoPjl,
    /// Longer than any question.
    TooLong,
    /// Too many refused commands before it.
    TooMany,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotReading => "Only questions are passed to this printer; an administrator can switch printing on",
            Self::Job => "Printing over this port is switched off; an administrator can switch it on",
            Self::NoPcl => "This printer does not list PCL and would print the question",
            Self::NoPjl => "This printer does not list PJL and would print the question",
            Self::TooLong => "The command is longer than any question",
            Self::TooMany => "Too many commands were refused",
        })
    }
}

/// The languages in which a printer may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// PJL.
    pub pjl: bool,
    /// The status readback of PCL 5.
    pub pcl: bool,
}

impl Asked {
    /// Those that a printer lists; both where it lists nothing at all.
    pub fn of(id: Option<&Ieee1284>) -> Self {
        match id.filter(|id| id.languages().is_some()) {
            Some(id) => Self { pjl: id.speaks_pjl(), pcl: id.speaks_pcl() },
            None => Self { pjl: true, pcl: true },
        }
    }
}

/// In which language the printer is, as far as this connection has brought it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Untouched,
    Pjl,
    Pcl,
}

/// The filter of one connection.
#[derive(Debug)]
pub struct Filter {
    asked: Asked,
    language: Language,
    /// The unit that is not whole yet.
    held: Vec<u8>,
    /// The rest of this line is dropped: it was too long.
    is_dropping: bool,
    /// Unasked messages were switched on.
    has_ustatus: bool,
    /// UEL was sent.
    has_uel: bool,
    refused: usize,
    has_ended: bool,
    out: VecDeque<Passage>,
}

impl Filter {
    /// A filter before a printer that may be asked in these languages.
    pub fn new(asked: Asked) -> Self {
        Self {
            asked,
            language: Language::Untouched,
            held: Vec::new(),
            is_dropping: false,
            has_ustatus: false,
            has_uel: false,
            refused: 0,
            has_ended: false,
            out: VecDeque::new(),
        }
    }

    /// Takes what the client sends. Call [`Self::poll_passage`] until it gives nothing before the next call.
    pub fn handle_octets(&mut self, octets: &[u8]) {
        for octet in octets {
            if self.has_ended {
                return;
            }
            self.handle_octet(*octet);
        }
    }

    /// The client will send nothing more: a last line needs no end.
    pub fn handle_end(&mut self) {
        if !self.has_ended && self.held.first() == Some(&b'@') {
            self.finish_line();
        }
        self.held.clear();
    }

    /// What comes out next.
    pub fn poll_passage(&mut self) -> Option<Passage> {
        self.out.pop_front()
    }

    /// What the printer is to get when the connection is over, so that it is left as it was found.
    pub fn closing(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        if self.has_ustatus {
            if self.language == Language::Pcl {
                octets.extend_from_slice(UEL);
            }
            octets.extend_from_slice(b"@PJL USTATUSOFF\r\n");
        }
        if self.has_uel {
            octets.extend_from_slice(UEL);
        }
        octets
    }

    fn handle_octet(&mut self, octet: u8) {
        if self.is_dropping {
            self.is_dropping = octet != b'\n';
            return;
        }
        match self.held.first() {
            None => match octet {
                b'\r' | b'\n' | b' ' | b'\t' | 0 => {}
                0x1b => self.held.push(octet),
                b'@' if self.language != Language::Pcl => self.held.push(octet),
                _ => self.end(Refusal { what: "data".to_owned(), reason: Reason::Job }),
            },
            Some(0x1b) => {
                self.held.push(octet);
                self.look_at_sequence();
            }
            Some(_) => match octet {
                b'\n' => self.finish_line(),
                0x1b => {
                    self.finish_line();
                    if !self.has_ended {
                        self.held.push(octet);
                    }
                }
                _ if self.held.len() >= MAX_UNIT => {
                    let what = first_words(&self.held);
                    self.held.clear();
                    self.is_dropping = true;
                    self.refuse(Refusal { what, reason: Reason::TooLong });
                }
                _ => {
                    self.held.push(octet);
                    let known = self.held.get(..4).unwrap_or(&self.held);
                    if !b"@PJL".get(..known.len()).is_some_and(|head| head.eq_ignore_ascii_case(known)) {
                        self.end(Refusal { what: "data".to_owned(), reason: Reason::Job });
                    }
                }
            },
        }
    }

    /// Whether the held escape sequence is whole, may still become one that is allowed, or is not.
    fn look_at_sequence(&mut self) {
        if self.held == UEL {
            self.held.clear();
            match self.language {
                // Before the first command there is nothing to leave.
                Language::Untouched => {}
                _ if self.asked.pjl => self.pass_uel(),
                // Without PJL there is nothing to go to.
                _ => self.language = Language::Untouched,
            }
            return;
        }
        if UEL.starts_with(&self.held) {
            return;
        }
        match Sequence::of(&self.held) {
            Sequence::Part if self.held.len() < MAX_UNIT => {}
            Sequence::Whole if self.asked.pcl => {
                let sequence = std::mem::take(&mut self.held);
                if self.language == Language::Pjl {
                    self.out.push_back(Passage::Pass(ENTER_PCL.to_vec()));
                }
                self.language = Language::Pcl;
                self.out.push_back(Passage::Pass(sequence));
            }
            Sequence::Whole => self.end(Refusal { what: "PCL".to_owned(), reason: Reason::NoPcl }),
            Sequence::Part | Sequence::Other => {
                self.end(Refusal { what: "data".to_owned(), reason: Reason::Job });
            }
        }
    }

    fn finish_line(&mut self) {
        let held = std::mem::take(&mut self.held);
        match Command::of(&held) {
            Command::EnterPcl if !self.asked.pcl => {
                self.end(Refusal { what: "ENTER LANGUAGE".to_owned(), reason: Reason::NoPcl });
            }
            Command::Pass(_) | Command::EnterPcl if !self.asked.pjl => {
                self.refuse(Refusal { what: first_words(&held), reason: Reason::NoPjl });
            }
            Command::Pass(line) => {
                if self.language != Language::Pjl {
                    self.pass_uel();
                }
                self.has_ustatus |= line.starts_with("USTATUS ");
                self.out.push_back(Passage::Pass(format!("@PJL {line}").trim_end().as_bytes().to_vec()));
                if let Some(Passage::Pass(octets)) = self.out.back_mut() {
                    octets.extend_from_slice(b"\r\n");
                }
            }
            Command::EnterPcl => {
                if self.language != Language::Pjl {
                    self.pass_uel();
                }
                self.out.push_back(Passage::Pass(ENTER_PCL.to_vec()));
                self.language = Language::Pcl;
            }
            // What follows is written in that language.
            Command::EnterOther => self.end(Refusal { what: "ENTER LANGUAGE".to_owned(), reason: Reason::Job }),
            Command::Introduce => self.out.push_back(Passage::Introduce),
            Command::Nothing => {}
            Command::Refuse(what) => self.refuse(Refusal { what, reason: Reason::NotReading }),
        }
    }

    fn pass_uel(&mut self) {
        self.out.push_back(Passage::Pass(UEL.to_vec()));
        self.language = Language::Pjl;
        self.has_uel = true;
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refused += 1;
        match self.refused {
            MAX_REFUSED.. => self.end(Refusal { what: refusal.what, reason: Reason::TooMany }),
            _ => self.out.push_back(Passage::Refuse(refusal)),
        }
    }

    fn end(&mut self, refusal: Refusal) {
        self.held = Vec::new();
        self.has_ended = true;
        self.out.extend([Passage::Refuse(refusal), Passage::End]);
    }
}

/// A line of PJL, understood.
enum Command {
    /// To be passed: what stands behind `@PJL`, made anew.
    Pass(String),
    EnterPcl,
    EnterOther,
    Introduce,
    /// Means nothing to a printer.
    Nothing,
    Refuse(String),
}

impl Command {
    fn of(line: &[u8]) -> Self {
        let refused = || Self::Refuse(first_words(line));
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // A carriage return amid a line ends it for some printers and not for others; so may any control character.
        let is_plain = line.iter().all(|octet| matches!(octet, b'\t' | b' '..=b'~'));
        let Some(text) = std::str::from_utf8(line).ok().filter(|_| is_plain) else { return refused() };
        let Some(rest) = text.get(4..) else { return refused() };
        if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
            return refused();
        }
        let rest = rest.trim();
        let (verb, operand) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        let (verb, operand) = (verb.to_ascii_uppercase(), operand.trim());
        let passed = match verb.as_str() {
            "" => Some(String::new()),
            "COMMENT" => return Self::Nothing,
            "ECHO" => mark(operand).map(|mark| format!("ECHO {mark}")),
            "USTATUSOFF" if operand.is_empty() => Some(verb.clone()),
            "INFO" => word(operand).map(|what| format!("INFO {what}")),
            "INQUIRE" | "DINQUIRE" => inquired(operand).map(|what| format!("{verb} {what}")),
            "USTATUS" => ustatus(operand).map(|what| format!("USTATUS {what}")),
            "ENTER" => return Self::enter(operand),
            _ => None,
        };
        match passed {
            Some(line) if line == "INFO LOCALAGENT" => Self::Introduce,
            Some(line) => Self::Pass(line),
            None => refused(),
        }
    }

    fn enter(operand: &str) -> Self {
        let value = operand.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("LANGUAGE"));
        match value {
            Some((_, value)) if value.trim().eq_ignore_ascii_case("PCL") => Self::EnterPcl,
            _ => Self::EnterOther,
        }
    }
}

/// What ECHO gives back: words, numbers and times, as clients mark their answers with. Not any text: a printer that looks for
/// commands of another language anywhere, in `^XA` or `!R!`, would find them here.
fn mark(text: &str) -> Option<String> {
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || b"\t ._:=-\"'/#,@*+()[]?&".contains(&octet);
    (text.len() <= MAX_MARK && text.bytes().all(fits)).then(|| text.replace('\t', " "))
}

/// One word of letters, digits and the signs that names have, in capitals.
fn word(text: &str) -> Option<String> {
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-' | b'.');
    ((1..=MAX_WORD).contains(&text.len()) && text.bytes().all(fits)).then(|| text.to_ascii_uppercase())
}

/// A variable, perhaps that of a language (`LPARM:PCL FONTNUMBER`) or a port.
fn inquired(operand: &str) -> Option<String> {
    let words: Vec<&str> = operand.split_ascii_whitespace().collect();
    match words.as_slice() {
        [name] => word(name),
        [of, name] => {
            let (kind, language) = of.split_once(':')?;
            let kind = word(kind).filter(|kind| matches!(kind.as_str(), "LPARM" | "IPARM"))?;
            Some(format!("{kind}:{} {}", word(language)?, word(name)?))
        }
        _ => None,
    }
}

/// Which messages the printer is to send unasked; without a value it only says how that is set.
fn ustatus(operand: &str) -> Option<String> {
    let (name, value) = match operand.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (operand, None),
    };
    let name = word(name).filter(|name| matches!(name.as_str(), "DEVICE" | "JOB" | "PAGE" | "TIMED"))?;
    let Some(value) = value else { return Some(name) };
    let value = word(value)?;
    let seconds = value.parse::<u16>().is_ok_and(|seconds| seconds <= 300);
    (seconds || matches!(value.as_str(), "ON" | "OFF" | "VERBOSE")).then(|| format!("{name}={value}"))
}

/// The words that name a command, for messages and the log: never its operands, which may hold a user's words.
fn first_words(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line.get(4..).unwrap_or_default());
    let verb = text.split_ascii_whitespace().next().unwrap_or("@PJL").to_ascii_uppercase();
    let shown: String = verb.chars().filter(char::is_ascii_alphanumeric).take(MAX_WORD).collect();
    if shown.is_empty() { "a command".to_owned() } else { shown }
}

/// A sequence of PCL that begins with an escape.
#[derive(Debug, PartialEq, Eq)]
enum Sequence {
    /// Could still become one of readback.
    Part,
    /// One of readback, or a reset.
    Whole,
    Other,
}

impl Sequence {
    fn of(octets: &[u8]) -> Self {
        let group = match octets {
            [0x1b] | [0x1b, b'*' | b'&'] => return Self::Part,
            [0x1b, b'E'] => return Self::Whole,
            [0x1b, b'*', b's', ..] => b's',
            [0x1b, b'&', b'r', ..] => b'r',
            _ => return Self::Other,
        };
        let mut number = String::new();
        let mut rest = octets.get(3..).unwrap_or_default();
        while let Some((octet, after)) = rest.split_first() {
            rest = after;
            match octet {
                b'0'..=b'9' | b'+' | b'-' if number.len() < 6 => number.push(char::from(*octet)),
                letter if letter.is_ascii_alphabetic() => {
                    let value = if number.is_empty() { Some(0) } else { number.parse::<i32>().ok() };
                    let value = value.filter(|value| (-32_768..=32_767).contains(value));
                    let fits = match (group, letter.to_ascii_uppercase(), value) {
                        (b's', b'T' | b'U' | b'I' | b'X', Some(_)) | (b's', b'M', Some(1)) => true,
                        (b'r', b'F', Some(flush)) => (0..=1).contains(&flush),
                        _ => false,
                    };
                    match (fits, letter.is_ascii_uppercase()) {
                        (false, _) => return Self::Other,
                        (true, true) if rest.is_empty() => return Self::Whole,
                        (true, true) => return Self::Other,
                        (true, false) => number.clear(),
                    }
                }
                _ => return Self::Other,
            }
        }
        Self::Part
    }
}

#[cfg(test)]
mod tests;
