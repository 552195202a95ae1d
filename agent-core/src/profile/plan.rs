//! What to ask a device for: everything at first, then what can have changed. And the list of all that may be asked.

use wire::vocab::Service;

use super::Profiles;
use super::form::{IdentityRules, Meaning, Place, Profile, Source};
use crate::oid::Oid;
use crate::printer_mib::{self, Ageing, Column};
use crate::reader::{Plan, Table, Variables};

impl Profiles {
    /// What a full reading of a device with this profile asks for.
    pub fn full_plan(&self, profile: &Profile) -> Plan {
        let mut plan = Plan { tables: printer_mib::tables(), ..Plan::default() };
        for table in &mut plan.tables {
            table.members.retain(|column| !self.lineage(profile).any(|rules| rules.skips(column)));
        }
        let mut columns = Vec::new();
        for place in self.lineage(profile).flat_map(Profile::places) {
            match place {
                Place::Oid(name) => plan.names.push(name),
                Place::Column(column) => columns.push(column),
            }
        }
        plan.tables.extend(related(columns));
        plan.settle();
        plan
    }

    /// What to ask for when the profile was found late, by what the device said under another: what it names and was not
    /// asked for yet.
    pub fn change_plan(&self, profile: &Profile, before: &Profile) -> Plan {
        let asked = self.full_plan(before);
        let mut plan = self.full_plan(profile);
        plan.names.retain(|name| !asked.names.contains(name));
        plan
    }

    /// What to ask for at the end: the last places of fields for which no other had a value.
    pub fn last_plan(&self, profile: &Profile, variables: &Variables) -> Plan {
        let fields: [fn(&IdentityRules) -> &Vec<Source>; 5] = [
            |rules| &rules.manufacturer,
            |rules| &rules.model,
            |rules| &rules.serial,
            |rules| &rules.firmware,
            |rules| &rules.host_name,
        ];
        let mut plan = Plan::default();
        for field in fields {
            let mut last = self.lineage(profile).flat_map(|rules| field(&rules.identity)).filter(|source| source.last);
            let Some(first) = last.next() else { continue };
            if !self.found(profile, variables, field).is_empty() {
                continue;
            }
            for place in [first].into_iter().chain(last).filter_map(Source::place) {
                match place {
                    Place::Oid(name) => plan.names.push(name),
                    Place::Column(column) => plan.tables.extend(related(vec![column])),
                }
            }
        }
        plan.settle();
        plan
    }

    /// What to ask for in another SNMP context: the supplies and markers that the default context lacks, and with them what
    /// the profile names and got no value for. Nothing where the default context has both.
    pub fn context_plan(&self, profile: &Profile, variables: &Variables) -> Plan {
        let mut plan = Plan { tables: printer_mib::context_tables(variables), ..Plan::default() };
        if !plan.tables.is_empty() {
            for place in self.lineage(profile).flat_map(Profile::places) {
                if let Place::Oid(name) = place
                    && variables.get(name.arcs()).is_none()
                {
                    plan.names.push(name);
                }
            }
        }
        plan.settle();
        plan
    }

    /// What a full reading of a device asks for that was read whole before and gave `variables`: the same without what it did
    /// not have then.
    pub fn repeat_plan(&self, profile: &Profile, variables: &Variables) -> Plan {
        let mut plan = self.full_plan(profile);
        let standard = printer_mib::tables().len();
        let has_rows = |column: &Oid| variables.column(column.arcs()).next().is_some();
        for (number, table) in plan.tables.iter_mut().enumerate() {
            let vendors = number >= standard;
            if vendors || !table.leaders.iter().any(has_rows) && table.members.iter().any(has_rows) {
                table.leaders.append(&mut table.members);
                table.leaders.retain(has_rows);
                table.members = table.leaders.split_off(table.leaders.len().min(1));
            }
        }
        let names = printer_mib::system_names().into_iter().chain(std::mem::take(&mut plan.names));
        self.ask_known(&mut plan, names, variables);
        plan.witnesses = self.witnesses(profile, variables);
        plan.settle();
        plan
    }

    /// What a routine poll asks for: of the rows in `variables` those that can change, and the tables whose rows come and go.
    /// What only printing moves is asked for when the printer has printed.
    pub fn routine_plan(&self, profile: &Profile, variables: &Variables) -> Plan {
        let mut plan = Plan { tables: printer_mib::volatile_tables(), ..Plan::default() };
        plan.witnesses = self.witnesses(profile, variables);
        plan.signs.extend(variables.names_below(printer_mib::PRT_MARKER_LIFE_COUNT.arcs));
        let mut names: Vec<Oid> = printer_mib::up_time_name().into_iter().collect();
        for column in printer_mib::COLUMNS.iter().filter(|column| column.ageing == Ageing::Changing) {
            names.extend(variables.names_below(column.arcs));
        }
        names.extend(plan.witnesses.iter().cloned());
        for rules in self.lineage(profile) {
            for (name, meaning) in rules.counted(variables) {
                match meaning {
                    Some(meaning) if meaning.is_total() => {
                        names.push(name.clone());
                        plan.signs.push(name);
                    }
                    // Scanning moves no count of printed pages.
                    Some(meaning) if meaning.service == Service::Scan => names.push(name),
                    _ => plan.details.push(name),
                }
            }
            // A cartridge that was changed moves no count either.
            names.extend(rules.blobs.iter().filter(|blob| !blob.supplies.is_empty()).map(|blob| blob.oid.clone()));
            names.extend(rules.supply_tables.iter().flat_map(|table| variables.names_below(table.levels.arcs())));
        }
        if plan.signs.is_empty() {
            names.append(&mut plan.details);
        }
        self.ask_known(&mut plan, names, variables);
        if plan.steps.is_empty() && plan.names.is_empty() {
            // A poll that asks nothing would pass for an answer.
            plan.names.extend(printer_mib::up_time_name());
        }
        plan.settle();
        plan
    }

    /// Where the serial number of a device comes from.
    fn witnesses(&self, profile: &Profile, variables: &Variables) -> Vec<Oid> {
        let sources = self.lineage(profile).flat_map(|rules| &rules.identity.serial);
        let known = sources.filter(|source| !source.last).filter_map(Source::place).flat_map(|place| match place {
            Place::Oid(name) => variables.get(name.arcs()).map(|_| name).into_iter().collect(),
            Place::Column(column) => variables.names_below(column.arcs()).collect::<Vec<_>>(),
        });
        known.collect()
    }

    /// Adds names that a device has: to the steps, or to the plain names where a step could fall into what is denied.
    fn ask_known(&self, plan: &mut Plan, names: impl IntoIterator<Item = Oid>, variables: &Variables) {
        for name in names {
            if variables.get(name.arcs()).is_none() {
                continue;
            }
            match variables.context(&name).is_none() && self.steps_safely(&name, variables) {
                true => plan.steps.push(name),
                false => plan.names.push(name),
            }
        }
    }

    /// Whether a device that has lost this name would answer a step to it with something that may be read: nothing of what is
    /// denied of the same maker follows, or something that the device is known to have comes first.
    fn steps_safely(&self, name: &Oid, variables: &Variables) -> bool {
        let [head @ .., _, _] = name.arcs() else { return false };
        let maker = head.get(..7).unwrap_or(head);
        let denied = self.denied.iter().find(|prefix| *prefix > name && prefix.arcs().starts_with(maker));
        denied.is_none_or(|denied| variables.after(name).is_some_and(|next| next < denied))
    }
}

impl Profile {
    /// The instances that the device has and that hold counters, each with what it counts; `None` where that is not one thing.
    fn counted(&self, variables: &Variables) -> Vec<(Oid, Option<Meaning>)> {
        let mut counted = Vec::new();
        for rule in &self.counters {
            for place in rule.values() {
                match place {
                    Place::Oid(name) if variables.get(name.arcs()).is_none() => {}
                    Place::Oid(name) => counted.push((name, Some(rule.meaning()))),
                    Place::Column(column) => {
                        let meaning = Some(rule.meaning()).filter(|meaning| meaning.service == Service::Scan);
                        counted.extend(variables.names_below(column.arcs()).map(|name| (name, meaning.clone())));
                    }
                }
            }
        }
        for table in &self.counter_tables {
            for (index, _) in variables.column(table.values.arcs()) {
                if let Some((rule, _)) = table.meaning(variables, index) {
                    counted.push((table.values.child(index), Some(rule.meaning())));
                }
            }
        }
        let blobs = self.blobs.iter().filter(|blob| blob.supplies.is_empty());
        let known = blobs.filter(|blob| variables.get(blob.oid.arcs()).is_some());
        counted.extend(known.map(|blob| (blob.oid.clone(), None)));
        counted
    }
}

/// Columns in groups that have the same rows as far as their names tell: those that differ in one and the same arc only.
fn related(columns: Vec<Oid>) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for column in columns {
        let siblings = |other: &Oid| {
            let pairs = other.arcs().iter().zip(column.arcs());
            other.arcs().len() == column.arcs().len() && pairs.filter(|(one, other)| one != other).count() == 1
        };
        match tables.iter_mut().find(|table| table.leaders.iter().chain(&table.members).all(siblings)) {
            Some(table) => table.members.push(column),
            None => tables.push(Table {
                leaders: vec![column],
                members: Vec::new(),
                likely: 8,
                stands_alone: true,
                sparse: true,
            }),
        }
    }
    tables
}

/// Every object that a reading may ask for, with the profile that asks: the closed list that the documentation publishes.
pub fn readable(profiles: &Profiles) -> Vec<(String, String)> {
    let mut list: Vec<_> = objects(profiles).into_iter().map(|(object, reader)| (object.to_string(), reader)).collect();
    list.dedup();
    list
}

/// The same, for the gate.
pub(super) fn objects(profiles: &Profiles) -> Vec<(Oid, String)> {
    let standard = printer_mib::COLUMNS
        .iter()
        .filter_map(|column: &&Column| Some((Oid::new(column.arcs)?, column.name.to_owned())));
    let system = printer_mib::system_names().into_iter().map(|name| (name, "system".to_owned()));
    let vendors = profiles.profiles.values().flat_map(|profile| {
        let mut places = profile.places();
        places.extend(profile.rare_places());
        let mut objects: Vec<Oid> = Vec::new();
        for place in places {
            if !objects.contains(place.oid()) {
                objects.push(place.oid().clone());
            }
        }
        objects.into_iter().map(|object| (object, profile.name.clone()))
    });
    system.chain(standard).chain(vendors).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_two_tables_that_are_numbered_alike_are_not_taken_for_one() {
        // A column of names and one of values for each of two services.
        let columns = ["1.3.6.8.1.20", "1.3.6.6.1.20", "1.3.6.8.11.20", "1.3.6.6.11.20"]
            .map(|column| Oid::parse(column).unwrap());
        let tables = related(columns.to_vec());
        let grouped: Vec<Vec<Oid>> = tables.into_iter().map(|table| [table.leaders, table.members].concat()).collect();
        let [names, values, other_names, other_values] = columns;
        assert_eq!(grouped, [vec![names, values], vec![other_names, other_values]]);
    }
}
