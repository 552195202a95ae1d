//! Plays a site in real time until it is told to stop: what the program `printer-sim` does. The only module of this crate
//! that reads a clock.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::{
    life::{Life, State},
    printer_sim::{Mood, Printer, Traffic},
    recording::Recording,
    sim_site::{SharedPrinter, SimSite, addresses, lock},
    site::{Site, SitePrinter},
};

/// What is to be played, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The site's file.
    pub site: PathBuf,
    /// Another port than the file's.
    pub port: Option<u16>,
    /// Where counters and levels are kept from one start to the next.
    pub state: Option<PathBuf>,
    /// How many times faster than real time goes by.
    pub speed: f64,
    /// So many printers made after those of the file, instead of those.
    pub clones: Option<usize>,
    /// All printers answer rightly, so much later, whatever the file says of their moods.
    pub delay: Option<Duration>,
}

/// Plays until `stop`, telling on `out` who is where.
pub async fn run(options: Options, stop: impl Future<Output = ()>, out: &mut dyn io::Write) -> anyhow::Result<()> {
    if !(options.speed > 0.0 && options.speed <= 10_000.0) {
        bail!("--speed {} is out of range: above 0, at most 10000", options.speed);
    }
    let site = match options.clones {
        Some(wanted) => Site::clones(&options.site, wanted)?,
        None => Site::load(&options.site)?,
    };
    let port = options.port.unwrap_or(site.port);
    let mut players = Vec::new();
    let mut places = Vec::new();
    let mut lines = Vec::new();
    for SitePrinter { name, model, serial, address, remarks, mood, printer, life } in site.printers {
        lines.push(format!("{model:<36} {serial:<16} {name}{}{remarks}", if remarks.is_empty() { "" } else { "; " }));
        let mood = options.delay.map_or(mood, Mood::Slow);
        let printer = Arc::new(Mutex::new(printer));
        places.push((address, Arc::clone(&printer)));
        players.push(Player { name, mood, printer, life });
    }
    if let Some(path) = options.state.as_deref().filter(|path| path.exists()) {
        Kept::load(path)?.give_back(&mut players);
        players.iter().for_each(Player::show);
    }
    let sockets = SimSite::start_shared(port, places).await?;
    for (address, line) in sockets.addresses().into_iter().zip(lines) {
        writeln!(out, "{address:<22} {line}")?;
    }
    writeln!(out, "{} printers answer. Ctrl-C ends them.", players.len())?;
    out.flush()?;

    players.iter().for_each(Player::show);
    let kept = options.state.as_deref();
    let played = tokio::select! {
        () = stop => Ok(()),
        played = play(&mut players, options.speed, kept) => played,
    };
    drop(sockets);
    if options.clones.is_some() {
        tell_traffic(&players, out)?;
    }
    if let Some(path) = kept {
        Kept::of(&players, Duration::ZERO).save(path)?;
    }
    played
}

/// What all printers together have received and sent, payloads only: for measurements that do not trust who is measured.
fn tell_traffic(players: &[Player], out: &mut dyn io::Write) -> io::Result<()> {
    let mut sum = Traffic::default();
    for traffic in players.iter().map(|player| lock(&player.printer).traffic()) {
        sum.datagrams_in += traffic.datagrams_in;
        sum.bytes_in += traffic.bytes_in;
        sum.repeats_in += traffic.repeats_in;
        sum.datagrams_out += traffic.datagrams_out;
        sum.bytes_out += traffic.bytes_out;
    }
    let Traffic { datagrams_in, bytes_in, repeats_in, datagrams_out, bytes_out } = sum;
    writeln!(
        out,
        "traffic: in {datagrams_in} datagrams {bytes_in} octets {repeats_in} repeats, out {datagrams_out} datagrams {bytes_out} octets"
    )?;
    out.flush()
}

/// Plays recordings as they are until `stop`, telling on `out` which is where.
pub async fn play_recordings(
    files: &[PathBuf],
    port: u16,
    stop: impl Future<Output = ()>,
    out: &mut dyn io::Write,
) -> anyhow::Result<()> {
    let printers =
        files.iter().map(|file| Ok(Printer::new(Recording::load(file)?))).collect::<anyhow::Result<Vec<_>>>()?;
    let placed = addresses(Ipv4Addr::new(127, 79, 0, 0)).zip(printers).collect();
    let sockets = SimSite::start_at(port, placed).await?;
    for (address, file) in sockets.addresses().into_iter().zip(files) {
        writeln!(out, "{address:<22} {}", file.display())?;
    }
    writeln!(out, "{} printers answer. Ctrl-C ends them.", files.len())?;
    out.flush()?;
    stop.await;
    Ok(())
}

struct Player {
    name: String,
    mood: Mood,
    printer: SharedPrinter,
    life: Life,
}

impl Player {
    fn show(&self) {
        let mut printer = lock(&self.printer);
        printer.set_mood(if self.life.is_off() { Mood::Silent } else { self.mood });
        self.life.show(&mut printer);
    }
}

/// How often lives go on, in real time.
const STEP: Duration = Duration::from_secs(1);

/// How far, in real time, lives may go on without being kept.
const UNKEPT: Duration = Duration::from_secs(10);

/// Nobody may see a counter that a start after a power cut could not reach again: so what is kept says in advance how far
/// the lives may have gone on from there, and they never go further before it is kept again.
async fn play(players: &mut [Player], speed: f64, kept: Option<&Path>) -> anyhow::Result<()> {
    let start = Instant::now();
    let (mut lived, mut allowed) = (Duration::ZERO, Duration::ZERO);
    let mut steps = tokio::time::interval(STEP);
    loop {
        steps.tick().await;
        let now = Duration::from_secs(start.elapsed().mul_f64(speed).as_secs());
        if let Some(path) = kept.filter(|_| now > allowed) {
            allowed = now + Duration::from_secs(UNKEPT.mul_f64(speed).as_secs());
            Kept::of(players, allowed - lived).save(path)?;
        }
        for player in players.iter_mut() {
            player.life.run(now - lived);
            player.show();
        }
        lived = now;
    }
}

/// What a start finds of the one before.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// Of this shape.
    version: u32,
    /// The lives may have gone on by so many seconds since.
    seconds_since: u64,
    printers: BTreeMap<String, State>,
}

const VERSION: u32 = 1;

impl Kept {
    fn of(players: &[Player], since: Duration) -> Self {
        let printers = players.iter().map(|player| (player.name.clone(), player.life.state().clone())).collect();
        Self { version: VERSION, seconds_since: since.as_secs(), printers }
    }

    fn load(path: &Path) -> anyhow::Result<Self> {
        let wrong = || format!("the state {} can not be read; without it the printers begin anew", path.display());
        let kept: Self = serde_json::from_slice(&fs::read(path).with_context(wrong)?).with_context(wrong)?;
        if kept.version != VERSION {
            return Err(anyhow::anyhow!("it has version {}, wanted is {VERSION}", kept.version).context(wrong()));
        }
        Ok(kept)
    }

    /// A printer that the file does not know begins anew.
    fn give_back(mut self, players: &mut [Player]) {
        for player in players {
            if let Some(state) = self.printers.remove(&player.name) {
                player.life.resume(state, Duration::from_secs(self.seconds_since));
            }
        }
    }

    /// Whole or not at all, also when the power goes.
    fn save(&self, path: &Path) -> anyhow::Result<()> {
        let save = || -> io::Result<()> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let unfinished = path.with_extension("new");
            let mut file = File::create(&unfinished)?;
            serde_json::to_writer(io::BufWriter::new(&file), self)?;
            file.flush()?;
            file.sync_all()?;
            fs::rename(unfinished, path)
        };
        save().with_context(|| format!("can not keep the state in {}", path.display()))
    }
}
