//! Whether a device that one agent reports is one that another agent has reported before: a box was replaced, or the device
//! was carried to another site. A wrong split can be mended by a click, a wrong merge cannot: what is not sure is asked.

use wire::device::{DeviceRecord, Identity, total};
use wire::identity::{Likeness, Marks};
use wire::meter::{Nature, Step};
use wire::vocab::DoubtKind;

/// What two records say about each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// They are of one device.
    Same,
    /// They may be of one device.
    Ask(DoubtKind),
    /// They are of two devices, or nothing says that they are of one.
    Another,
}

/// Compares a device that is known with one that arrives.
pub fn compare(known: &DeviceRecord, arriving: &DeviceRecord) -> Verdict {
    let nobody = Identity::default();
    let marks = |record: &DeviceRecord| Marks::of(record.identity.as_ref().unwrap_or(&nobody));
    let likeness = Likeness::of(&marks(known), &marks(arriving));
    let goes_on = goes_on(known, arriving);
    match (likeness.serial, likeness.mac) {
        // A serial number and a card are lasting marks; that the meter broke as well is asked by the meter.
        (Some(true), Some(true)) => Verdict::Same,
        (Some(true), None) if goes_on != Some(false) => Verdict::Same,
        (Some(true), _) => Verdict::Ask(DoubtKind::SerialTwice),
        (Some(false), Some(true)) if likeness.model != Some(false) => Verdict::Ask(DoubtKind::BoardSwapped),
        (None, Some(true)) if likeness.model == Some(false) => Verdict::Another,
        (None, Some(true)) if goes_on != Some(false) => Verdict::Same,
        (None, Some(true)) => Verdict::Ask(DoubtKind::LookAlike),
        (None, None) if likeness.is_like() && likeness.host_name == Some(true) && goes_on == Some(true) => {
            Verdict::Ask(DoubtKind::LookAlike)
        }
        _ => Verdict::Another,
    }
}

/// Whether the later of two totals can have come from the earlier one; `None` where one is missing or nought.
fn goes_on(known: &DeviceRecord, arriving: &DeviceRecord) -> Option<bool> {
    let value = |record: &DeviceRecord| total(record.counters.as_deref()?).map(|counter| counter.value);
    let (before, after) = (value(known).filter(|total| *total > 0)?, value(arriving)?);
    let nature = Nature { starts_again: false, counts_pages: true };
    let elapsed = arriving.read_at.duration_since(known.read_at);
    Some(match elapsed.is_negative() {
        false => Step::between(nature, before, after, elapsed).is_sound(),
        true => Step::between(nature, after, before, elapsed.abs()).is_sound(),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use wire::device::{Counter, DeviceId, Snapshot};
    use wire::vocab::{Basis, ColorUse, Confidence, CounterUnit, MediaSize, Service, Sides};

    use super::*;

    /// Serial number, MAC, host name and total; a dash for nothing.
    fn record(marks: &str, hour: i64) -> DeviceRecord {
        let mut words = marks.split(' ').map(|word| Some(word.to_owned()).filter(|word| word != "-"));
        let mut next = || words.next().flatten();
        let identity = Identity {
            serial: next(),
            mac: next().map(|last| format!("00:17:c8:00:00:{last}")),
            host_name: next(),
            model: Some("M".to_owned()),
            sys_object_id: Some("1.3.6.1.4.1.32473.1".to_owned()),
            ..Identity::default()
        };
        let total = next().map(|total| Counter {
            service: Service::System,
            color: ColorUse::Any,
            size: MediaSize::Any,
            sides: Sides::Any,
            unit: CounterUnit::Impressions,
            basis: Basis::Meter,
            value: total.parse().unwrap(),
            source: "1".to_owned(),
            confidence: Confidence::Verified,
        });
        let snapshot = Snapshot { identity, counters: total.into_iter().collect(), ..Snapshot::default() };
        let at = Timestamp::from_second(1_800_000_000 + hour * 3600).unwrap();
        DeviceRecord::full(DeviceId::new("x").unwrap(), "192.0.2.1".to_owned(), at, snapshot)
    }

    #[test]
    fn a_device_is_known_again_by_what_lasts_and_else_asked_about() {
        let ask = Verdict::Ask;
        for (known, arriving, verdict) in [
            ("SN1 01 h 1000", "SN1 01 h 1010", Verdict::Same),
            ("SN1 01 h 1000", "SN1 01 h 3", Verdict::Same),
            ("SN1 - h 1000", "SN1 01 h 1010", Verdict::Same),
            ("SN1 - h 1000", "SN1 01 h 3", ask(DoubtKind::SerialTwice)),
            ("SN1 01 h 1000", "SN1 02 h 1010", ask(DoubtKind::SerialTwice)),
            ("SN1 01 h 1000", "SN2 01 h 3", ask(DoubtKind::BoardSwapped)),
            ("SN1 01 h 1000", "- 01 h 1010", Verdict::Same),
            ("- 01 h 1000", "- 01 h 3", ask(DoubtKind::LookAlike)),
            ("- - h 1000", "- - h 1010", ask(DoubtKind::LookAlike)),
            ("- - h 1000", "- - other 1010", Verdict::Another),
            ("- - h 0", "- - h 0", Verdict::Another),
            ("SN1 01 h 1000", "SN2 02 h 1010", Verdict::Another),
        ] {
            assert_eq!(compare(&record(known, 0), &record(arriving, 2)), verdict, "{known} / {arriving}");
        }
        // Read late by the other agent: the earlier total is the arriving one's.
        assert_eq!(compare(&record("SN1 - h 1010", 2), &record("SN1 - h 1000", 0)), Verdict::Same);
    }
}
