//! A simulated customer's site as a file describes it (`demo/site.toml`): which printers stand where, and what becomes of
//! them. Reads files and makes printers with their lives; opens no sockets and knows no time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;

use crate::{
    life::{
        Incident, Life, Plan,
        model::{Model, Row, Span},
    },
    oid::{Oid, Value},
    printer_sim::{Mood, Printer, Version},
    recording::Recording,
    sim_site::addresses,
    usm::{Cipher, Hash, User, Usm},
};

/// A site, ready to be played.
#[derive(Debug)]
pub struct Site {
    /// The UDP port on which all of them answer.
    pub port: u16,
    /// The printers.
    pub printers: Vec<SitePrinter>,
}

/// A printer at its place.
#[derive(Debug)]
pub struct SitePrinter {
    /// Unique at the site.
    pub name: String,
    /// Maker and model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// Its own loopback address.
    pub address: Ipv4Addr,
    /// What is special about how it answers, in words; empty for most.
    pub remarks: String,
    /// How it answers while it is on.
    pub mood: Mood,
    /// What answers.
    pub printer: Printer,
    /// What changes it.
    pub life: Life,
}

impl Site {
    /// Reads a site's file and everything it names.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let file = SiteFile::load(path)?;
        let mut models = Models::new(path, &file);
        let mut site = Self { port: file.port, printers: Vec::new() };
        let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
        for entry in file.printer {
            ensure!(names.insert(entry.name.clone()), "{}: two printers are named {}", path.display(), entry.name);
            ensure!(places.insert(entry.address), "{}: two printers are at {}", path.display(), entry.address);
            let name = entry.name.clone();
            let printer = models.printer(entry).with_context(|| format!("{}: printer {name}", path.display()))?;
            site.printers.push(printer);
        }
        Ok(site)
    }

    /// As many printers as wanted, made after those of the file in turn, at 127.78.0.1 and following. Serial numbers, MACs
    /// and host names differ; all are patient and answer at once, as a measurement of load wants it.
    pub fn clones(path: &Path, wanted: usize) -> anyhow::Result<Self> {
        let file = SiteFile::load(path)?;
        ensure!(!file.printer.is_empty(), "{}: there is no printer to clone", path.display());
        ensure!(
            wanted <= MOST_CLONES,
            "{wanted} printers are too many: 127.78.0.0 to 127.127.255.255 hold {MOST_CLONES}"
        );
        let mut models = Models::new(path, &file);
        let mut site = Self { port: file.port, printers: Vec::new() };
        let entries = file.printer.iter().cycle().zip(addresses(Ipv4Addr::new(127, 78, 0, 0)));
        for (number, (entry, address)) in entries.take(wanted).enumerate() {
            let entry = entry.clone().cloned_as(number, address);
            site.printers.push(models.printer(entry).with_context(|| format!("{}: clone {number}", path.display()))?);
        }
        Ok(site)
    }
}

/// 250 addresses in each of 50 × 256 networks.
const MOST_CLONES: usize = 50 * 256 * 250;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SiteFile {
    /// UDP port of all printers.
    port: u16,
    /// Folder of the recordings, seen from the file.
    walks: PathBuf,
    /// Folder of the models' lives, seen from the file.
    life: PathBuf,
    printer: Vec<Entry>,
}

impl SiteFile {
    fn load(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("can not read the site {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("the site {} is wrong", path.display()))
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    name: String,
    address: Ipv4Addr,
    model: String,
    serial: String,
    mac: String,
    host: Option<String>,
    location: String,
    #[serde(default)]
    contact: String,
    #[serde(default)]
    pages: u64,
    pace: u64,
    #[serde(default)]
    levels: BTreeMap<Row, u64>,
    #[serde(default)]
    sheets: BTreeMap<Row, u64>,
    #[serde(default)]
    incidents: Vec<Incident>,
    community: Option<String>,
    #[serde(default)]
    only_v1: bool,
    /// SNMPv3: the only version then that it answers.
    v3: Option<V3>,
    /// Whether it takes connections over TCP.
    #[serde(default)]
    tcp: bool,
    answers_after: Option<Span>,
    max_message: Option<usize>,
}

impl Entry {
    fn cloned_as(self, number: usize, address: Ipv4Addr) -> Self {
        let kept = self.serial.len().saturating_sub(6);
        let serial = format!("{}{number:06}", self.serial.get(..kept).unwrap_or_default());
        let maker = self.mac.get(..8).unwrap_or("02:00:00").to_owned();
        let [.., high, middle, low] = number.to_be_bytes();
        Self {
            name: format!("clone {number}"),
            address,
            serial,
            mac: format!("{maker}:{high:02x}:{middle:02x}:{low:02x}"),
            host: Some(format!("CLONE{number:06}")),
            incidents: Vec::new(),
            community: None,
            only_v1: false,
            v3: None,
            tcp: false,
            answers_after: None,
            max_message: None,
            ..self
        }
    }
}

/// How a printer speaks SNMPv3.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct V3 {
    user: String,
    auth: Option<Hash>,
    auth_password: Option<String>,
    privacy: Option<Cipher>,
    privacy_password: Option<String>,
    #[serde(default)]
    reeder: bool,
}

impl V3 {
    /// An engine whose id holds the serial number, as text (RFC 3411, SnmpEngineID, format 4).
    fn engine(self, serial: &str) -> Usm {
        let text: Vec<u8> = serial.bytes().take(27).collect();
        let user = User {
            name: self.user,
            auth: self.auth.zip(self.auth_password),
            privacy: self.privacy.zip(self.privacy_password),
            reeder: self.reeder,
        };
        Usm::new(&[&[0x80, 0, 0, 0, 4][..], &text].concat(), vec![user])
    }
}

/// Recordings and models, each read once.
struct Models {
    walks: PathBuf,
    lives: PathBuf,
    read: BTreeMap<String, (Recording, Model)>,
}

impl Models {
    fn new(path: &Path, file: &SiteFile) -> Self {
        let folder = path.parent().unwrap_or(Path::new("."));
        Self { walks: folder.join(&file.walks), lives: folder.join(&file.life), read: BTreeMap::new() }
    }

    fn printer(&mut self, entry: Entry) -> anyhow::Result<SitePrinter> {
        let stem = entry.model.clone();
        if !self.read.contains_key(&stem) {
            let recording = Recording::load(self.walks.join(format!("{stem}.snmprec")))?;
            let model = Model::load(&self.lives.join(format!("{stem}.toml")))?;
            self.read.insert(stem.clone(), (recording, model));
        }
        let (recording, model) = self.read.get(&stem).context("it was read above")?;
        let recording = personal(recording.clone(), model, &entry)?;
        let name = model.name.clone();
        let plan = Plan {
            seed: seed(&entry.serial),
            pace: entry.pace,
            pages: entry.pages,
            levels: entry.levels,
            sheets: entry.sheets,
            incidents: entry.incidents,
        };
        let life = Life::new(model.clone(), &recording, plan)?;
        let mut remarks = Vec::new();
        let mut printer = Printer::new(recording);
        if let Some(community) = &entry.community {
            printer = printer.with_community(community);
            remarks.push(format!("community {community}"));
        }
        if entry.only_v1 {
            printer = printer.with_newest_version(Version::V1);
            remarks.push("SNMPv1 only".to_owned());
        }
        if let Some(v3) = entry.v3 {
            remarks.push(format!("SNMPv3 only, user {}", v3.user));
            printer = printer.with_usm(v3.engine(&entry.serial)).without_communities();
        }
        if entry.tcp {
            printer = printer.with_tcp();
            remarks.push("TCP too".to_owned());
        }
        if let Some(bytes) = entry.max_message {
            printer = printer.with_max_message(bytes);
            remarks.push(format!("messages of {bytes} octets at most"));
        }
        let mut mood = Mood::Normal;
        if let Some(Span(delay)) = entry.answers_after.filter(|span| span.0 > Duration::ZERO) {
            mood = Mood::Slow(delay);
            remarks.push(format!("answers after {delay:?}"));
        }
        life.show(&mut printer);
        Ok(SitePrinter {
            name: entry.name,
            model: name,
            serial: entry.serial,
            address: entry.address,
            remarks: remarks.join(", "),
            mood,
            printer: printer.with_mood(mood),
            life,
        })
    }
}

/// The recording as if it were of another device of the same model.
fn personal(mut recording: Recording, model: &Model, entry: &Entry) -> anyhow::Result<Recording> {
    let mac = HEXLOWER_PERMISSIVE.decode(entry.mac.replace(':', "").as_bytes()).unwrap_or_default();
    ensure!(mac.len() == 6, "`{}` is no MAC: wanted is 00:11:22:33:44:55", entry.mac);
    let interfaces: Oid = MACS.parse()?;
    let macs = recording.rows.range(interfaces.clone()..).take_while(|(oid, _)| oid.is_within(&interfaces));
    let octets = macs.filter_map(|(_, value)| value.octets());
    let old_mac = octets.into_iter().find(|octets| octets.len() == 6).context("the recording has no MAC")?.to_vec();
    let [old_address] = ADDRESSES.parse().map(|addresses: Oid| own_addresses(&recording, &addresses))?[..] else {
        bail!("the recording must have one address of its own");
    };
    if replace(&mut recording, model.serial.as_bytes(), entry.serial.as_bytes()) == 0 {
        bail!("the serial number {} of the model's file is nowhere in the recording", model.serial);
    }
    if let (Some(old), Some(new)) = (&model.host, &entry.host) {
        replace(&mut recording, old.as_bytes(), new.as_bytes());
    }
    replace(&mut recording, &old_mac, &mac);
    let (old_tail, new_tail) = (old_address.octets().map(u32::from), entry.address.octets().map(u32::from));
    let rows = std::mem::take(&mut recording.rows).into_iter().map(|(oid, value)| {
        let moved = match oid.arcs().strip_suffix(&old_tail) {
            Some(column) => Oid::new([column, &new_tail].concat()).unwrap_or(oid),
            None => oid,
        };
        let value = match value {
            Value::IpAddress(octets) if octets == old_address.octets() => Value::IpAddress(entry.address.octets()),
            value => value,
        };
        (moved, value)
    });
    recording.rows = rows.collect();
    recording.rows.insert(CONTACT.parse()?, Value::text(&entry.contact));
    recording.rows.insert(LOCATION.parse()?, Value::text(&entry.location));
    Ok(recording)
}

const CONTACT: &str = "1.3.6.1.2.1.1.4.0";
const LOCATION: &str = "1.3.6.1.2.1.1.6.0";
const MACS: &str = "1.3.6.1.2.1.2.2.1.6";
const ADDRESSES: &str = "1.3.6.1.2.1.4.20.1.1";

fn own_addresses(recording: &Recording, column: &Oid) -> Vec<Ipv4Addr> {
    let rows = recording.rows.range(column.clone()..).take_while(|(oid, _)| oid.is_within(column));
    rows.filter_map(
        |(_, value)| if let Value::IpAddress(octets) = value { Some(Ipv4Addr::from(*octets)) } else { None },
    )
    .collect()
}

/// Puts `new` for `old` wherever it stands within a string; in how many rows it did.
fn replace(recording: &mut Recording, old: &[u8], new: &[u8]) -> usize {
    let mut rows = 0;
    for value in recording.rows.values_mut() {
        let Value::OctetString(octets) = value else { continue };
        if let Some(position) = octets.windows(old.len().max(1)).position(|window| window == old) {
            octets.splice(position..position + old.len(), new.iter().copied());
            rows += 1;
        }
    }
    rows
}

/// Printers of other serial numbers live other lives (FNV-1a).
fn seed(serial: &str) -> u64 {
    serial.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
