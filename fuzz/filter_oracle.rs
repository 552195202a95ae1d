//! What the filter for printers has to do, said once more and simply: over a stream that is there as a whole, with no thought of
//! pieces, memory or speed. Shares nothing with the filter but the words of PJL.

const UEL: &[u8] = b"\x1b%-12345X";
const ENTER_PCL: &[u8] = b"@PJL ENTER LANGUAGE=PCL\r\n";
/// Longest line, in octets.
const LINE: usize = 400;
/// Refusals until the end.
const REFUSALS: usize = 32;

#[derive(Clone, Copy, PartialEq)]
enum Language {
    Untouched,
    Pjl,
    Pcl,
}

struct Printer {
    octets: Vec<u8>,
    language: Language,
}

impl Printer {
    fn uel(&mut self) {
        self.octets.extend(UEL);
        self.language = Language::Pjl;
    }

    fn line(&mut self, line: &str) {
        if self.language != Language::Pjl {
            self.uel();
        }
        self.octets.extend(format!("@PJL {line}").trim_end().bytes().chain(*b"\r\n"));
    }
}

/// All that a printer gets of a stream.
pub fn passed(stream: &[u8], takes_pjl: bool, takes_pcl: bool) -> Vec<u8> {
    let mut printer = Printer { octets: Vec::new(), language: Language::Untouched };
    let (mut rest, mut refused, mut ustatus, mut is_dropping) = (stream, 0, false, false);
    while let Some((first, behind)) = rest.split_first() {
        if is_dropping {
            is_dropping = *first != b'\n';
            rest = behind;
        } else if matches!(first, b'\r' | b'\n' | b' ' | b'\t' | 0) {
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix(UEL) {
            match printer.language {
                Language::Untouched => {}
                _ if takes_pjl => printer.uel(),
                _ => printer.language = Language::Untouched,
            }
            rest = behind;
        } else if *first == 0x1b {
            let Some(length) = sequence(rest).filter(|length| *length <= LINE && takes_pcl) else { break };
            if printer.language == Language::Pjl {
                printer.octets.extend(ENTER_PCL);
            }
            printer.language = Language::Pcl;
            let (whole, behind) = rest.split_at(length);
            printer.octets.extend(whole);
            rest = behind;
        } else if *first == b'@' && printer.language != Language::Pcl {
            let end = rest.iter().position(|octet| matches!(octet, b'\n' | 0x1b)).unwrap_or(rest.len());
            let (line, behind) = rest.split_at(end);
            let head = line.len().min(4);
            if !line[..head].eq_ignore_ascii_case(&b"@PJL"[..head]) {
                break;
            }
            if line.len() > LINE {
                refused += 1;
                is_dropping = true;
                rest = &rest[LINE + 1..];
            } else {
                rest = behind.strip_prefix(b"\n").unwrap_or(behind);
                match read(line) {
                    Line::EnterPcl if !takes_pcl => break,
                    Line::Pass(_) | Line::EnterPcl if !takes_pjl => refused += 1,
                    Line::Pass(line) => {
                        ustatus |= line.starts_with("USTATUS ");
                        printer.line(&line);
                    }
                    Line::EnterPcl => {
                        printer.line("ENTER LANGUAGE=PCL");
                        printer.language = Language::Pcl;
                    }
                    Line::Nothing => {}
                    Line::Refused => refused += 1,
                    Line::EnterOther => break,
                }
            }
            if refused == REFUSALS {
                break;
            }
        } else {
            break;
        }
    }
    let was_touched = printer.octets.windows(UEL.len()).any(|window| window == UEL);
    if ustatus {
        if printer.language == Language::Pcl {
            printer.octets.extend(UEL);
        }
        printer.octets.extend(b"@PJL USTATUSOFF\r\n");
    }
    if was_touched {
        printer.octets.extend(UEL);
    }
    printer.octets
}

enum Line {
    Pass(String),
    EnterPcl,
    EnterOther,
    Nothing,
    Refused,
}

fn read(line: &[u8]) -> Line {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text: String = line.iter().map(|octet| if *octet == b'\t' { ' ' } else { char::from(*octet) }).collect();
    if text.len() < 4 || !text.chars().all(|letter| (' '..='~').contains(&letter)) {
        return Line::Refused;
    }
    let rest = &text[4..];
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Line::Refused;
    }
    let upper = rest.to_uppercase();
    let words: Vec<&str> = upper.split_whitespace().collect();
    let name = |word: &str| {
        (1..=40).contains(&word.len()) && word.chars().all(|letter| letter.is_alphanumeric() || "_-.".contains(letter))
    };
    let [verb, operands @ ..] = words.as_slice() else { return Line::Pass(String::new()) };
    let all = || Line::Pass(words.join(" "));
    match (*verb, operands) {
        ("COMMENT", _) => Line::Nothing,
        ("ECHO", _) => match rest.trim()[4..].trim() {
            mark if mark.len() <= 80 && mark.chars().all(is_of_mark) => Line::Pass(format!("ECHO {mark}")),
            _ => Line::Refused,
        },
        ("USTATUSOFF", []) => all(),
        ("INFO", ["LOCALAGENT"]) => Line::Nothing,
        ("INFO", [what]) if name(what) => all(),
        ("INQUIRE" | "DINQUIRE", [what]) if name(what) => all(),
        ("INQUIRE" | "DINQUIRE", [of, what]) => match of.split_once(':') {
            Some(("LPARM" | "IPARM", language)) if name(language) && name(what) => all(),
            _ => Line::Refused,
        },
        ("USTATUS", _) => {
            let operand = upper.trim()[7..].trim().to_owned();
            let (what, value) =
                operand.split_once('=').map_or((&*operand, None), |(what, value)| (what.trim(), Some(value.trim())));
            let is_value = |value: &str| {
                let is_number =
                    value.len() <= 40 && !value.is_empty() && value.chars().all(|digit| digit.is_ascii_digit());
                let number = value.trim_start_matches('0');
                matches!(value, "ON" | "OFF" | "VERBOSE")
                    || is_number && number.len() <= 3 && number.parse::<u32>().unwrap_or(0) <= 300
            };
            match (matches!(what, "DEVICE" | "JOB" | "PAGE" | "TIMED"), value) {
                (true, None) => Line::Pass(format!("USTATUS {what}")),
                (true, Some(value)) if is_value(value) => Line::Pass(format!("USTATUS {what}={value}")),
                _ => Line::Refused,
            }
        }
        ("ENTER", _) => {
            let operand: Vec<&str> = upper.trim()[5..].splitn(2, '=').map(str::trim).collect();
            if operand == ["LANGUAGE", "PCL"] { Line::EnterPcl } else { Line::EnterOther }
        }
        _ => Line::Refused,
    }
}

fn is_of_mark(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || " ._:=-\"'/#,@*+()[]?&".contains(letter)
}

/// The length of a sequence of PCL readback at the beginning.
fn sequence(octets: &[u8]) -> Option<usize> {
    if octets.starts_with(b"\x1bE") {
        return Some(2);
    }
    let letters: &[u8] = match octets.get(..3)? {
        b"\x1b*s" => b"TUIXM",
        b"\x1b&r" => b"F",
        _ => return None,
    };
    let mut at = 3;
    loop {
        let digits = octets[at..].iter().take_while(|octet| matches!(octet, b'0'..=b'9' | b'+' | b'-')).count();
        let number = std::str::from_utf8(&octets[at..at + digits]).ok()?;
        let value: i32 = if number.is_empty() { 0 } else { number.parse().ok().filter(|_| digits <= 6)? };
        let letter = *octets.get(at + digits)?;
        let upper = letter.to_ascii_uppercase();
        let fits = match upper {
            b'M' => value == 1,
            b'F' => value == 0 || value == 1,
            _ => (-32_768..=32_767).contains(&value),
        };
        if !letters.contains(&upper) || !fits {
            return None;
        }
        at += digits + 1;
        if letter.is_ascii_uppercase() {
            return Some(at);
        }
    }
}

/// Whether a printer that sees a command wherever a line could begin, behind whatever could end one, sees only questions.
pub fn is_harmless(octets: &[u8]) -> bool {
    let text = String::from_utf8_lossy(octets).replace("\x1b%-12345X", "\n");
    let questions = ["INFO", "ECHO", "INQUIRE", "DINQUIRE", "USTATUS", "USTATUSOFF"];
    text.split(|letter: char| letter != '\x1b' && letter.is_control()).all(|line| {
        let mut rest = line;
        // Sequences of PCL stand at the beginning only.
        while let Some(length) = sequence(rest.as_bytes()) {
            rest = &rest[length..];
        }
        let words = rest.strip_prefix("@PJL");
        let verb = words.map(|words| words.split(' ').nth(1).unwrap_or_default());
        let is_question = verb.is_some_and(|verb| questions.contains(&verb));
        // Behind a question no command of another language may stand.
        let is_question = is_question && words.is_some_and(|words| words.chars().all(is_of_mark));
        rest.is_empty() || is_question || rest == "@PJL" || rest == "@PJL ENTER LANGUAGE=PCL"
    })
}
