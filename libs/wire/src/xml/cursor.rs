//! A bounded reader over the events of the XML parser: enters and leaves elements in the order that its user asks for.
//!
//! It knows limits, namespace and well-formedness, and nothing of devices. Whatever its user did not ask for is an error
//! that names the place and what was asked for.

use std::mem;
use std::str;

use jiff::Timestamp;
use xml::attribute::OwnedAttribute;
use xml::common::{Position, TextPosition, XmlVersion};
use xml::reader::{ErrorKind, EventReader, ParserConfig, XmlEvent};

use super::{NAMESPACE, Place, XmlError, limits};

/// What an XML editor adds to say where the schema lies; the only foreign attribute that is passed over.
const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Namespaces that may be declared at one place: xml-rs copies all of them for each element, so that many would make its
/// work grow with the square of the document. Three are always there, ours is the fourth.
const NAMESPACES: usize = 8;

/// Most characters of the document that a message quotes.
const QUOTED: usize = 60;

/// An event of the parser, without what does not matter here.
enum Event {
    Start { name: String, attributes: Vec<OwnedAttribute> },
    Text(String),
    End,
    EndOfDocument,
}

/// Reads one document, element by element.
pub(super) struct Cursor<'a> {
    parser: EventReader<&'a [u8]>,
    /// The event that was looked at and not yet taken.
    ahead: Option<Event>,
    /// Names of the elements that are entered and not left.
    path: Vec<&'static str>,
    /// Attributes of the element entered last which nobody has asked for.
    attributes: Vec<OwnedAttribute>,
    /// Names of the elements that were asked for at this place, for the message when something else stands there.
    wanted: Vec<&'static str>,
    elements: usize,
}

impl<'a> Cursor<'a> {
    /// Looks at a document from outside: size, encoding, document type declaration.
    pub(super) fn open(document: &'a [u8]) -> Result<Self, XmlError> {
        if document.len() > limits::DOCUMENT {
            return Err(XmlError::TooLarge { size: document.len() });
        }
        let text = str::from_utf8(document).map_err(|error| {
            let sound = document.get(..error.valid_up_to()).unwrap_or_default();
            XmlError::NotUtf8(place_after(str::from_utf8(sound).unwrap_or_default()))
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some(before) = before_doctype(text) {
            return Err(XmlError::Doctype(place_after(before)));
        }
        // What the parser keeps of a piece (attributes, namespaces, text) takes ten times its room.
        let mut start = 0;
        for piece in text.split('<') {
            if piece.len() > limits::PIECE {
                let place = place_after(text.get(..start).unwrap_or_default());
                let what = format!("{} octets without a new tag", piece.len());
                return Err(XmlError::Limit { place, what, limit: limits::PIECE });
            }
            start += piece.len() + 1;
        }
        let config = ParserConfig::new()
            .override_encoding(Some(xml::Encoding::Utf8))
            .cdata_to_characters(true)
            .allow_multiple_root_elements(false)
            .max_entity_expansion_depth(1)
            .max_entity_expansion_length(0);
        Ok(Self {
            parser: EventReader::new_with_config(text.as_bytes(), config),
            ahead: None,
            path: Vec::new(),
            attributes: Vec::new(),
            wanted: Vec::new(),
            elements: 0,
        })
    }

    /// Reads the root, which has one of `names`, with everything in it, to the end of the document.
    pub(super) fn root<T>(
        mut self,
        names: &[&'static str],
        read: impl FnOnce(&mut Self, &'static str) -> Result<T, XmlError>,
    ) -> Result<T, XmlError> {
        let Some(name) = self.enter(names)? else { return Err(self.out_of_place(false)) };
        let content = read(&mut self, name)?;
        self.leave()?;
        match self.next()? {
            Event::EndOfDocument => Ok(content),
            // The parser lets nothing else pass after the root.
            _ => Err(self.unexpected("more than one root element", "the end of the document")),
        }
    }

    /// The element `name` where it stands next, read by `read`.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, XmlError>,
    ) -> Result<Option<T>, XmlError> {
        if self.enter(&[name])?.is_none() {
            return Ok(None);
        }
        let content = read(self)?;
        self.leave()?;
        Ok(Some(content))
    }

    /// The element `name`, which has to stand next.
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, XmlError>,
    ) -> Result<T, XmlError> {
        match self.optional(name, read)? {
            Some(content) => Ok(content),
            None => Err(self.out_of_place(false)),
        }
    }

    /// Elements with one of `names`, as many as stand next.
    pub(super) fn list<T>(
        &mut self,
        names: &[&'static str],
        limit: usize,
        mut read: impl FnMut(&mut Self, &'static str) -> Result<T, XmlError>,
    ) -> Result<Vec<T>, XmlError> {
        let mut list = Vec::new();
        while let Some(name) = self.enter(names)? {
            if list.len() == limit {
                return Err(self.limit(format!("too many of {}", names.join(" and ")), limit));
            }
            list.push(read(self, name)?);
            self.leave()?;
        }
        Ok(list)
    }

    /// The text in the element entered last, with its blanks.
    pub(super) fn text(&mut self) -> Result<String, XmlError> {
        self.no_attributes_left()?;
        let mut text = String::new();
        while let Event::Text(more) = self.peek()? {
            text.push_str(more);
            self.ahead = None;
        }
        if !matches!(self.peek()?, Event::End) {
            return Err(self.out_of_place(true));
        }
        self.within(text, limits::TEXT, "the text")
    }

    /// The text in the element entered last, without blanks around it, as something else.
    pub(super) fn parsed_text<T>(
        &mut self,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, XmlError> {
        let text = collapse(&self.text()?);
        parse(&text).ok_or_else(|| self.unexpected(format!("the content is {}", quote(&text)), expected))
    }

    /// An attribute of the element entered last, as something else.
    pub(super) fn optional_attribute<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, XmlError> {
        let Some(index) = self.attributes.iter().position(|attribute| attribute.name.local_name == name) else {
            return Ok(None);
        };
        let value = collapse(&self.attributes.swap_remove(index).value);
        let value = self.within(value, limits::TOKEN, &format!("the value of the attribute {name}"))?;
        match parse(&value) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(self.unexpected(format!("the attribute {name} is {}", quote(&value)), expected)),
        }
    }

    /// An attribute that has to be there.
    pub(super) fn attribute<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, XmlError> {
        match self.optional_attribute(name, expected, parse)? {
            Some(value) => Ok(value),
            None => Err(self.unexpected(format!("the attribute {name} is missing"), expected)),
        }
    }

    /// An attribute with a keyword of an open vocabulary.
    pub(super) fn keyword<T>(&mut self, name: &str, known: impl FnOnce(&str) -> T) -> Result<T, XmlError> {
        self.attribute(name, KEYWORD_EXPECTED, |text| is_keyword(text).then(|| known(text)))
    }

    /// An attribute with a keyword of an open vocabulary that may be absent.
    pub(super) fn optional_keyword<T>(
        &mut self,
        name: &str,
        known: impl FnOnce(&str) -> T,
    ) -> Result<Option<T>, XmlError> {
        self.optional_attribute(name, KEYWORD_EXPECTED, |text| is_keyword(text).then(|| known(text)))
    }

    /// An error at the place where the cursor stands.
    pub(super) fn unexpected(&self, found: impl Into<String>, expected: impl Into<String>) -> XmlError {
        XmlError::Unexpected { place: self.place(), found: found.into(), expected: expected.into() }
    }

    /// Enters the next element if it has one of `names`.
    fn enter(&mut self, names: &[&'static str]) -> Result<Option<&'static str>, XmlError> {
        self.no_attributes_left()?;
        self.skip_blanks()?;
        let found = match self.peek()? {
            Event::Start { name, .. } => names.iter().find(|wanted| *wanted == name).copied(),
            _ => None,
        };
        let Some(name) = found else {
            self.wanted.extend(names);
            return Ok(None);
        };
        if let Event::Start { attributes, .. } = self.next()? {
            self.attributes = attributes;
        }
        self.path.push(name);
        self.wanted.clear();
        Ok(Some(name))
    }

    /// Leaves the element entered last, in which nothing may be left.
    fn leave(&mut self) -> Result<(), XmlError> {
        self.no_attributes_left()?;
        self.skip_blanks()?;
        if !matches!(self.peek()?, Event::End) {
            return Err(self.out_of_place(true));
        }
        self.ahead = None;
        self.path.pop();
        self.wanted.clear();
        Ok(())
    }

    fn no_attributes_left(&mut self) -> Result<(), XmlError> {
        match mem::take(&mut self.attributes).first() {
            Some(attribute) => Err(self.unexpected(
                format!("the attribute {}", quote(&attribute.name.to_string())),
                "only the attributes that the schema names here",
            )),
            None => Ok(()),
        }
    }

    /// Passes over blanks between elements.
    fn skip_blanks(&mut self) -> Result<(), XmlError> {
        while let Event::Text(text) = self.peek()? {
            if !text.bytes().all(is_blank) {
                let found = format!("the text {}", quote(text.trim()));
                return Err(self.unexpected(found, "only elements"));
            }
            self.ahead = None;
        }
        Ok(())
    }

    /// The error for what stands next, which is not what was wanted.
    fn out_of_place(&mut self, may_end: bool) -> XmlError {
        let open = self.path.last().copied().unwrap_or("the document");
        let found = match self.peek() {
            Ok(Event::Start { name, .. }) => format!("the element {}", quote(name)),
            Ok(Event::Text(text)) => format!("the text {}", quote(text.trim())),
            Ok(Event::End | Event::EndOfDocument) => format!("the end of {open}"),
            Err(error) => return error,
        };
        let end = may_end.then(|| format!("the end of {open}"));
        let wanted = self.wanted.iter().map(|name| (*name).to_owned());
        let expected = wanted.chain(end).collect::<Vec<_>>().join(" or ");
        self.unexpected(found, expected)
    }

    /// A text that has no more than `limit` characters.
    fn within(&self, text: String, limit: usize, what: &str) -> Result<String, XmlError> {
        match text.chars().count() {
            count if count > limit => Err(self.limit(format!("{what} has {count} characters"), limit)),
            _ => Ok(text),
        }
    }

    fn limit(&self, what: String, limit: usize) -> XmlError {
        XmlError::Limit { place: self.place(), what, limit }
    }

    fn place(&self) -> Place {
        self.place_at(self.parser.position())
    }

    fn place_at(&self, position: TextPosition) -> Place {
        Place { path: format!("/{}", self.path.join("/")), line: position.row + 1, column: position.column + 1 }
    }

    fn peek(&mut self) -> Result<&Event, XmlError> {
        let event = self.next()?;
        Ok(self.ahead.insert(event))
    }

    fn next(&mut self) -> Result<Event, XmlError> {
        if let Some(event) = self.ahead.take() {
            return Ok(event);
        }
        loop {
            match self.parser.next().map_err(|error| self.syntax(&error))? {
                XmlEvent::StartDocument { version: XmlVersion::Version10, .. }
                | XmlEvent::ProcessingInstruction { .. }
                | XmlEvent::Comment(_) => {}
                XmlEvent::StartDocument { .. } => return Err(self.unexpected("XML 1.1", "XML 1.0")),
                XmlEvent::Doctype { .. } => return Err(XmlError::Doctype(self.place())),
                XmlEvent::StartElement { name, attributes, namespace } => {
                    self.elements += 1;
                    if self.elements > limits::ELEMENTS {
                        return Err(self.limit("too many elements".to_owned(), limits::ELEMENTS));
                    }
                    if namespace.0.len() > NAMESPACES {
                        return Err(self.limit("too many namespaces".to_owned(), NAMESPACES));
                    }
                    if name.namespace.as_deref() != Some(NAMESPACE) {
                        let space = name.namespace.as_deref().map_or("without a namespace".to_owned(), |space| {
                            format!("of the namespace {}", quote(space))
                        });
                        return Err(self.unexpected(
                            format!("the element {} {space}", quote(&name.local_name)),
                            format!("elements of the namespace {NAMESPACE}"),
                        ));
                    }
                    let attributes = attributes.into_iter().filter(|attribute| !is_schema_location(attribute));
                    return Ok(Event::Start { name: name.local_name, attributes: attributes.collect() });
                }
                XmlEvent::EndElement { .. } => return Ok(Event::End),
                XmlEvent::Characters(text) | XmlEvent::CData(text) | XmlEvent::Whitespace(text) => {
                    return Ok(Event::Text(text));
                }
                XmlEvent::EndDocument => return Ok(Event::EndOfDocument),
            }
        }
    }

    fn syntax(&self, error: &xml::reader::Error) -> XmlError {
        let message = match error.kind() {
            ErrorKind::Syntax(message) => shorten(message),
            ErrorKind::UnexpectedEof => "the document ends too early".to_owned(),
            other => shorten(&format!("{other:?}")),
        };
        XmlError::Syntax { place: self.place_at(error.position()), message }
    }
}

const KEYWORD_EXPECTED: &str = "a keyword of 1 to 64 characters";

fn is_keyword(text: &str) -> bool {
    (1..=limits::KEYWORD).contains(&text.chars().count())
}

fn is_schema_location(attribute: &OwnedAttribute) -> bool {
    attribute.name.namespace.as_deref() == Some(SCHEMA_INSTANCE) && attribute.name.local_name == "schemaLocation"
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Without blanks around, and with single blanks within: what a schema calls collapsed.
pub(super) fn collapse(text: &str) -> String {
    let words = text.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// A moment in UTC as the schema has it: `2026-11-24T03:45:00Z`, with up to nine decimals of a second.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let shape = text.bytes().take(19).map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    let decimals = match text.get(19..)?.strip_suffix('Z')? {
        "" => None,
        fraction => Some(fraction.strip_prefix('.')?),
    };
    let sound = shape.eq(b"0000-00-00T00:00:00".iter().copied())
        && decimals.is_none_or(|digits| (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
        && !text.starts_with("0000")
        && text.get(17..19) != Some("60");
    sound.then(|| text.parse().ok()).flatten()
}

/// What comes before the document type declaration, if there is one before the root.
fn before_doctype(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        if let Some(instruction) = rest.strip_prefix("<?") {
            rest = instruction.split_once("?>")?.1;
        } else if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->")?.1;
        } else {
            let is_doctype = rest.get(..9)?.eq_ignore_ascii_case("<!doctype");
            return is_doctype.then(|| text.strip_suffix(rest)).flatten();
        }
    }
}

/// The place right after the text that was read.
fn place_after(read: &str) -> Place {
    let last = read.rsplit('\n').next().unwrap_or_default();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    Place {
        path: "/".to_owned(),
        line: count(read.matches('\n').count()).saturating_add(1),
        column: count(last.chars().count()).saturating_add(1),
    }
}

/// A piece of the document for a message: short, in quotes, control characters escaped.
pub(super) fn quote(text: &str) -> String {
    let mut piece: String = text.chars().take(QUOTED).collect();
    if piece.len() < text.len() {
        piece.push('…');
    }
    format!("{piece:?}")
}

/// A message of the parser, which may quote the document at any length.
fn shorten(message: &str) -> String {
    let mut short: String = message.chars().filter(|character| !character.is_control()).take(200).collect();
    if short.len() < message.len() {
        short.push('…');
    }
    short
}
