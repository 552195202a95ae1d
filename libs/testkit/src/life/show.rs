//! A printer's state as rows of its MIB: what somebody who asks gets to see. Changes nothing in the life.

use super::{
    Alert, Life, Trouble, What,
    facts::{Kind, column},
};
use crate::{
    oid::{Oid, Value},
    printer_sim::Printer,
};

impl Life {
    /// Writes what has changed into the rows of the printer.
    pub fn show(&self, printer: &mut Printer) {
        self.show_counters(printer);
        self.show_status(printer);
        self.show_covers(printer);
        self.show_trays(printer);
        self.show_supplies(printer);
        self.show_console(printer);
        self.show_alerts(printer);
    }

    fn show_counters(&self, printer: &mut Printer) {
        for (spot, number) in &self.state.counters {
            if let Some(value) = spot.written(printer.rows(), *number) {
                printer.set(spot.oid.clone(), Some(value));
            }
        }
        for name in [column::UPTIME, column::HOST_UPTIME] {
            self.replace(printer, Some(column(name)), Value::TimeTicks(wrapped(self.uptime())));
        }
    }

    fn show_status(&self, printer: &mut Printer) {
        let alerts = &self.state.alerts;
        let stopped = alerts.iter().any(|alert| alert.critical);
        let device = match (stopped, alerts.is_empty()) {
            (true, _) => 5,
            (false, false) => 3,
            (false, true) => 2,
        };
        let prints = self.state.job.as_ref().is_some_and(|job| !job.service.starts_with("send"));
        let state = match () {
            () if stopped => 1,
            () if self.state.clock < self.state.warm_at => 5,
            () if prints => 4,
            () if self.is_asleep() => 1,
            () => 3,
        };
        let row = &self.facts.device;
        self.replace(printer, row.of(&column(column::DEVICE_STATUS)), Value::Integer(device));
        self.replace(printer, row.of(&column(column::PRINTER_STATUS)), Value::Integer(state));
        let bits = alerts.iter().fold(0_u16, |bits, alert| bits | (0x8000 >> alert.error_bit()));
        let octets = if bits == 0 { self.facts.error_octets.1 } else { self.facts.error_octets.0 };
        let bits = bits.to_be_bytes().get(..octets.min(2)).unwrap_or_default().to_vec();
        self.replace(printer, row.of(&column(column::ERROR_STATE)), Value::OctetString(bits));
        for (name, count) in [(column::CRITICAL_EVENTS, self.state.events.0), (column::ALL_EVENTS, self.state.events.1)]
        {
            self.replace(printer, row.of(&column(name)), Value::Counter32(wrapped(count)));
        }
    }

    fn show_covers(&self, printer: &mut Printer) {
        for row in self.facts.covers.keys() {
            let status = if self.is_planned_for(What::Cover, row) { 3 } else { 4 };
            self.replace(printer, row.of(&column(column::COVER_STATUS)), Value::Integer(status));
        }
    }

    fn show_trays(&self, printer: &mut Printer) {
        for (row, tray) in &self.facts.trays {
            let sheets = self.sheets_in(row);
            let shown = match tray.level {
                level if level < 0 && sheets > 0 => level,
                _ => i64::try_from((sheets.div_ceil(tray.step) * tray.step).min(tray.capacity)).unwrap_or_default(),
            };
            let has = |trouble| self.state.alerts.iter().any(|alert| alert.trouble == trouble && alert.row == *row);
            // PrtSubUnitStatusTC: 19 unavailable with a critical alert, 8 a warning, 0 available and idle.
            let status = match () {
                () if has(Trouble::TrayEmpty) => 19,
                () if has(Trouble::TrayLow) => 8,
                () => 0,
            };
            self.replace(printer, row.of(&column(column::INPUT_LEVEL)), Value::Integer(integer(shown)));
            self.replace(printer, row.of(&column(column::INPUT_STATUS)), Value::Integer(status));
        }
    }

    fn show_supplies(&self, printer: &mut Printer) {
        for supply in &self.model.supply {
            let Some(facts) = self.facts.supplies.get(&supply.row) else { continue };
            let left = self.percent_left(supply);
            let percent = i64::try_from(left).unwrap_or_default();
            let shown = match (facts.level, facts.capacity) {
                (-3, _) if left == 0 => 0,
                (code @ ..0, _) => code,
                (_, capacity @ 1..) => capacity * percent / 100,
                _ => percent,
            };
            self.replace(printer, supply.row.of(&column(column::SUPPLY_LEVEL)), Value::Integer(integer(shown)));
            for spot in &supply.also {
                if let Some(value) = spot.written(printer.rows(), left) {
                    printer.set(spot.oid.clone(), Some(value));
                }
            }
        }
    }

    fn show_console(&self, printer: &mut Printer) {
        let lines = self.console();
        for (number, oid) in self.facts.console.iter().enumerate() {
            let line = lines.get(number).map(String::as_str).unwrap_or_default();
            printer.set(oid.clone(), Some(Value::text(line)));
        }
        let first = lines.first().map(String::as_str).unwrap_or_default();
        for (oid, length) in &self.facts.repeats {
            printer.set(oid.clone(), Some(Value::text(&format!("{first:length$}"))));
        }
    }

    /// What the display says: the worst first.
    fn console(&self) -> Vec<String> {
        let texts = &self.model.texts;
        let mut alerts: Vec<&Alert> = self.state.alerts.iter().collect();
        alerts.sort_by_key(|alert| (!alert.critical, alert.trouble, alert.index));
        let state = match &self.state.job {
            _ if self.is_asleep() => &texts.sleeping,
            _ if self.state.clock < self.state.warm_at => &texts.warming,
            Some(job) if !job.service.starts_with("send") => &texts.printing,
            _ => &texts.ready,
        };
        let stopped = alerts.first().is_some_and(|alert| alert.critical);
        let own = (!stopped).then(|| state.clone());
        own.into_iter().chain(alerts.into_iter().map(|alert| self.text(alert))).collect()
    }

    fn text(&self, alert: &Alert) -> String {
        let texts = &self.model.texts;
        let text = match alert.trouble {
            Trouble::Cover => &texts.cover,
            Trouble::Jam => &texts.jam,
            Trouble::TrayEmpty => &texts.tray_empty,
            Trouble::TrayLow => &texts.tray_low,
            Trouble::SupplyOut => &texts.supply_out,
            Trouble::SupplyLow => &texts.supply_low,
            Trouble::WasteFull => &texts.waste_full,
            Trouble::WasteNearFull => &texts.waste_near_full,
            Trouble::PartOver => &texts.part_over,
            Trouble::PartLow => &texts.part_low,
        };
        let facts = &self.facts;
        let covers = facts.covers.get(&alert.row).filter(|_| alert.trouble == Trouble::Cover);
        let trays = || facts.trays.get(&alert.row).map(|tray| &tray.name);
        let supplies = || facts.supplies.get(&alert.row).map(|supply| &supply.name);
        let part = match alert.trouble {
            Trouble::Cover => covers,
            Trouble::TrayEmpty | Trouble::TrayLow => trays(),
            Trouble::Jam => None,
            _ => supplies(),
        };
        text.replace("{}", part.map(String::as_str).unwrap_or_default())
    }

    /// prtAlertTable: the rows of the recording, and one for each trouble under an index that is never used twice.
    fn show_alerts(&self, printer: &mut Printer) {
        let table = column(column::ALERTS);
        let own = |oid: &&Oid| oid.arcs().last().is_some_and(|index| *index >= self.facts.first_alert);
        let rows = printer.rows().range(table.clone()..).map(|(oid, _)| oid).take_while(|oid| oid.is_within(&table));
        for oid in rows.filter(own).cloned().collect::<Vec<_>>() {
            printer.set(oid, None);
        }
        let device = self.facts.device.number();
        for alert in &self.state.alerts {
            let severity = if alert.critical { 3 } else { self.model.warning_severity };
            let cells = [
                Value::Integer(severity),
                // Anybody can put it right, but for parts, which want a technician.
                Value::Integer(if matches!(alert.trouble, Trouble::PartLow | Trouble::PartOver) { 5 } else { 3 }),
                Value::Integer(alert.group()),
                Value::Integer(i32::try_from(alert.row.number()).unwrap_or_default()),
                Value::Integer(-2),
                Value::Integer(self.code(alert)),
                Value::text(&self.text(alert)),
                Value::TimeTicks(wrapped(alert.uptime)),
            ];
            for (column, value) in (2..).zip(cells) {
                if let Some(oid) = table.child(&[column, device, alert.index]) {
                    printer.set(oid, Some(value));
                }
            }
        }
    }

    /// PrtAlertCodeTC.
    fn code(&self, alert: &Alert) -> i32 {
        let ink =
            self.facts.supplies.get(&alert.row).is_some_and(|supply| matches!(supply.kind, Kind::Ink | Kind::WasteInk));
        match (alert.trouble, ink) {
            (Trouble::Cover, _) => 3,
            (Trouble::Jam, _) => 8,
            (Trouble::PartLow, _) => 10,
            (Trouble::PartOver, _) => 11,
            (Trouble::TrayLow, _) => 807,
            (Trouble::TrayEmpty, _) => 808,
            (Trouble::SupplyOut, false) => 1101,
            (Trouble::SupplyOut, true) => 1102,
            (Trouble::SupplyLow, false) => 1104,
            (Trouble::SupplyLow, true) => 1105,
            (Trouble::WasteNearFull, false) => 1107,
            (Trouble::WasteNearFull, true) => 1108,
            (Trouble::WasteFull, false) => 1109,
            (Trouble::WasteFull, true) => 1110,
        }
    }

    /// Sets a row that the device has; what it does not have it does not get.
    fn replace(&self, printer: &mut Printer, oid: Option<Oid>, value: Value) {
        if let Some(oid) = oid.filter(|oid| printer.rows().contains_key(oid)) {
            printer.set(oid, Some(value));
        }
    }
}

impl Alert {
    /// PrtAlertGroupTC.
    fn group(&self) -> i32 {
        match self.trouble {
            Trouble::Cover => 6,
            Trouble::TrayEmpty | Trouble::TrayLow => 8,
            Trouble::Jam => 13,
            _ => 11,
        }
    }

    /// The bit of hrPrinterDetectedErrorState, from the most significant one of the first octet on.
    fn error_bit(&self) -> u32 {
        match (self.trouble, self.critical) {
            (Trouble::TrayLow, _) => 0,
            (Trouble::TrayEmpty, true) => 1,
            (Trouble::SupplyLow, _) => 2,
            (Trouble::SupplyOut, _) => 3,
            (Trouble::Cover, _) => 4,
            (Trouble::Jam, _) => 5,
            (Trouble::WasteFull, _) => 7,
            (Trouble::TrayEmpty, false) => 13,
            (Trouble::WasteNearFull | Trouble::PartLow | Trouble::PartOver, _) => 14,
        }
    }
}

fn integer(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn wrapped(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}
