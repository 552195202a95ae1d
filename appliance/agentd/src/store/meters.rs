//! Meters: where each counter stands, and its value on each day. What a reading means is judged by [`wire::meter`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Transaction, params};
use wire::device::Counter;
use wire::meter::{CounterKey, Meter, Nature, Remark, Standing};
use wire::vocab::{MediaSize, Sides};

use super::{Result, Store, moment};

const DAY: i64 = 86_400_000;

/// The value of a counter at the end of a day, or of an epoch that ended on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyMeter {
    /// Days since 1970.
    pub day: i64,
    /// The last value of the day.
    pub standing: Standing,
    /// What was remarkable last on that day.
    pub remark: Remark,
}

impl Store {
    /// The daily values of a counter, oldest first.
    pub fn meters(&self, id: &str, key: &CounterKey) -> Result<Vec<DailyMeter>> {
        let connection = self.connection();
        let mut rows = connection.prepare_cached(
            "SELECT day, value, wraps, epoch, remark FROM meter WHERE device_id = ?1 AND key = ?2 ORDER BY day, epoch",
        )?;
        let meters = rows.query_map([id, key.as_str()], |row| {
            let day: i64 = row.get(0)?;
            let at = moment(day.saturating_mul(DAY));
            let value = row.get::<_, i64>(1)?.cast_unsigned();
            Ok(DailyMeter {
                day,
                standing: Standing { value, wraps: row.get(2)?, epoch: row.get(3)?, at },
                remark: Remark::from_keyword(&row.get::<_, String>(4)?),
            })
        })?;
        Ok(meters.collect::<Result<_, _>>()?)
    }
}

/// The meters of one device.
#[derive(Debug, Default)]
pub(super) struct Meters(BTreeMap<CounterKey, Meter>);

impl Meters {
    /// From their lines; a line that cannot be read is a meter that begins anew.
    pub fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(parse_line).collect())
    }

    /// As lines.
    pub fn text(&self) -> String {
        let standing = |at: &Standing| format!("{} {} {} {}", at.value, at.wraps, at.epoch, at.at.as_millisecond());
        let line = |(key, meter): (&CounterKey, &Meter)| {
            let left = meter.left.as_ref().map(|left| format!(" {}", standing(left))).unwrap_or_default();
            format!("{key}\t{} {}{left}\n", meter.newest, standing(&meter.now))
        };
        self.0.iter().map(line).collect()
    }

    /// Takes a reading, and keeps the values of its day. Gives the counters whose row of readings broke.
    pub fn advance(
        &mut self,
        change: &Transaction<'_>,
        id: &str,
        counters: &[Counter],
        at: Timestamp,
    ) -> Result<Vec<(String, Remark)>> {
        let mut insert = change.prepare_cached("INSERT OR REPLACE INTO meter VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        let mut breaks = Vec::new();
        let mut next = BTreeMap::new();
        for counter in counters {
            let key = CounterKey::of(counter);
            // Two rows that say they count the same: the first is the meter.
            if next.contains_key(&key) {
                continue;
            }
            let before = self.0.get(&key);
            let (meter, remark) = match before {
                Some(meter) => meter.advance(Nature::of(counter), counter.value, at),
                None => (Meter::begin(counter.value, at), Remark::Plain),
            };
            if remark != Remark::Plain {
                breaks.push((counter.name(), remark));
            }
            let moved = before.is_none_or(|before| before.now.value != meter.now.value || remark != Remark::Plain);
            if moved && counter.size == MediaSize::Any && counter.sides == Sides::Any {
                let Standing { value, wraps, epoch, .. } = meter.now;
                let day = at.as_millisecond().div_euclid(DAY);
                let value = value.cast_signed();
                insert.execute(params![id, key.as_str(), day, epoch, value, wraps, remark.keyword()])?;
            }
            next.insert(key, meter);
        }
        // A value that vanished for a while comes back to its meter.
        self.0.append(&mut next);
        Ok(breaks)
    }
}

fn parse_line(line: &str) -> Option<(CounterKey, Meter)> {
    let (key, rest) = line.split_once('\t')?;
    let numbers: Vec<i128> = rest.split(' ').map(|word| word.parse().ok()).collect::<Option<_>>()?;
    let standing = |numbers: &[i128]| {
        let [value, wraps, epoch, at] = numbers else { return None };
        Some(Standing {
            value: (*value).try_into().ok()?,
            wraps: (*wraps).try_into().ok()?,
            epoch: (*epoch).try_into().ok()?,
            at: moment((*at).try_into().ok()?),
        })
    };
    let (newest, standings) = numbers.split_first()?;
    let now = standing(standings.get(..4)?)?;
    let left = standings.get(4..).and_then(standing);
    Some((CounterKey::kept(key.to_owned()), Meter { now, left, newest: (*newest).try_into().ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meters_survive_their_lines() {
        let at = moment(1_800_000_000_123);
        let now = Standing { value: u64::MAX, wraps: 1, epoch: 3, at };
        let left = Some(Standing { value: 0, wraps: 0, epoch: 2, at });
        let meters = [("a/b", Meter { now, left, newest: 4 }), ("c", Meter::begin(7, at))];
        let meters = Meters(meters.into_iter().map(|(key, meter)| (CounterKey::kept(key.to_owned()), meter)).collect());
        assert_eq!(Meters::parse(&meters.text()).0, meters.0);
        assert_eq!(Meters::parse("spoilt\nx\t1 2\n").0, BTreeMap::new());
    }
}
