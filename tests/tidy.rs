//! What a machine can check of how this house is built: layers, size and head of files, words that do not belong, licences,
//! and that the published list of readable objects is the true one. Looks at files and at cargo's view of them only.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
    process::Command,
};

use agent_core::{
    oid::Oid,
    profile::{BASE, Profiles, readable},
};
use serde_json::Value;
use system_tests::repository::{root, texts};

/// A crate may use crates of lower layers only.
const LAYERS: [&[&str]; 4] = [
    &["wire", "netcfg"],
    &["agent-core", "boxcore", "manager-core"],
    &["control", "journal", "webkit", "manager-store"],
    &["agentd", "boxd", "managerd", "netcfgd", "usbbridged"],
];
/// Crates for tests and demo: anyone's tests may use them, nothing that ships.
const TOOLS: [&str; 2] = ["testkit", "system-tests"];
/// All that the two sides have in common: the language, and the ground of their pages.
const SHARED: [&str; 3] = ["journal", "webkit", "wire"];
/// The layers that only decide.
const PURE: [&str; 5] = ["wire", "netcfg", "agent-core", "boxcore", "manager-core"];
/// Crates that touch the world: never below a crate of the pure layers.
const WORLDLY: [&str; 19] = [
    "async-std",
    "axum",
    "env_logger",
    "fastrand",
    "getrandom",
    "hyper",
    "mio",
    "nix",
    "reqwest",
    "ring",
    "rusqlite",
    "rustix",
    "rustls",
    "signal-hook",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "tower",
];
/// Ways to the world that need no crate.
const WORLDLY_WORDS: [&str; 13] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::io::stdin",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "TimeZone::system",
];
/// Lines of a file without its tests.
const MOST_LINES: usize = 800;
/// Licences under which everything that we use may be passed on with our own.
const LICENCES: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
/// A second provider of cryptography makes rustls panic; a second TLS would be one more to watch.
const UNWANTED: [&str; 6] = ["aws-lc-rs", "aws-lc-sys", "aws-lc-fips-sys", "native-tls", "openssl", "openssl-sys"];

#[test]
fn crates_use_lower_layers_only() {
    let mut faults = Vec::new();
    for (name, uses) in our_crates() {
        let Some(layer) = layer(&name) else {
            if !TOOLS.contains(&name.as_str()) {
                faults.push(format!("{name} is in no layer: add it to tests/tidy.rs and ARCHITECTURE.md"));
            }
            continue;
        };
        for used in uses {
            match self::layer(&used) {
                Some(lower) if lower < layer => {}
                Some(_) => faults.push(format!("{name} uses {used}, which is not of a lower layer")),
                None => faults.push(format!("{name} ships, and uses {used}, which is for tests")),
            }
        }
    }
    assert_eq!(faults, [""; 0]);
}

#[test]
fn the_architecture_page_is_true() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for (number, layer) in LAYERS.iter().enumerate() {
        let row = page.lines().find(|line| line.starts_with(&format!("| {number} "))).unwrap_or_default();
        let crates = row.split('|').nth(2).unwrap_or_default();
        // managerd's program has a name of its own, which stands there too.
        let named: Vec<_> = crates.split('`').skip(1).step_by(2).filter(|name| *name != "manager").collect();
        assert_eq!(named, *layer, "layer {number} of ARCHITECTURE.md");
    }
    let places = page.split("```").nth(1).unwrap_or_default().lines().filter(|line| !line.is_empty());
    for place in places.filter_map(|line| line.split_whitespace().next()) {
        for path in spelled_out(place) {
            let folder = path.split('*').next().unwrap_or_default();
            let folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
            let path = root().join(if path.contains('*') { folder } else { &path });
            assert!(path.exists(), "ARCHITECTURE.md names {place}, which is not there");
        }
    }
}

#[test]
fn agent_and_manager_share_only_their_language_and_the_ground_of_their_pages() {
    let crates = our_crates();
    let (agent, manager) = (closure(&crates, "agentd"), closure(&crates, "managerd"));
    assert_eq!(agent.intersection(&manager).collect::<Vec<_>>(), SHARED.iter().collect::<Vec<_>>());
}

#[test]
fn decisions_never_reach_the_world_through_a_crate() {
    for name in PURE {
        // As the crate is when it is built alone: what another crate switches on in a common dependency is that crate's affair.
        let tree = cargo(&["tree", "--package", name, "--edges", "normal", "--prefix", "none", "--format", "{p}\t{f}"]);
        for line in tree.lines() {
            let (package, features) = line.split_once('\t').unwrap_or((line, ""));
            let package = package.split(' ').next().unwrap_or_default();
            assert!(!WORLDLY.contains(&package), "{name} reaches {package}: see `cargo tree -p {name} -i {package}`");
            let zones = features.split(',').any(|feature| feature.starts_with("tz") || feature == "default");
            assert!(package != "jiff" || !zones, "{name} uses jiff with {features}: time zones are read from files");
        }
    }
}

#[test]
fn decisions_never_reach_the_world_by_themselves() {
    let folders = ["libs/boxcore/src/", "libs/wire/src/", "libs/netcfg/src/", "agent-core/src/", "manager/core/src/"];
    let faults = find(
        |path| folders.iter().any(|folder| path.starts_with(folder)),
        |line| WORLDLY_WORDS.iter().find(|word| line.contains(**word)).map(|word| (*word).to_owned()),
    );
    assert_eq!(faults, [""; 0], "time and bytes are arguments in these crates");
}

#[test]
fn every_file_says_what_it_is_for_and_can_be_overlooked() {
    let mut faults = Vec::new();
    for (path, text) in rust_files() {
        if !text.starts_with("//! ") {
            faults.push(format!("{path} does not begin with `//!`: what it is for, what it must not do"));
        }
        let lines = without_tests(&text).lines().count();
        if lines > MOST_LINES {
            faults.push(format!("{path} has {lines} lines without its tests, {MOST_LINES} are allowed: split it"));
        }
    }
    assert_eq!(faults, [""; 0]);
}

#[test]
fn what_vendors_do_is_data() {
    let makers = makers();
    let faults = find(is_agents_code, |line| {
        // The table of profiles has to name its files.
        if line.contains("include_str!(\"../../profiles/") {
            return None;
        }
        let plain = line.replace([',', ' '], ".").replace("..", ".");
        let enterprise = plain.split("1.3.6.1.4.1.").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let maker = makers.iter().find(|maker| has_word(line, maker));
        maker.cloned().or_else(|| enterprise.then(|| "an enterprise's OID".to_owned()))
    });
    assert_eq!(faults, [""; 0], "vendor knowledge belongs into agent-core/profiles");
}

#[test]
fn licences_allow_to_pass_everything_on() {
    let metadata = metadata();
    let mut faults = Vec::new();
    for package in list(&metadata, "packages") {
        let (name, licence) = (word(package, "name"), word(package, "license"));
        if !Licences::of(licence).allowed() {
            faults.push(format!("{name}: {licence:?}"));
        }
    }
    assert_eq!(faults, [""; 0], "tests/tidy.rs has the list of licences");
}

#[test]
fn there_is_one_cryptography() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    let packages = lock.get("package").and_then(toml::Value::as_array).unwrap();
    let names = packages.iter().filter_map(|package| package.get("name")?.as_str());
    let found: Vec<_> = names.filter(|name| UNWANTED.contains(name)).collect();
    assert_eq!(found, [""; 0], "rustls with ring is the only one");
}

#[test]
fn texts_name_no_machine_and_no_registry() {
    // Put together here, so that this file passes itself.
    let hosts = [["crates", "io"], ["pypi", "org"], ["npmjs", "com"], ["npmjs", "org"], ["proxy.golang", "org"]];
    let hosts: Vec<String> = hosts.iter().map(|parts| parts.join(".")).collect();
    let place = ["", "work"].join("/");
    let mut faults = Vec::new();
    for (path, text) in texts().unwrap() {
        for (number, line) in text.lines().enumerate() {
            // cargo itself writes into its lock file where packages come from.
            let host = hosts.iter().find(|host| !path.ends_with("Cargo.lock") && line.contains(host.as_str()));
            let machine = line.match_indices(&place).any(|(at, _)| is_own_folder(line, at, place.len()));
            if host.is_some() || machine {
                faults.push(format!("{path}:{}: {line}", number + 1));
            }
        }
    }
    assert_eq!(faults, [""; 0]);
}

#[test]
fn the_published_list_of_readable_objects_is_true() {
    let mut readers: BTreeMap<String, BTreeSet<Oid>> = BTreeMap::new();
    let mut standard: BTreeMap<Oid, String> = BTreeMap::new();
    let profiles = profile_files();
    for (oid, reader) in readable(&Profiles::built_in().unwrap()) {
        let oid = Oid::parse(&oid).unwrap();
        match profiles.contains_key(&reader) {
            true => drop(readers.entry(reader).or_default().insert(oid)),
            false => drop(standard.insert(oid, reader)),
        }
    }
    let mut page = String::from(
        "# What is read from a device, and nothing else\n\n\
         The collector asks a device for the objects below and for no others. Each is one value, or a column of a table with\n\
         all its rows. Names of users, jobs and documents are not among them: a profile that asks for such an object does not\n\
         load (`agent-core/profiles/denied.toml` says which they are), and a request cannot name what is not on this list\n\
         (`agent-core/src/gate.rs`). Of a device whose sysObjectID says nothing at all, the instances by which a profile\n\
         recognises its devices are asked for as well; they are listed with the profile.\n\n\
         One command goes further, for one device and only when a person starts it: `agentd explore` looks at everything but \
         what is\ndenied, shows where a value stands that its user has typed, and stores and sends nothing.\n\n\
         This page is made from the program: a test compares it, and `UPDATE_GOLDEN=1 cargo test -p system-tests --test tidy`\n\
         writes it.\n\n\
         ## Of every device\n\n\
         Standard objects: SNMPv2-MIB (`system`), IF-MIB, HOST-RESOURCES-MIB, Printer-MIB.\n\n\
         | object | name |\n|---|---|\n",
    );
    for (oid, name) in &standard {
        writeln!(page, "| `{oid}` | {name} |").unwrap();
    }
    for (profile, oids) in &readers {
        let makers = profiles.get(profile).map(|text| prefixes(text)).unwrap_or_default();
        let whom = match profile == BASE || makers.is_empty() {
            true => "of every device".to_owned(),
            false => format!("of devices whose sysObjectID begins with {}", makers.join(", ")),
        };
        write!(page, "\n## By the profile `{profile}`, {whom}\n\n| object |\n|---|\n").unwrap();
        for oid in oids {
            writeln!(page, "| `{oid}` |").unwrap();
        }
    }
    testkit::golden::check(&page, root().join("docs/readable-objects.md"));
}

/// `a/{b,c}.rs` is `a/b.rs` and `a/c.rs`.
fn spelled_out(path: &str) -> Vec<String> {
    let parts = path.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?)));
    match parts {
        Some((head, (middle, tail))) => middle.split(',').map(|part| format!("{head}{part}{tail}")).collect(),
        None => vec![path.to_owned()],
    }
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

/// Each crate of ours with those of ours that it needs to run.
fn our_crates() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let ours = |package: &&Value| package.get("source").is_some_and(Value::is_null);
    let uses = |package: &Value| {
        let normal = |dependency: &&Value| dependency.get("kind").is_some_and(Value::is_null);
        let here = |dependency: &&Value| dependency.get("path").is_some_and(Value::is_string);
        list(package, "dependencies").filter(normal).filter(here).map(|used| word(used, "name").to_owned()).collect()
    };
    list(&metadata, "packages").filter(ours).map(|package| (word(package, "name").to_owned(), uses(package))).collect()
}

fn closure(crates: &BTreeMap<String, BTreeSet<String>>, name: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![name.to_owned()];
    while let Some(name) = next.pop() {
        let uses = crates.get(&name).unwrap_or_else(|| panic!("there is no crate {name}"));
        next.extend(uses.iter().filter(|used| reached.insert((*used).clone())).cloned());
    }
    reached
}

/// cargo's view of the workspace, for this kind of machine: packages of other systems need not have been fetched.
fn metadata() -> Value {
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--filter-platform", host])).unwrap()
}

fn cargo(words: &[&str]) -> String {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(words).args(["--locked", "--offline"]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "cargo {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn rust_files() -> Vec<(String, String)> {
    let files: Vec<_> = texts().unwrap().into_iter().filter(|(path, _)| path.ends_with(".rs")).collect();
    assert!(files.len() > 100, "the repository is not where this test looks: {} files", files.len());
    files
}

/// The text up to its module of tests; of a file of tests nothing.
fn without_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod tests {").map_or(text, |end| &text[..end])
}

/// Whether a file holds tests only.
fn is_tests(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

/// The lines of our code (not of its tests) in which something stands that does not belong there.
fn find(wanted: impl Fn(&str) -> bool, fault: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in rust_files().iter().filter(|(path, _)| wanted(path) && !is_tests(path)) {
        for (number, line) in without_tests(text).lines().enumerate() {
            faults.extend(fault(line).map(|what| format!("{path}:{}: {what}", number + 1)));
        }
    }
    faults
}

fn is_agents_code(path: &str) -> bool {
    path.starts_with("agent-core/") || path.starts_with("appliance/")
}

/// Profiles by name, with their text.
fn profile_files() -> BTreeMap<String, String> {
    let files = texts().unwrap().into_iter().filter_map(|(path, text)| {
        let name = path.strip_prefix("agent-core/profiles/")?.strip_suffix(".toml")?;
        (!["denied", "enterprises"].contains(&name)).then(|| (name.to_owned(), text))
    });
    files.collect()
}

/// The beginnings of sysObjectID that a profile matches.
fn prefixes(profile: &str) -> Vec<String> {
    let profile: toml::Table = profile.parse().unwrap();
    let ids = |key| profile.get("match").and_then(|matches| matches.get(key)).and_then(toml::Value::as_array);
    ["sys_object_id", "shared_sys_object_id"]
        .into_iter()
        .filter_map(ids)
        .flatten()
        .map(|id| format!("`{}`", id.as_str().unwrap_or_default()))
        .collect()
}

/// Names of makers as people write them, and of their profiles as code would.
fn makers() -> BTreeSet<String> {
    let enterprises = fs::read_to_string(root().join("agent-core/profiles/enterprises.toml")).unwrap();
    let enterprises: toml::Table = enterprises.parse().unwrap();
    let names = enterprises.get("names").and_then(toml::Value::as_table).unwrap();
    let mut makers: BTreeSet<String> = names.iter().filter_map(|(_, name)| name.as_str().map(str::to_owned)).collect();
    for (profile, text) in profile_files() {
        let text: toml::Table = text.parse().unwrap();
        let brands = text.get("brand").and_then(toml::Value::as_array).into_iter().flatten();
        makers.extend(brands.filter_map(|brand| Some(brand.get("manufacturer")?.as_str()?.to_owned())));
        if text.contains_key("extends") {
            makers.insert(format!("\"{profile}\""));
        }
    }
    makers
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        ![before, after].into_iter().flatten().any(char::is_alphanumeric) || word.starts_with('"')
    })
}

/// Whether a path in a line is a folder at the root of a machine, not the end of a longer path.
fn is_own_folder(line: &str, at: usize, length: usize) -> bool {
    let before = line[..at].chars().next_back();
    let after = line[at + length..].chars().next();
    let joined = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | '~');
    !before.is_some_and(joined) && !after.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// A licence expression (SPDX), taken apart: `OR` binds less than `AND`.
struct Licences<'a> {
    words: Vec<&'a str>,
}

impl<'a> Licences<'a> {
    fn of(expression: &'a str) -> Self {
        let words = expression.split_inclusive(['(', ')', ' ', '/']).flat_map(|part| {
            let end = part.len() - usize::from(part.ends_with(['(', ')', ' ', '/']));
            [&part[..end], part[end..].trim()]
        });
        let mut words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        words.reverse();
        Self { words }
    }

    fn allowed(mut self) -> bool {
        let allowed = self.any();
        allowed && self.words.is_empty()
    }

    fn any(&mut self) -> bool {
        let mut allowed = self.all();
        while matches!(self.words.last(), Some(&"OR" | &"/")) {
            self.words.pop();
            allowed |= self.all();
        }
        allowed
    }

    fn all(&mut self) -> bool {
        let mut allowed = self.one();
        while self.words.last() == Some(&"AND") {
            self.words.pop();
            allowed &= self.one();
        }
        allowed
    }

    fn one(&mut self) -> bool {
        match self.words.pop() {
            Some("(") => {
                let allowed = self.any();
                self.words.pop() == Some(")") && allowed
            }
            Some(licence) if self.words.last() == Some(&"WITH") => {
                self.words.pop();
                let exception = self.words.pop().unwrap_or_default();
                LICENCES.contains(&format!("{licence} WITH {exception}").as_str())
            }
            Some(licence) => LICENCES.contains(&licence),
            None => false,
        }
    }
}

#[test]
fn licence_expressions_are_understood() {
    for allowed in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(MIT OR GPL-3.0) AND Unicode-3.0", "MIT AND ISC"] {
        assert!(Licences::of(allowed).allowed(), "{allowed}");
    }
    for refused in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT", "MPL-2.0", "Apache-2.0 WITH Other-exception", "MIT ISC"] {
        assert!(!Licences::of(refused).allowed(), "{refused}");
    }
}
