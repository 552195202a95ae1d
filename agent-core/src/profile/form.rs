//! The form of a profile's file, and what can be wrong with one. `docs/handbook/adding-a-model.md` explains it to people.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use wire::device::Level;
use wire::vocab::{
    Basis, ColorUse, Colorant, Confidence, CounterUnit, MediaSize, Service, Sides, SupplyKind, SupplyUnit,
};

use crate::oid::Oid;
use crate::printer_mib;

/// One profile.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Equal to the file's name.
    pub name: String,
    /// The profile whose rules apply where this one has none.
    pub(super) extends: Option<String>,
    /// Maker of all devices that match, unless a brand fits.
    pub(super) manufacturer: Option<String>,
    /// How sure the meaning of everything is that does not say its own.
    #[serde(deserialize_with = "confidence")]
    pub(super) confidence: Confidence,
    /// SNMP contexts in which some devices keep what their default one lacks, in the order in which they are asked.
    #[serde(default)]
    pub(super) contexts: Vec<String>,
    /// Columns of the standard tables that these devices do not fill, or not usefully: they are not asked for.
    #[serde(default)]
    pub(super) skip_columns: Vec<Oid>,
    /// The devices send texts in the character set that they name (prtLocalizationCharacterSet), so it is asked for.
    #[serde(default)]
    pub(super) character_sets: bool,
    #[serde(default, rename = "match")]
    pub(super) matches: Match,
    /// Brands under which the maker's devices are sold; the first that fits.
    #[serde(default, rename = "brand")]
    pub(super) brands: Vec<Brand>,
    #[serde(default)]
    pub(super) identity: IdentityRules,
    #[serde(default, rename = "counter")]
    pub(super) counters: Vec<CounterRule>,
    #[serde(default, rename = "counter_table")]
    pub(super) counter_tables: Vec<CounterTable>,
    #[serde(default, rename = "blob")]
    pub(super) blobs: Vec<Blob>,
    /// Counters that make up another one, on every device that has them all.
    #[serde(default, rename = "adds_up")]
    pub(super) sums: Vec<AddsUp>,
    #[serde(default, rename = "supply_table")]
    pub(super) supply_tables: Vec<SupplyTable>,
    pub(super) supplies: Option<SupplyRules>,
    /// What the devices cannot bear.
    #[serde(default)]
    pub quirks: Quirks,
}

/// How a device is recognised.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Match {
    /// Prefixes of sysObjectID; the longest over all profiles wins.
    pub(super) sys_object_id: Vec<Oid>,
    /// Prefixes of sysObjectID that devices of other makers answer too: any other sign of another maker outweighs them.
    pub(super) shared_sys_object_id: Vec<Oid>,
    /// What sysDescr, or the name of the model, begins with. Looked at where sysObjectID does not settle it.
    pub(super) descriptions: Vec<String>,
    /// What the maker's name in an IEEE 1284 device id begins with. Looked at where sysObjectID does not settle it.
    pub(super) device_id_makers: Vec<String>,
    /// Instances that no other devices have: asked for, and looked at, only where sysObjectID says nothing at all.
    pub(super) signs: Vec<Oid>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Brand {
    pub(super) manufacturer: String,
    /// Words of which one stands in the device's description or model.
    #[serde(default)]
    pub(super) words: Vec<String>,
    /// What the order numbers of its supplies begin with, for brands that never name themselves.
    #[serde(default)]
    pub(super) part_number_prefixes: Vec<String>,
}

/// Where identity comes from: for each field the sources in the order of trust.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct IdentityRules {
    pub(super) manufacturer: Vec<Source>,
    pub(super) model: Vec<Source>,
    pub(super) serial: Vec<Source>,
    pub(super) firmware: Vec<Source>,
    pub(super) host_name: Vec<Source>,
    /// IEEE 1284 device ids, whole: by them a device is recognised.
    pub(super) device_id: Vec<Source>,
}

/// A text and how to cut it out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// The instance that holds it.
    pub(super) oid: Option<Oid>,
    /// A column of which the printer's row holds it.
    pub(super) column: Option<Oid>,
    /// Takes this key of an IEEE 1284 device id, such as `MDL`.
    pub(super) ieee1284: Option<String>,
    /// Passes over two symbol-set octets at the start of a PML string.
    #[serde(default)]
    pub(super) pml: bool,
    /// Takes what stands behind this text; of several, behind the first, then behind the second …
    #[serde(default, deserialize_with = "one_or_several")]
    pub(super) after: Vec<String>,
    /// Takes what stands before this text, or before the first of several.
    #[serde(default, deserialize_with = "one_or_several")]
    pub(super) before: Vec<String>,
    /// Asked for only when no other source had a value.
    #[serde(default)]
    pub(super) last: bool,
    /// How sure its meaning is, if not as sure as the profile's.
    #[serde(default, deserialize_with = "some_confidence")]
    pub(super) confidence: Option<Confidence>,
}

/// One instance, or a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Oid(Oid),
    Column(Oid),
}

/// What a number counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) service: Service,
    pub(super) color: ColorUse,
    pub(super) size: MediaSize,
    pub(super) sides: Sides,
    pub(super) unit: CounterUnit,
}

impl Meaning {
    /// Whether it is everything that the device put out.
    pub(super) fn is_total(&self) -> bool {
        self.service == Service::System
            && (&self.color, &self.size, &self.sides) == (&ColorUse::Any, &MediaSize::Any, &Sides::Any)
    }

    /// In words.
    pub(super) fn words(&self) -> String {
        let words = [self.service.keyword(), self.color.keyword(), self.size.keyword(), self.sides.keyword()];
        words.into_iter().filter(|word| *word != "Any").collect::<Vec<_>>().join(" ")
    }
}

/// Declares a rule that says what a number counts, beside fields of its own.
macro_rules! meaningful {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            #[serde(deserialize_with = "service")]
            service: Service,
            #[serde(default = "any_color", deserialize_with = "color")]
            color: ColorUse,
            #[serde(default = "any_size", deserialize_with = "size")]
            size: MediaSize,
            #[serde(default = "any_sides", deserialize_with = "sides")]
            sides: Sides,
            #[serde(default = "any_unit", deserialize_with = "unit")]
            unit: CounterUnit,
            /// How sure its meaning is, if not as sure as the profile's.
            #[serde(default, deserialize_with = "some_confidence")]
            pub(super) confidence: Option<Confidence>,
            $($(#[$attribute])* pub(super) $field: $kind,)*
        }

        impl $name {
            pub(super) fn meaning(&self) -> Meaning {
                Meaning {
                    service: self.service.clone(),
                    color: self.color.clone(),
                    size: self.size.clone(),
                    sides: self.sides.clone(),
                    unit: self.unit.clone(),
                }
            }
        }
    };
}

meaningful! {
    /// A counter at a fixed place.
    CounterRule {
        #[serde(deserialize_with = "basis")]
        basis: Basis,
        /// The instance that holds the number.
        oid: Option<Oid>,
        /// Instances that are added up; all have to be there.
        #[serde(default)]
        sum_of: Vec<Oid>,
        /// A column whose rows are added up.
        sum: Option<Oid>,
        /// A column of which the first row counts.
        first: Option<Oid>,
        /// A column of which each row is a counter of its own, its size named by `size_names`.
        rows: Option<Oid>,
        /// The column with the names of sizes, of the same rows.
        size_names: Option<Oid>,
        /// The column with the unit (PrtMarkerCounterUnitTC), of the same rows.
        units: Option<Oid>,
        /// An instance that the device has to have; without it the number means something else.
        needs: Option<Oid>,
        /// What the device has to print in, by its colorants and supplies; on others the number means something else.
        only_on: Option<PrintsIn>,
    }
}

/// What a device prints in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PrintsIn {
    Color,
    Monochrome,
}

/// A table whose rows say themselves what they count: by a code, by words, or by their place.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CounterTable {
    #[serde(deserialize_with = "basis")]
    pub(super) basis: Basis,
    /// The column with the numbers.
    pub(super) values: Oid,
    /// The column with the codes, of the same rows.
    pub(super) codes: Option<Oid>,
    /// The column with the words, of the same rows.
    pub(super) labels: Option<Oid>,
    /// What codes, words and places mean.
    pub(super) meanings: Vec<TableMeaning>,
}

meaningful! {
    /// What a row of a counter table means.
    TableMeaning {
        /// Codes, of which the row has one.
        #[serde(default)]
        codes: Vec<i64>,
        /// Words in the languages in use, as [`plain`] makes them: upper and lower case and punctuation are alike.
        #[serde(default, deserialize_with = "plain_words")]
        labels: Vec<String>,
        /// Indexes of rows, dotted: the second key, for words that are not known. It never outdoes a row that is known by its words.
        #[serde(default)]
        indexes: Vec<String>,
    }
}

/// A value of records, each a tag, a type, a length and so many octets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Blob {
    /// The instance that holds it.
    pub(super) oid: Oid,
    #[serde(default)]
    pub(super) counters: Vec<BlobCounter>,
    /// In the order of trust: of two records about one supply the first counts.
    #[serde(default)]
    pub(super) supplies: Vec<BlobSupply>,
}

meaningful! {
    /// A record that is a counter.
    BlobCounter {
        tag: u8,
        #[serde(deserialize_with = "basis")]
        basis: Basis,
    }
}

/// A record that tells how much of a supply is left.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlobSupply {
    pub(super) tag: u8,
    #[serde(deserialize_with = "supply_kind")]
    pub(super) kind: SupplyKind,
    #[serde(default, deserialize_with = "some_colorant")]
    pub(super) color: Option<Colorant>,
    /// What it is called where the standard table has no row for it.
    pub(super) description: String,
    #[serde(rename = "as")]
    pub(super) form: BlobForm,
    /// For `as = "codes"`: what the numbers mean.
    #[serde(default)]
    pub(super) codes: Vec<LevelCode>,
    /// How sure its meaning is, if not as sure as the profile's.
    #[serde(default, deserialize_with = "some_confidence")]
    pub(super) confidence: Option<Confidence>,
}

/// How a record tells a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum BlobForm {
    /// Hundredths of the whole.
    Percent,
    /// Ten-thousandths of the whole.
    Hundredths,
    /// Two octets: so much, of so much.
    Fraction,
    /// Pages that can still be printed.
    Pages,
    /// Numbers with meanings of their own.
    Codes,
}

/// A number that stands for a level.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LevelCode {
    pub(super) code: i64,
    #[serde(deserialize_with = "level")]
    pub(super) level: Level,
}

/// A table of the maker's with levels that the standard table lacks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SupplyTable {
    /// The column with the levels.
    pub(super) levels: Oid,
    /// Columns with names of the supplies, of the same rows.
    #[serde(default)]
    pub(super) names: Vec<Oid>,
    /// The column with what there is when new, of the same rows. Without it levels are per cent.
    pub(super) capacities: Option<Oid>,
    /// The column with order numbers, of the same rows.
    pub(super) part_numbers: Option<Oid>,
    /// The column with serial numbers, of the same rows.
    pub(super) serials: Option<Oid>,
    /// Numbers that are no amount.
    #[serde(default)]
    pub(super) codes: Vec<LevelCode>,
    /// By what a row is the same as one of the standard table.
    pub(super) join: Join,
    /// Unit of level and capacity.
    #[serde(default = "percent", deserialize_with = "supply_unit")]
    pub(super) unit: SupplyUnit,
    /// What its rows are where their names do not say.
    #[serde(default, deserialize_with = "some_supply_kind")]
    pub(super) kind: Option<SupplyKind>,
    /// How sure its meaning is, if not as sure as the profile's.
    #[serde(default, deserialize_with = "some_confidence")]
    pub(super) confidence: Option<Confidence>,
}

/// What makes rows of two tables the same supply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Join {
    /// The name, else colour and kind.
    Name,
    /// Colour and kind.
    Color,
    /// The last part of the index.
    Row,
}

/// How descriptions of supplies come apart, and what their numbers mean.
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
    /// Numbers in the level column that are no amount.
    pub(super) level_codes: Vec<LevelCode>,
    /// `level_codes` hold only in rows without a capacity.
    pub(super) level_codes_without_capacity: bool,
    /// Models whose name holds one of these print with ink, although the maker's places speak of toner.
    pub(super) ink_models: Vec<String>,
}

/// A total and all of its parts, by the names that counters have in exports: `System`, `Print Monochrome`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddsUp {
    pub(super) total: String,
    pub(super) parts: Vec<String>,
}

/// What devices cannot bear.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// Most rows asked for with one GETBULK.
    pub max_repetitions: Option<u8>,
    /// Most names in one request.
    pub max_names: Option<u8>,
}

impl Profile {
    pub(super) fn check(&self, file: &str, denied: &Denied) -> Result<(), String> {
        if self.name != file {
            return Err(format!("`name` is \"{}\" and has to be the file's name", self.name));
        }
        for place in self.places().into_iter().chain(self.rare_places()) {
            let oid = place.oid();
            if let Some(rule) = denied.covering(oid) {
                return Err(format!("{oid} is not readable: {} ({})", rule.why, rule.prefix));
            }
        }
        for column in &self.skip_columns {
            if !printer_mib::COLUMNS.iter().any(|known| known.arcs == column.arcs()) {
                return Err(format!("`skip_columns` has {column}, which is no column that is read of every device"));
            }
        }
        for (field, sources) in self.identity.fields() {
            if sources.iter().any(|source| source.oid.is_some() == source.column.is_some()) {
                return Err(format!("each source of identity.{field} takes one of `oid` and `column`"));
            }
        }
        for (number, rule) in self.counters.iter().enumerate() {
            let fault = |words: &str| Err(format!("[[counter]] number {}: {words}", number + 1));
            let places = [rule.oid.is_some(), rule.sum.is_some(), rule.first.is_some(), rule.rows.is_some()];
            let places = places.into_iter().chain([!rule.sum_of.is_empty()]).filter(|is_there| *is_there).count();
            if places != 1 {
                return fault("takes one of `oid`, `sum_of`, `sum`, `first` and `rows`");
            }
            if rule.rows.is_some() != rule.size_names.is_some() {
                return fault("`rows` and `size_names` go together");
            }
            let is_colored = !matches!(rule.color, ColorUse::Any | ColorUse::Monochrome);
            if rule.only_on == Some(PrintsIn::Monochrome) && is_colored {
                return fault("counts colour, and `only_on = \"monochrome\"` has none");
            }
        }
        for (number, sum) in self.sums.iter().enumerate() {
            let fault = |words: String| Err(format!("[[adds_up]] number {}: {words}", number + 1));
            let names = || sum.parts.iter().chain([&sum.total]);
            let is_service =
                |name: &String| name.split(' ').next().is_some_and(|word| Service::KEYWORDS.contains(&word));
            if let Some(name) = names().find(|name| !is_service(name)) {
                let services = Service::KEYWORDS.join(", ");
                return fault(format!("`{name}` is no name of a counter: it begins with one of {services}"));
            }
            if sum.parts.len() < 2 {
                return fault("takes two or more `parts`".to_owned());
            }
            if let Some(twice) = repeated(names().cloned().collect()) {
                return fault(format!("`{twice}` stands twice"));
            }
        }
        for (number, table) in self.counter_tables.iter().enumerate() {
            let fault = |words: String| Err(format!("[[counter_table]] number {}: {words}", number + 1));
            for meaning in &table.meanings {
                if meaning.codes.is_empty() && meaning.labels.is_empty() && meaning.indexes.is_empty() {
                    return fault("a meaning has none of `codes`, `labels` and `indexes`".to_owned());
                }
                if !meaning.codes.is_empty() && table.codes.is_none() {
                    return fault("a meaning has `codes`, but the table has no column `codes`".to_owned());
                }
                if !meaning.labels.is_empty() && table.labels.is_none() {
                    return fault("a meaning has `labels`, but the table has no column `labels`".to_owned());
                }
            }
            let all = |keys: fn(&TableMeaning) -> Vec<String>| table.meanings.iter().flat_map(keys).collect();
            let twice = repeated(all(|meaning| meaning.codes.iter().map(i64::to_string).collect()))
                .or_else(|| repeated(all(|meaning| meaning.labels.clone())))
                .or_else(|| repeated(all(|meaning| meaning.indexes.clone())));
            if let Some(twice) = twice {
                return fault(format!("`{twice}` stands twice; a row can mean one thing only"));
            }
        }
        for blob in &self.blobs {
            let of_blob = |words: &str, tag: u8| Err(format!("[[blob]] {}: record {tag:#04x} {words}", blob.oid));
            let coded = |supply: &&BlobSupply| (supply.form == BlobForm::Codes) == supply.codes.is_empty();
            if let Some(supply) = blob.supplies.iter().find(coded) {
                return of_blob("needs `codes` with `as = \"codes\"`, and only then", supply.tag);
            }
            if let Some(counter) = blob.counters.iter().find(|counter| counter.tag == 0xff) {
                return of_blob("is the end of all records", counter.tag);
            }
        }
        Ok(())
    }

    /// Whether a column of the standard tables is not asked for.
    pub fn skips(&self, column: &Oid) -> bool {
        self.skip_columns.contains(column)
    }

    /// SNMP contexts to ask for what the default one lacks.
    pub fn contexts(&self) -> &[String] {
        &self.contexts
    }

    /// Everything that the profile reads.
    pub(super) fn places(&self) -> Vec<Place> {
        let mut places: Vec<Place> = self
            .identity
            .fields()
            .into_iter()
            .flat_map(|(_, sources)| sources)
            .filter(|source| !source.last)
            .filter_map(Source::place)
            .collect();
        if self.character_sets {
            let columns = printer_mib::CHARACTER_SETS.iter().filter_map(|column| Oid::new(column.arcs));
            places.extend(columns.map(Place::Column));
        }
        for rule in &self.counters {
            let labels = [&rule.size_names, &rule.units].into_iter().flatten().cloned().map(Place::Column);
            places.extend(rule.values().chain(labels).chain(rule.needs.clone().map(Place::Oid)));
        }
        for table in &self.counter_tables {
            let columns = [&table.codes, &table.labels].into_iter().flatten().chain([&table.values]);
            places.extend(columns.cloned().map(Place::Column));
        }
        places.extend(self.blobs.iter().map(|blob| Place::Oid(blob.oid.clone())));
        for table in &self.supply_tables {
            let columns = [&table.capacities, &table.part_numbers, &table.serials].into_iter().flatten();
            places.extend(table.names.iter().chain(columns).chain([&table.levels]).cloned().map(Place::Column));
        }
        places
    }

    /// What is asked for only when nothing else had a value, or when nothing is known of a device.
    pub(super) fn rare_places(&self) -> Vec<Place> {
        let last = self.identity.fields().into_iter().flat_map(|(_, sources)| sources).filter(|source| source.last);
        last.filter_map(Source::place).chain(self.matches.signs.iter().cloned().map(Place::Oid)).collect()
    }
}

impl IdentityRules {
    /// The fields by their names in the file.
    pub(super) fn fields(&self) -> [(&'static str, &Vec<Source>); 6] {
        [
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("serial", &self.serial),
            ("firmware", &self.firmware),
            ("host_name", &self.host_name),
            ("device_id", &self.device_id),
        ]
    }
}

impl Source {
    pub(super) fn place(&self) -> Option<Place> {
        self.oid.clone().map(Place::Oid).or_else(|| self.column.clone().map(Place::Column))
    }
}

impl CounterRule {
    /// Where the numbers are.
    pub(super) fn values(&self) -> impl Iterator<Item = Place> {
        let columns = [&self.sum, &self.first, &self.rows].into_iter().flatten().cloned().map(Place::Column);
        self.oid.iter().chain(&self.sum_of).cloned().map(Place::Oid).chain(columns)
    }
}

impl Place {
    pub(super) fn oid(&self) -> &Oid {
        match self {
            Self::Oid(oid) | Self::Column(oid) => oid,
        }
    }
}

/// Words as they are compared: letters and digits of the lower case, with single blanks for everything between them.
pub(super) fn plain(words: &str) -> String {
    let lower = words.to_lowercase();
    let words = lower.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

fn repeated(mut keys: Vec<String>) -> Option<String> {
    keys.sort();
    keys.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some(one.clone()),
        _ => None,
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Denied {
    pub(super) denied: Vec<DeniedPrefix>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeniedPrefix {
    pub(super) prefix: Oid,
    why: String,
}

impl Denied {
    /// The rule that forbids reading `oid`, or a column above what it forbids.
    fn covering(&self, oid: &Oid) -> Option<&DeniedPrefix> {
        self.denied
            .iter()
            .find(|rule| oid == &rule.prefix || oid.below(&rule.prefix).is_some() || rule.prefix.below(oid).is_some())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enterprises {
    pub(super) names: BTreeMap<String, String>,
}

macro_rules! closed {
    ($($function:ident $kind:ident,)*) => {
        $(fn $function<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$kind, D::Error> {
            let word = String::deserialize(deserializer)?;
            match $kind::from_keyword(&word) {
                $kind::Other(_) => Err(serde::de::Error::custom(format!("`{word}` is none of {}", $kind::KEYWORDS.join(", ")))),
                known => Ok(known),
            }
        })*
    };
}

closed! {
    service Service,
    color ColorUse,
    size MediaSize,
    sides Sides,
    unit CounterUnit,
    basis Basis,
    confidence Confidence,
    supply_kind SupplyKind,
    supply_unit SupplyUnit,
    colorant Colorant,
}

fn plain_words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Vec::<String>::deserialize(deserializer)?.iter().map(|words| plain(words)).collect())
}

fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text or a list of texts")]
    enum Texts {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Texts::deserialize(deserializer)? {
        Texts::One(text) => vec![text],
        Texts::Several(texts) => texts,
    })
}

fn some_confidence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Confidence>, D::Error> {
    confidence(deserializer).map(Some)
}

fn some_supply_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SupplyKind>, D::Error> {
    supply_kind(deserializer).map(Some)
}

fn some_colorant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Colorant>, D::Error> {
    colorant(deserializer).map(Some)
}

fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Level, D::Error> {
    let word = String::deserialize(deserializer)?;
    Level::from_keyword(&word, None).ok_or_else(|| {
        serde::de::Error::custom(format!("`{word}` is none of empty, nearlyEmpty, someLeft, unknown, noLimit"))
    })
}

fn any_color() -> ColorUse {
    ColorUse::Any
}
fn any_size() -> MediaSize {
    MediaSize::Any
}
fn any_sides() -> Sides {
    Sides::Any
}
fn any_unit() -> CounterUnit {
    CounterUnit::Impressions
}
fn percent() -> SupplyUnit {
    SupplyUnit::Percent
}
