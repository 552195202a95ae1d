//! What to ask a device for: everything at first, then what can have changed. And the list of all that may be asked.

use super::Profiles;
use super::form::{Place, Profile};
use crate::oid::Oid;
use crate::printer_mib::{self, Ageing, Column};
use crate::reader::{Plan, Variables};

impl Profiles {
    /// What a full reading of a device with this profile asks for.
    pub fn full_plan(&self, profile: &Profile) -> Plan {
        let mut plan = Plan::default();
        plan.columns.extend(printer_mib::COLUMNS.iter().filter_map(|column| Oid::new(column.arcs)));
        for place in self.lineage(profile).flat_map(Profile::places) {
            plan.add(place);
        }
        plan.settle();
        plan
    }

    /// What to ask for in another SNMP context: the supplies and markers that the default context lacks, and with them what
    /// the profile names and got no value for. Nothing where the default context has both.
    pub fn context_plan(&self, profile: &Profile, variables: &Variables) -> Plan {
        let mut plan = Plan::default();
        for (sign, columns) in printer_mib::IN_CONTEXTS {
            if variables.column(sign.arcs).next().is_none() {
                plan.columns.extend(columns.iter().filter_map(|column| Oid::new(column.arcs)));
            }
        }
        if !plan.columns.is_empty() {
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

    /// What a routine poll asks for: the rows known from `variables` that can change, and the tables whose rows come and go.
    pub fn routine_plan(&self, profile: &Profile, variables: &Variables) -> Plan {
        let mut plan = Plan::default();
        plan.names.extend(printer_mib::up_time_name());
        for column in printer_mib::COLUMNS {
            match column.ageing {
                Ageing::Steady => {}
                Ageing::Changing => plan.names.extend(variables.names_below(column.arcs)),
                Ageing::Volatile => plan.columns.extend(Oid::new(column.arcs)),
            }
        }
        for source in self.lineage(profile).flat_map(|rules| &rules.identity.serial) {
            match &source.place {
                Place::Oid(name) => plan.witnesses.extend(variables.get(name.arcs()).is_some().then(|| name.clone())),
                Place::Column(column) => plan.witnesses.extend(variables.names_below(column.arcs())),
            }
        }
        plan.names.extend(plan.witnesses.iter().cloned());
        for rule in self.lineage(profile).flat_map(|rules| &rules.counters) {
            for place in rule.values() {
                match place {
                    Place::Oid(name) => plan.names.extend(variables.get(name.arcs()).is_some().then_some(name)),
                    Place::Column(column) => plan.names.extend(variables.names_below(column.arcs())),
                }
            }
        }
        plan.settle();
        plan
    }
}

impl Plan {
    fn add(&mut self, place: Place) {
        match place {
            Place::Oid(name) => self.names.push(name),
            Place::Column(column) => self.columns.push(column),
        }
    }
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
    let vendors = profiles
        .profiles
        .values()
        .flat_map(|profile| profile.places().map(|place| (place.oid().clone(), profile.name.clone())));
    system.chain(standard).chain(vendors).collect()
}
