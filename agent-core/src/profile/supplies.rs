//! What supplies say beyond the standard table: descriptions taken apart, levels from places of the maker's.

use wire::device::{Level, Origin, Raw, Supply};
use wire::vocab::{Colorant, Confidence, SupplyClass, SupplyKind, SupplyUnit};

use super::Profiles;
use super::form::{Blob, BlobForm, BlobSupply, Join, LevelCode, PrintsIn, Profile, SupplyRules, SupplyTable, plain};
use crate::oid::dotted;
use crate::printer_mib;
use crate::reader::Variables;

/// Most supplies kept of one device.
const MAX_SUPPLIES: usize = 256;

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

/// What a place of the maker's tells of one supply.
#[derive(Debug)]
struct Told {
    names: Vec<String>,
    kind: Option<SupplyKind>,
    color: Option<Colorant>,
    join: Join,
    row: Option<u32>,
    index: String,
    level: Level,
    unit: SupplyUnit,
    capacity: Option<u32>,
    part_number: Option<String>,
    serial: Option<String>,
    origin: Origin,
}

impl Profiles {
    /// The supplies of the standard table, each with the best level that any place tells; then those that it lacks.
    pub(super) fn supplies(&self, profile: &Profile, variables: &Variables, model: Option<&str>) -> Vec<Supply> {
        let rules = self.supply_rules(profile);
        let mut supplies = printer_mib::supplies(variables, &rules);
        let prints_with_ink = model.is_some_and(|model| rules.ink_models.iter().any(|part| model.contains(part)));
        for own in self.lineage(profile) {
            let sure = |rule: &Option<Confidence>| rule.clone().unwrap_or_else(|| own.confidence.clone());
            let tables = own.supply_tables.iter().flat_map(|table| table.read(variables, &sure));
            let blobs = own.blobs.iter().flat_map(|blob| blob.supplies(variables, prints_with_ink, &sure));
            for told in tables.chain(blobs) {
                merge(&mut supplies, told);
            }
        }
        supplies.truncate(MAX_SUPPLIES);
        supplies
    }

    /// What a device prints in; `None` where neither a colorant nor a supply says.
    pub(super) fn prints_in(&self, profile: &Profile, variables: &Variables) -> Option<PrintsIn> {
        let supplies = self.supplies(profile, variables, None).into_iter().filter_map(|supply| supply.color);
        let colors: Vec<Colorant> = printer_mib::colorants(variables).into_values().chain(supplies).collect();
        if colors.iter().any(printer_mib::is_chromatic) {
            Some(PrintsIn::Color)
        } else if colors.contains(&Colorant::Black) {
            Some(PrintsIn::Monochrome)
        } else {
            None
        }
    }

    /// How the supplies of the standard table are understood.
    pub(super) fn supply_rules(&self, profile: &Profile) -> SupplyRules {
        self.lineage(profile).find_map(|rules| rules.supplies.clone()).unwrap_or_default()
    }
}

/// Takes over what a place of the maker's knows better.
fn merge(supplies: &mut Vec<Supply>, told: Told) {
    let Some(row) = told.row_in(supplies) else {
        let receptacle = told.kind.as_ref().is_some_and(printer_mib::is_waste);
        supplies.push(Supply {
            index: told.index,
            kind: told.kind.unwrap_or(SupplyKind::Unknown),
            class: if receptacle { SupplyClass::Receptacle } else { SupplyClass::Consumed },
            color: told.color,
            description: told.names.into_iter().next().unwrap_or_default(),
            part_number: told.part_number,
            serial: told.serial,
            unit: told.unit,
            capacity: told.capacity,
            level: told.level,
            raw: Raw::default(),
            origin: told.origin,
        });
        return;
    };
    let Some(supply) = supplies.get_mut(row) else { return };
    supply.part_number = supply.part_number.take().or(told.part_number);
    supply.serial = supply.serial.take().or(told.serial);
    supply.color = supply.color.take().or(told.color);
    if worth(told.level, told.capacity) > worth(supply.level, supply.capacity.or(percent_unit(&supply.unit))) {
        if supply.origin.source.is_none() {
            supply.raw = Raw {
                level: supply.raw.level.or(supply.level.code()),
                capacity: supply.raw.capacity.or(supply.capacity.map(i64::from)),
            };
        }
        supply.level = told.level;
        supply.capacity = told.capacity;
        supply.unit = told.unit;
        supply.origin = told.origin;
    }
}

fn percent_unit(unit: &SupplyUnit) -> Option<u32> {
    (*unit == SupplyUnit::Percent).then_some(100)
}

/// How much a level says.
fn worth(level: Level, capacity: Option<u32>) -> u8 {
    match level {
        Level::Measured(_) | Level::Empty if capacity.is_some() => 3,
        Level::Measured(_) | Level::Empty | Level::NearlyEmpty => 2,
        Level::SomeLeft => 1,
        Level::NoLimit | Level::Unknown => 0,
    }
}

impl Told {
    /// The row of the standard table that is the same supply.
    fn row_in(&self, supplies: &[Supply]) -> Option<usize> {
        let names: Vec<String> = self.names.iter().map(|name| plain(name)).filter(|name| !name.is_empty()).collect();
        let by_name = || supplies.iter().position(|supply| names.contains(&plain(&supply.description)));
        match self.join {
            Join::Row => {
                let row = self.row?.to_string();
                supplies.iter().position(|supply| supply.index.rsplit('.').next() == Some(&row))
            }
            Join::Name => by_name().or_else(|| self.by_color(supplies)),
            Join::Color => self.by_color(supplies),
        }
    }

    fn by_color(&self, supplies: &[Supply]) -> Option<usize> {
        let kind = self.kind.as_ref().filter(|kind| !matches!(kind, SupplyKind::Unspecified | SupplyKind::Unknown));
        let alike: Vec<usize> = supplies
            .iter()
            .enumerate()
            .filter(|(_, supply)| match kind {
                Some(kind) => family(kind) == family(&supply.kind),
                None => self.color.is_some() && supply.class != SupplyClass::Receptacle,
            })
            .map(|(row, _)| row)
            .collect();
        let color_of = |row: &usize| supplies.get(*row).and_then(|supply| supply.color.clone());
        let same = alike.iter().find(|row| color_of(row) == self.color).copied();
        // A device with one cartridge often does not say that it is black.
        let only = || match alike.as_slice() {
            [row] if self.color == Some(Colorant::Black) && color_of(row).is_none() => Some(*row),
            _ => None,
        };
        same.filter(|_| kind.is_some() || self.color.is_some()).or_else(only)
    }
}

/// Kinds that the standard and makers tell apart for one thing.
fn family(kind: &SupplyKind) -> &str {
    match kind {
        SupplyKind::Toner | SupplyKind::TonerCartridge | SupplyKind::MatteToner => "toner",
        SupplyKind::Ink | SupplyKind::InkCartridge | SupplyKind::MatteInk => "ink",
        other => other.keyword(),
    }
}

impl SupplyTable {
    fn read(&self, variables: &Variables, sure: &dyn Fn(&Option<Confidence>) -> Confidence) -> Vec<Told> {
        let told = |(index, value): (&[u32], &crate::snmp::message::Value)| {
            let text = |column: &Option<crate::oid::Oid>| variables.text(column.as_ref()?.arcs(), index);
            let names: Vec<String> =
                self.names.iter().filter_map(|column| variables.text(column.arcs(), index)).collect();
            let number = value.number()?;
            let capacity = match &self.capacities {
                Some(column) => {
                    variables.cell(column.arcs(), index)?.number().and_then(|most| u32::try_from(most).ok())
                }
                None => Some(100),
            };
            Some(Told {
                kind: names.iter().find_map(|name| printer_mib::kind_in(name)).or_else(|| self.kind.clone()),
                color: names.iter().find_map(|name| printer_mib::color_in(name)),
                join: self.join,
                row: index.last().copied(),
                index: format!("#{}", dotted(index)),
                level: code(&self.codes, number).unwrap_or_else(|| Level::from_code(number)),
                unit: self.unit.clone(),
                capacity: capacity.filter(|most| *most > 0),
                part_number: text(&self.part_numbers),
                serial: text(&self.serials),
                origin: Origin {
                    source: Some(self.levels.child(index).to_string()),
                    confidence: sure(&self.confidence),
                },
                names,
            })
        };
        variables.column(self.levels.arcs()).filter_map(told).take(MAX_SUPPLIES).collect()
    }
}

impl Blob {
    fn supplies(
        &self,
        variables: &Variables,
        prints_with_ink: bool,
        sure: &dyn Fn(&Option<Confidence>) -> Confidence,
    ) -> Vec<Told> {
        let records = self.records(variables);
        let told = |rule: &BlobSupply| {
            let record = records.iter().find(|record| record.tag == rule.tag)?;
            let (level, unit, capacity) = rule.level(record)?;
            let ink = prints_with_ink && rule.kind == SupplyKind::Toner;
            let name = if ink { rule.description.replace("Toner", "Ink") } else { rule.description.clone() };
            Some(Told {
                names: vec![name],
                kind: Some(if ink { SupplyKind::InkCartridge } else { rule.kind.clone() }),
                color: rule.color.clone(),
                join: Join::Name,
                row: None,
                index: format!("#{:02x}", rule.tag),
                level,
                unit,
                capacity,
                part_number: None,
                serial: None,
                origin: Origin { source: Some(self.source(rule.tag)), confidence: sure(&rule.confidence) },
            })
        };
        self.supplies.iter().filter_map(told).collect()
    }
}

impl BlobSupply {
    fn level(&self, record: &super::blob::Record) -> Option<(Level, SupplyUnit, Option<u32>)> {
        let share = |share: u64| {
            let share = u32::try_from(share.min(100)).unwrap_or(100);
            (if share == 0 { Level::Empty } else { Level::Measured(share) }, SupplyUnit::Percent, Some(100))
        };
        // What is left of less than half a hundredth is not nothing.
        let rounded = |number: u64, whole: u64| {
            let hundredths = number.min(whole).saturating_mul(100);
            let share = hundredths.saturating_add(whole / 2) / whole.max(1);
            if number > 0 { share.max(1) } else { share }
        };
        Some(match self.form {
            BlobForm::Percent => share(record.number()?),
            BlobForm::Hundredths => share(rounded(record.number()?, 10_000)),
            BlobForm::Fraction => match record.octets.as_slice() {
                [level, whole] if *whole > 0 => share(rounded(u64::from(*level), u64::from(*whole))),
                _ => return None,
            },
            BlobForm::Pages => {
                let pages = u32::try_from(record.number()?).ok()?;
                (if pages == 0 { Level::Empty } else { Level::Measured(pages) }, SupplyUnit::Impressions, None)
            }
            BlobForm::Codes => {
                let number = i64::try_from(record.number()?).ok()?;
                (code(&self.codes, number)?, SupplyUnit::Percent, None)
            }
        })
    }
}

/// What a number means that stands for a level.
fn code(codes: &[LevelCode], number: i64) -> Option<Level> {
    codes.iter().find(|known| known.code == number).map(|known| known.level)
}

impl SupplyRules {
    /// The level of a row, where its number is a code of the maker's.
    pub fn level(&self, number: i64, capacity: Option<u32>) -> Option<Level> {
        if self.level_codes_without_capacity && capacity.is_some() {
            return None;
        }
        code(&self.level_codes, number)
    }

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
