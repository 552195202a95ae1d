//! What supplies say beyond the standard table: descriptions taken apart.

use serde::Deserialize;
use wire::vocab::Colorant;

/// How descriptions of supplies come apart.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SupplyRules {
    /// The whole description is the maker's order number.
    pub(super) description_is_part_number: bool,
    /// The last letter of an order number that ends in digits and one of C, M, Y, K is the colour.
    pub(super) color_is_last_letter: bool,
    /// The order number stands behind this text.
    pub(super) part_number_after: Option<String>,
    /// The serial number stands behind this text.
    pub(super) serial_after: Option<String>,
}

/// A description of a supply, taken apart.
pub struct Described {
    /// What is left of the description.
    pub description: String,
    /// Order number.
    pub part_number: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Colour told by the order number.
    pub color: Option<Colorant>,
}

impl SupplyRules {
    /// Takes a description apart.
    pub fn describe(&self, words: &str) -> Described {
        let cut = |mark: &Option<String>| mark.as_deref().and_then(|mark| words.split_once(mark));
        let number = |(_, rest): (&str, &str)| {
            let end = rest.find([',', ';']).unwrap_or(rest.len());
            rest.get(..end).map(str::trim).filter(|number| !number.is_empty()).map(str::to_owned)
        };
        let (part, serial) = (cut(&self.part_number_after), cut(&self.serial_after));
        let ends = [part, serial].into_iter().flatten().map(|(head, _)| head.len()).min();
        let description =
            ends.and_then(|end| words.get(..end)).map_or(words, |head| head.trim_end_matches([',', ' ', ';']));
        let whole = self.description_is_part_number && !words.is_empty() && !words.contains(' ');
        let part_number = if whole { Some(words.to_owned()) } else { part.and_then(number) };
        let color = part_number.as_deref().filter(|_| self.color_is_last_letter).and_then(last_letter_color);
        Described { description: description.to_owned(), serial: serial.and_then(number), part_number, color }
    }
}

fn last_letter_color(part_number: &str) -> Option<Colorant> {
    let mut characters = part_number.chars().rev();
    let color = match characters.next()? {
        'C' => Colorant::Cyan,
        'M' => Colorant::Magenta,
        'Y' => Colorant::Yellow,
        'K' => Colorant::Black,
        _ => return None,
    };
    characters.next()?.is_ascii_digit().then_some(color)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_come_apart() {
        let rules = SupplyRules {
            part_number_after: Some("PN ".into()),
            serial_after: Some("SN ".into()),
            ..SupplyRules::default()
        };
        let described = rules.describe("Black Cartridge, PN CF410X, SN 12345");
        assert_eq!(described.description, "Black Cartridge");
        assert_eq!(described.part_number.as_deref(), Some("CF410X"));
        assert_eq!(described.serial.as_deref(), Some("12345"));
        let rules =
            SupplyRules { description_is_part_number: true, color_is_last_letter: true, ..SupplyRules::default() };
        assert_eq!(rules.describe("CK-8512C").color, Some(Colorant::Cyan));
        assert_eq!(rules.describe("Waste Toner Box").part_number, None);
    }
}
