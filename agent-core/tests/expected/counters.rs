//! What it has counted.

use serde_json::Value;
use wire::device::Counter;
use wire::vocab::{Basis, ColorUse, Service, Sides};

use super::{Comparison, sourced};

pub fn compare(comparison: &mut Comparison, expected: &Value) {
    let Some(counters) = expected["counters"].as_object() else { return };
    for (name, entry) in counters {
        let field = format!("counters.{name}");
        let (value, source) = sourced(entry);
        match name.as_str() {
            "by_paper_size" => by_size(comparison, &entry["value"], &source),
            "brother_tlv_counters" | "brother_tlv_maintenance" | "brother_tlv_nextcare" => {} // raw tags; their meanings have entries
            _ => {
                let ours = comparison.snapshot.counters.iter();
                let found = match meaning(name) {
                    Some(meaning) => ours.filter(|counter| meaning.fits(counter)).collect::<Vec<_>>(),
                    // A name without a meaning here has to be found by its place.
                    None => ours.filter(|counter| source.ends_with(&counter.source)).collect(),
                };
                let values: Vec<String> = found.iter().map(|counter| counter.value.to_string()).collect();
                let got = if values.is_empty() { "nothing".to_owned() } else { values.join(" and ") };
                comparison.check(values.contains(&value), &field, &value, got, &source);
                if let (Some(unit), Some(counter)) = (entry["unit"].as_str(), found.first()) {
                    let got = counter.unit.keyword().to_owned();
                    comparison.check(got == unit, &format!("{field}.unit"), unit, got, &source);
                }
            }
        }
    }
}

struct Meaning {
    service: Service,
    color: Vec<ColorUse>,
    sides: Sides,
    basis: Basis,
}

impl Meaning {
    fn fits(&self, counter: &Counter) -> bool {
        counter.service == self.service
            && self.color.contains(&counter.color)
            && counter.sides == self.sides
            && counter.basis == self.basis
            && counter.size == wire::vocab::MediaSize::Any
    }
}

/// What a name means: service, use of colour, sides. `None` for a name whose words are not all known.
fn meaning(name: &str) -> Option<Meaning> {
    let mut meaning =
        Meaning { service: Service::System, color: vec![ColorUse::Any], sides: Sides::Any, basis: Basis::Meter };
    let name = match name {
        "total_prtMarkerLifeCount" => {
            meaning.basis = Basis::Engine;
            return Some(meaning);
        }
        "since_power_on" => {
            meaning.basis = Basis::PowerOn;
            return Some(meaning);
        }
        other => other.replace("single_colour", "single").replace("two_colour", "two").replace("full_colour", "full"),
    };
    for word in name.split('_') {
        match word {
            "total" | "vendor" | "pages" => {}
            "print" => meaning.service = Service::Print,
            "copy" => meaning.service = Service::Copy,
            "fax" => meaning.service = Service::Fax,
            "scan" => meaning.service = Service::Scan,
            "mono" => meaning.color = vec![ColorUse::Monochrome],
            "colour" => meaning.color = vec![ColorUse::Color, ColorUse::FullColor],
            "full" => meaning.color = vec![ColorUse::FullColor, ColorUse::Color],
            "single" => meaning.color = vec![ColorUse::SingleColor],
            "simplex" => meaning.sides = Sides::OneSided,
            "duplex" => meaning.sides = Sides::TwoSided,
            _ => return None,
        }
    }
    Some(meaning)
}

fn by_size(comparison: &mut Comparison, sizes: &Value, source: &str) {
    for (size, counts) in sizes.as_object().into_iter().flatten() {
        for (class, value) in counts.as_object().into_iter().flatten() {
            let color = match class.as_str() {
                "total" => ColorUse::Any,
                "mono" => ColorUse::Monochrome,
                "full_colour" => ColorUse::FullColor,
                "single_colour" => ColorUse::SingleColor,
                other => ColorUse::from_keyword(other),
            };
            let fits = |counter: &&Counter| {
                counter.service == Service::System
                    && counter.color == color
                    && counter.size.keyword().eq_ignore_ascii_case(size)
            };
            let got = comparison.snapshot.counters.iter().find(fits).map(|counter| counter.value);
            // A size of which nothing was counted needs no row.
            let agrees = got.unwrap_or(0) == value.as_u64().unwrap_or(u64::MAX);
            let got = got.map_or("nothing".to_owned(), |got| got.to_string());
            comparison.check(agrees, &format!("counters.by_paper_size.{size}.{class}"), value, got, source);
        }
    }
}
