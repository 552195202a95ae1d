//! Printers that are not as the standard says: `quirks.toml`, compiled in.

use anyhow::{Context, Result, bail};
use serde::Deserialize;

const FILE: &str = include_str!("../quirks.toml");

/// What is different about one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quirks {
    /// Reading breaks it.
    pub one_way: bool,
    /// The kernel's driver must not get it back.
    pub keep_driver_off: bool,
    /// It is not to be opened.
    pub leave_alone: bool,
    /// It loses data when it is let go at once.
    pub slow_close: bool,
    /// It wants a soft reset first.
    pub soft_reset: bool,
}

/// The table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuirkTable {
    one_way: Vec<String>,
    keep_driver_off: Vec<String>,
    leave_alone: Vec<String>,
    slow_close: Vec<String>,
    soft_reset: Vec<String>,
}

impl QuirkTable {
    /// The one that is compiled in.
    pub fn built_in() -> Result<Self> {
        let table: Self = toml::from_str(FILE).context("quirks.toml")?;
        let lists = [&table.one_way, &table.keep_driver_off, &table.leave_alone, &table.slow_close, &table.soft_reset];
        for row in lists.into_iter().flatten() {
            let is_number = |text: &str| text.len() == 4 && u16::from_str_radix(text, 16).is_ok();
            match row.split_once(':') {
                Some((vendor, product)) if is_number(vendor) && (product == "*" || is_number(product)) => {}
                _ => bail!("quirks.toml: `{row}` is no pair of USB numbers"),
            }
        }
        Ok(table)
    }

    /// What is different about a device.
    pub fn of(&self, vendor: u16, product: u16) -> Quirks {
        let names = [format!("{vendor:04x}:{product:04x}"), format!("{vendor:04x}:*")];
        let has = |list: &[String]| list.iter().any(|row| names.contains(row));
        Quirks {
            one_way: has(&self.one_way),
            keep_driver_off: has(&self.keep_driver_off),
            leave_alone: has(&self.leave_alone),
            slow_close: has(&self.slow_close),
            soft_reset: has(&self.soft_reset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound_and_knows_a_one_way_printer() {
        let table = QuirkTable::built_in().unwrap();
        assert!(table.of(0x0482, 0x0010).one_way);
        assert_eq!(table.of(0x1d6b, 0x0104), Quirks::default());
    }
}
