//! `agentd explore`: finds which object of a device holds a value that stands on its counter sheet.
//!
//! The only command that asks for objects outside the closed list. A person starts it for one device; it keeps out of what is
//! denied, shows what was looked for and stores nothing. The walk and the search are `agent_core::explore`'s.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use agent_core::engine::{Event, Finished, ReadKind, ReadOrder};
use agent_core::explore::{Match, Survey, Wanted, find, risen, snippet};
use agent_core::oid::Oid;
use agent_core::profile::{BASE, KnownObjects};
use agent_core::snmp::Credential;
use agent_core::snmp::message::Value;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;

use crate::driver::Driver;
use crate::one_shot::{Progress, socket_address};
use crate::profiles;
use crate::snmp_options::SnmpOptions;

/// Where printers keep what they say: the system group, the printer's rows of the host resources, the Printer-MIB, and
/// everything of makers.
const ROOTS: [&str; 4] = ["1.3.6.1.2.1.1", "1.3.6.1.2.1.25.3", "1.3.6.1.2.1.43", "1.3.6.1.4.1"];
/// Requests in a row that may stay without an answer.
const MOST_SILENCES: u32 = 3;
/// Places shown in full for one value; the rest is counted.
const MOST_SHOWN: usize = 12;

/// The words of `agentd explore`.
#[derive(Debug, Args)]
pub struct Explore {
    /// Address or name of the device; a port may follow a colon
    address: String,
    /// What to look for: numbers or texts from the device's counter sheet, such as 76064 or RH28Y00024
    #[arg(value_name = "VALUE", required_unless_present = "changed")]
    values: Vec<String>,
    /// Walk twice: print one page between the walks, and see which numbers have risen
    #[arg(long)]
    changed: bool,
    /// Walk below this object only; give the option several times for several [default: all that printers use]
    #[arg(long, value_name = "OID")]
    root: Vec<String>,
    /// Stop after so many objects
    #[arg(long, default_value_t = 30_000, value_name = "NUMBER")]
    limit: usize,
    /// Milliseconds to wait before each request, for devices that are busy or slow
    #[arg(long, default_value_t = 5, value_name = "MILLISECONDS")]
    pause: u64,
    #[command(flatten)]
    snmp: SnmpOptions,
    /// Port that the device listens on
    #[arg(long, default_value_t = 161)]
    port: u16,
    /// Take the profiles in this folder beside those that are compiled in
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Looks for the values. Gives whether each was found.
pub async fn explore(command: Explore) -> Result<bool> {
    let wanted = command.values.iter().map(|value| Wanted::parse(value)).collect::<Result<Vec<_>, _>>()?;
    let roots = if command.root.is_empty() { ROOTS.map(str::to_owned).to_vec() } else { command.root.clone() };
    let roots = roots
        .iter()
        .map(|root| {
            Oid::parse(root).with_context(|| format!("`{root}` is no object identifier such as 1.3.6.1.2.1.43"))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut walker = Walker::meet(&command).await?;
    let known = walker.driver.profiles().known_objects();
    let first = walker.walk(&roots, command.limit).await?;
    let mut report = Report {
        address: command.address.clone(),
        manufacturer: walker.manufacturer.clone(),
        model: walker.model.clone(),
        sys_object_id: walker.sys_object_id.clone(),
        profile: walker.profile.clone(),
        objects: first.len(),
        requests: walker.requests,
        remarks: walker.remarks.clone(),
        values: wanted.iter().map(|wanted| Sought::new(wanted, find(&first, wanted), &known)).collect(),
        risen: Vec::new(),
    };
    if command.changed {
        eprintln!(
            "{} objects read. Print ONE page on the device, wait until it is out, then press Enter.",
            first.len()
        );
        let _ = std::io::stdin().lock().read_line(&mut String::new());
        let second = walker.walk(&roots, command.limit).await?;
        report.risen = risen(&first, &second, 2).into_iter().map(|rise| Risen::new(rise, &known)).collect();
    }
    let found = report.values.iter().all(|sought| !sought.places.is_empty());
    let found = found && (!command.changed || !report.risen.is_empty());
    let text = match command.json {
        true => serde_json::to_string(&report).context("the report does not become JSON")?,
        false => report.words(command.changed),
    };
    writeln!(std::io::stdout(), "{text}").context("standard output is closed")?;
    Ok(found)
}

/// A device that answers, and the way to it.
struct Walker {
    driver: Driver,
    address: SocketAddr,
    credential: Credential,
    manufacturer: Option<String>,
    model: Option<String>,
    sys_object_id: Option<String>,
    profile: String,
    pause: Duration,
    requests: u32,
    remarks: Vec<String>,
    progress: Progress,
}

impl Walker {
    /// Reads the device as the collector would, to learn who it is and which credential it takes.
    async fn meet(command: &Explore) -> Result<Self> {
        let address = socket_address(&command.address, command.port).await?;
        let mut driver = Driver::new(profiles::load(command.profiles.as_deref())?)?;
        driver.read(ReadOrder { address, credentials: command.snmp.credentials()?, kind: ReadKind::Full });
        let finished = ended(&mut driver).await;
        let reading = finished.outcome.with_context(|| format!("{} cannot be walked", command.address))?;
        let identity =
            driver.profiles().snapshot(driver.profiles().named(&reading.profile), &reading.variables).identity;
        Ok(Self {
            driver,
            address,
            credential: finished.credential,
            manufacturer: identity.manufacturer,
            model: identity.model,
            sys_object_id: identity.sys_object_id,
            profile: reading.profile,
            pause: Duration::from_millis(command.pause),
            requests: 0,
            remarks: Vec::new(),
            progress: Progress::new(!command.json),
        })
    }

    async fn walk(&mut self, roots: &[Oid], most_rows: usize) -> Result<BTreeMap<Oid, Value>> {
        let mut survey = Survey::new(roots, self.driver.profiles().denied(), most_rows);
        let mut silences = 0;
        loop {
            let names = survey.poll_names();
            if names.is_empty() {
                break;
            }
            tokio::time::sleep(self.pause).await;
            self.requests += 1;
            let order = ReadOrder {
                address: self.address,
                credentials: vec![self.credential.clone()],
                kind: ReadKind::Successors(names),
            };
            self.driver.read(order);
            match ended(&mut self.driver).await.outcome {
                Ok(reading) => {
                    silences = 0;
                    survey.handle_rows(reading.successors);
                }
                Err(error) if silences + 1 >= MOST_SILENCES => {
                    if survey.rows().is_empty() {
                        bail!("the device answers readings, but no walk: {error}");
                    }
                    self.remarks.push(format!("the walk ended early: {error}"));
                    break;
                }
                Err(_) => {
                    silences += 1;
                    survey.handle_failure();
                }
            }
            if let Some(position) = survey.position() {
                self.progress.show(&format!("{} objects, at {position}", survey.rows().len()));
            }
        }
        self.progress.clear();
        self.remarks.extend(survey.remarks().iter().cloned());
        Ok(survey.rows().clone())
    }
}

async fn ended(driver: &mut Driver) -> Finished {
    loop {
        if let Some(Event::Read(finished)) = driver.event_before(Instant::now() + Duration::from_secs(1)).await {
            return *finished;
        }
    }
}

/// What came of it, as it stands in JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    address: String,
    manufacturer: Option<String>,
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sys_object_id: Option<String>,
    profile: String,
    objects: usize,
    requests: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
    values: Vec<Sought>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    risen: Vec<Risen>,
}

#[derive(Debug, Serialize)]
struct Sought {
    value: String,
    places: Vec<Place>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    oid: String,
    how: &'static str,
    words: String,
    #[serde(rename = "type")]
    kind: &'static str,
    shown: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    read_as: Vec<String>,
    snippet: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Risen {
    oid: String,
    before: u64,
    after: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    read_as: Vec<String>,
}

impl Sought {
    fn new(wanted: &Wanted, matches: Vec<Match>, known: &KnownObjects) -> Self {
        let places = matches.into_iter().map(|found| {
            let object = known.of(&found.oid);
            Place {
                oid: found.oid.to_string(),
                how: found.how.keyword(),
                words: found.how.words(),
                kind: found.kind,
                snippet: snippet(&found),
                shown: found.shown,
                name: object.name,
                read_as: object.read_as,
            }
        });
        Self { value: wanted.typed.clone(), places: places.collect() }
    }
}

impl Risen {
    fn new((oid, before, after): (Oid, u64, u64), known: &KnownObjects) -> Self {
        let object = known.of(&oid);
        Self { oid: oid.to_string(), before, after, name: object.name, read_as: object.read_as }
    }
}

impl Report {
    fn words(&self, changed: bool) -> String {
        let who: Vec<&str> = [&self.manufacturer, &self.model].into_iter().flatten().map(String::as_str).collect();
        let mut lines = vec![format!(
            "{}: {}, profile {}; {} objects in {} requests",
            self.address,
            if who.is_empty() { "a device without a name".to_owned() } else { who.join(" ") },
            self.profile,
            self.objects,
            self.requests
        )];
        lines.extend(self.remarks.iter().map(|remark| format!("note: {remark}")));
        for sought in &self.values {
            lines.push(String::new());
            lines.extend(sought.words());
        }
        if changed {
            lines.push(String::new());
            if self.risen.is_empty() {
                lines.push(
                    "No number has risen by 1 or 2: was a page printed, and was it out before you pressed Enter?"
                        .to_owned(),
                );
            } else {
                lines.push("Risen by 1 or 2 between the walks:".to_owned());
            }
            for risen in &self.risen {
                lines.push(format!(
                    "  {}  {} -> {}{}",
                    risen.oid,
                    risen.before,
                    risen.after,
                    aside(&risen.name, &risen.read_as)
                ));
            }
        }
        let new = self.values.iter().any(|sought| sought.places.iter().any(|place| place.read_as.is_empty()));
        if self.profile == BASE && new {
            lines.extend(self.beginning());
        }
        lines.join("\n")
    }

    /// How a profile for a device begins that has none.
    fn beginning(&self) -> Vec<String> {
        let first_word = |text: &String| text.split_whitespace().next().map(str::to_owned);
        let maker = self.manufacturer.clone().or_else(|| self.model.as_ref().and_then(first_word));
        let maker = maker.unwrap_or_else(|| "Acme".to_owned());
        let name: String = maker.to_lowercase().chars().filter(|letter| letter.is_ascii_alphanumeric()).collect();
        // The maker's number: six arcs that all have, and its own.
        let arcs = self.sys_object_id.iter().flat_map(|oid| oid.split('.')).take(7);
        let prefix = arcs.collect::<Vec<_>>().join(".");
        let text = format!(
            "name = \"{name}\"\nextends = \"printer-mib\"\nconfidence = \"probable\" # until sheet and values agreed more than once\nmanufacturer = \"{maker}\"\n\n[match]\nsys_object_id = [\"{prefix}\"]"
        );
        let mut lines =
            vec![String::new(), format!("No profile fits this device. A file {name}.toml for it begins with:")];
        lines.extend(text.lines().map(|line| format!("    {line}").trim_end().to_owned()));
        lines
    }
}

impl Sought {
    fn words(&self) -> Vec<String> {
        let Some(best) = self.places.iter().find(|place| !place.read_as.is_empty()).or(self.places.first()) else {
            return vec![
                format!("{}: not found.", self.value),
                "  Is it from this device's sheet, printed just now? Counters go on. A total that the device adds up for its".to_owned(),
                "  sheet alone may be nowhere: look for its parts. `--changed` shows what a printed page makes rise.".to_owned(),
            ];
        };
        let plural = if self.places.len() == 1 { "place" } else { "places" };
        let mut lines = vec![format!("{}: {} {plural}", self.value, self.places.len())];
        for place in self.places.iter().take(MOST_SHOWN) {
            lines.push(format!("  {}  {}: {}", place.oid, place.kind, shortened(&place.shown)));
            lines.push(format!("    {}{}", place.words, aside(&place.name, &place.read_as)));
        }
        if self.places.len() > MOST_SHOWN {
            lines.push(format!(
                "  and {} more: --json lists them all; a longer number is found in fewer places",
                self.places.len() - MOST_SHOWN
            ));
        }
        if best.read_as.is_empty() {
            lines.push("  for a profile (docs/handbook/adding-a-model.md):".to_owned());
            lines.extend(best.snippet.lines().map(|line| format!("    {line}")));
        } else {
            lines.push("  a profile reads it already: `agentd read` shows as what".to_owned());
        }
        lines
    }
}

fn aside(name: &Option<String>, read_as: &[String]) -> String {
    let name = name.as_ref().map(|name| format!("; below {name}")).unwrap_or_default();
    let read = if read_as.is_empty() { String::new() } else { format!("; read as {}", read_as.join(", ")) };
    format!("{name}{read}")
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= 72 { text.to_owned() } else { text.chars().take(72).chain(['…']).collect() }
}
