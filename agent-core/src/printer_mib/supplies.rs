//! The supplies of the standard table: what each is, its colour, what is left of it.

use std::collections::BTreeMap;

use wire::device::{Origin, Supply};
use wire::vocab::{Colorant, SupplyClass, SupplyKind, SupplyUnit};

use super::{
    Column, PRT_COLORANT_VALUE, PRT_SUPPLIES_CLASS, PRT_SUPPLIES_COLORANT_INDEX, PRT_SUPPLIES_DESCRIPTION,
    PRT_SUPPLIES_LEVEL, PRT_SUPPLIES_MAX_CAPACITY, PRT_SUPPLIES_TYPE, PRT_SUPPLIES_UNIT, level_and_capacity, raw,
    row_indexes,
};
use crate::oid::{Oid, dotted};
use crate::profile::SupplyRules;
use crate::reader::Variables;

/// The rows of the supplies table.
pub fn supplies(variables: &Variables, rules: &SupplyRules) -> Vec<Supply> {
    let colorants = colorants(variables);
    row_indexes(variables, &[&PRT_SUPPLIES_LEVEL, &PRT_SUPPLIES_DESCRIPTION])
        .into_iter()
        .map(|index| {
            let number = |column: &Column| variables.cell(column.arcs, index).and_then(|value| value.number());
            let words = variables.text(PRT_SUPPLIES_DESCRIPTION.arcs, index).unwrap_or_default();
            let described = rules.describe(&words);
            let kind = match number(&PRT_SUPPLIES_TYPE) {
                Some(code) => SupplyKind::from_code(code),
                None => kind_in(&words).unwrap_or(SupplyKind::Unknown),
            };
            let by_table = number(&PRT_SUPPLIES_COLORANT_INDEX)
                .and_then(|colorant| u32::try_from(colorant).ok())
                .filter(|colorant| *colorant > 0)
                .and_then(|colorant| colorant_of(&colorants, index, colorant));
            let colored = !is_waste(&kind);
            let color = by_table.or_else(|| colored.then(|| color_in(&words).or(described.color)).flatten());
            let amounts = [number(&PRT_SUPPLIES_LEVEL), number(&PRT_SUPPLIES_MAX_CAPACITY)];
            let (level, capacity) = level_and_capacity(amounts);
            let level = number(&PRT_SUPPLIES_LEVEL).and_then(|code| rules.level(code, capacity)).unwrap_or(level);
            Supply {
                index: dotted(index),
                class: match number(&PRT_SUPPLIES_CLASS) {
                    Some(class) => SupplyClass::from_code(class),
                    None if colored => SupplyClass::Consumed,
                    None => SupplyClass::Receptacle,
                },
                kind,
                color,
                description: described.description,
                part_number: described.part_number,
                serial: described.serial,
                unit: SupplyUnit::from_code(number(&PRT_SUPPLIES_UNIT).unwrap_or(2)),
                capacity,
                level,
                raw: raw(amounts, level, capacity),
                origin: Origin::default(),
            }
        })
        .take(256)
        .collect()
}

/// What the device calls each of its supplies, whole.
pub fn supply_descriptions(variables: &Variables) -> impl Iterator<Item = (Oid, String)> {
    let column = PRT_SUPPLIES_DESCRIPTION.arcs;
    variables
        .column(column)
        .filter_map(move |(index, _)| Some((Oid::new(column)?.child(index), variables.text(column, index)?)))
}

/// The rows of the colorants table.
pub fn colorants(variables: &Variables) -> BTreeMap<&[u32], Colorant> {
    let row = |index| Some((index, color_word(&variables.text(PRT_COLORANT_VALUE.arcs, index)?)?));
    variables.column(PRT_COLORANT_VALUE.arcs).filter_map(|(index, _)| row(index)).collect()
}

/// Whether a device that has it prints in colour.
pub fn is_chromatic(color: &Colorant) -> bool {
    use Colorant::{Blue, Color, Cyan, Green, LightCyan, LightMagenta, Magenta, Orange, Red, Violet, Yellow};
    matches!(color, Cyan | Magenta | Yellow | LightCyan | LightMagenta | Red | Green | Blue | Orange | Violet | Color)
}

/// The colorant of that number of the same device; devices that leave the device index out have it in no row.
fn colorant_of(colorants: &BTreeMap<&[u32], Colorant>, supply: &[u32], colorant: u32) -> Option<Colorant> {
    let device = supply.first().copied()?;
    let exact = colorants.get(&[device, colorant][..]);
    exact
        .or_else(|| colorants.iter().find(|(index, _)| index.last() == Some(&colorant)).map(|(_, color)| color))
        .cloned()
}

/// Whether a supply is a receptacle for what is left over.
pub fn is_waste(kind: &SupplyKind) -> bool {
    matches!(kind, SupplyKind::WasteToner | SupplyKind::WasteInk | SupplyKind::WasteWax | SupplyKind::WasteWater)
}

/// Words that tell what a supply is, the most telling first.
const KIND_WORDS: &[(&str, SupplyKind)] = &[
    ("waste ink", SupplyKind::WasteInk),
    ("waste", SupplyKind::WasteToner),
    ("resttoner", SupplyKind::WasteToner),
    ("drum", SupplyKind::Opc),
    ("trommel", SupplyKind::Opc),
    ("tambour", SupplyKind::Opc),
    ("photoconductor", SupplyKind::Opc),
    ("imaging", SupplyKind::Opc),
    ("developer", SupplyKind::Developer),
    ("fuser", SupplyKind::Fuser),
    ("fusing", SupplyKind::Fuser),
    ("fixing", SupplyKind::Fuser),
    ("transfer", SupplyKind::TransferUnit),
    ("belt", SupplyKind::TransferUnit),
    ("staple", SupplyKind::Staples),
    ("staples", SupplyKind::Staples),
    ("toner", SupplyKind::Toner),
    ("ink", SupplyKind::InkCartridge),
    ("tinte", SupplyKind::InkCartridge),
];

/// What a supply is by its description, where nothing else tells.
pub fn kind_in(description: &str) -> Option<SupplyKind> {
    let lower = description.to_lowercase();
    KIND_WORDS.iter().find(|(words, _)| whole_words(&lower, words).is_some()).map(|(_, kind)| kind.clone())
}

/// Words for colours in the languages of consoles, longest first where one holds another.
const COLOR_WORDS: &[(&str, Colorant)] = &[
    ("photo black", Colorant::PhotoBlack),
    ("matte black", Colorant::MatteBlack),
    ("light black", Colorant::LightBlack),
    ("light cyan", Colorant::LightCyan),
    ("light magenta", Colorant::LightMagenta),
    ("light gray", Colorant::LightGray),
    ("light grey", Colorant::LightGray),
    ("black", Colorant::Black),
    ("schwarz", Colorant::Black),
    ("noir", Colorant::Black),
    ("nero", Colorant::Black),
    ("negro", Colorant::Black),
    ("preto", Colorant::Black),
    ("svart", Colorant::Black),
    ("zwart", Colorant::Black),
    ("cyan", Colorant::Cyan),
    ("zyan", Colorant::Cyan),
    ("ciano", Colorant::Cyan),
    ("cian", Colorant::Cyan),
    ("magenta", Colorant::Magenta),
    ("yellow", Colorant::Yellow),
    ("gelb", Colorant::Yellow),
    ("jaune", Colorant::Yellow),
    ("giallo", Colorant::Yellow),
    ("amarillo", Colorant::Yellow),
    ("amarelo", Colorant::Yellow),
    ("geel", Colorant::Yellow),
    ("gul", Colorant::Yellow),
    ("gray", Colorant::Gray),
    ("grey", Colorant::Gray),
    ("grau", Colorant::Gray),
    ("orange", Colorant::Orange),
    ("violet", Colorant::Violet),
    ("green", Colorant::Green),
    ("white", Colorant::White),
];

/// The colour that a colorant's name is.
fn color_word(name: &str) -> Option<Colorant> {
    let name = name.to_lowercase();
    let keyword = Colorant::from_keyword(&name);
    match keyword {
        Colorant::Other(_) => color_in(&name).or((name.len() <= 40).then_some(Colorant::Other(name))),
        known => Some(known),
    }
}

/// The colour named in a description; only whole words count, and two different colours are none.
pub fn color_in(description: &str) -> Option<Colorant> {
    let mut rest = description.to_lowercase();
    let mut found: Option<Colorant> = None;
    for (words, color) in COLOR_WORDS {
        let Some(at) = whole_words(&rest, words) else { continue };
        if found.is_some() && found.as_ref() != Some(color) {
            return None;
        }
        found = Some(color.clone());
        rest.replace_range(at..at + words.len(), "");
    }
    found
}

fn whole_words(text: &str, words: &str) -> Option<usize> {
    text.match_indices(words).map(|(at, _)| at).find(|at| {
        let letter_before =
            text.get(..*at).and_then(|before| before.chars().next_back()).is_some_and(char::is_alphabetic);
        let letter_after =
            text.get(at + words.len()..).and_then(|after| after.chars().next()).is_some_and(char::is_alphabetic);
        !letter_before && !letter_after
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_a_whole_word_and_the_only_one() {
        assert_eq!(color_in("Black Toner Cartridge"), Some(Colorant::Black));
        assert_eq!(color_in("Tonerkartusche Gelb"), Some(Colorant::Yellow));
        assert_eq!(color_in("Photo Black Ink"), Some(Colorant::PhotoBlack));
        assert_eq!(color_in("Regulator"), None);
        assert_eq!(color_in("Cyan/Magenta/Yellow drum"), None);
    }
}
