//! The data partition, at every start before anything uses it: checked, repaired or made anew, grown to the size of the card,
//! mounted on /data, and its `lib` on /var/lib. Whatever is wrong with it, the box comes up: at worst with its data in memory, and
//! says so.
//!
//! This runs in the system's own view of the mounts, which is why its unit can be shut in less than the others.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use boxcore::partition::{Checked, ERASE, Place};
use boxcore::request::Remark;
use clap::Args;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::place::write_whole;
use crate::test_write::test_write;

/// Where the tools are.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// So much is looked at to tell an empty partition from a damaged one.
const BLANK: usize = 128 << 10;
/// Most bytes that are saved from a damaged partition: they lie in memory meanwhile.
const SAVED: u64 = 48 << 20;
/// Deepest folder that is saved.
const DEEPEST: usize = 8;
/// Size of the memory in which data are kept where there is no partition to keep them.
const VOLATILE: &str = "size=64m,mode=0755";
/// The file that asks for everything to be erased, below the mount point.
pub(crate) const ERASE_WISH: &str = "erase-everything";
/// What was found, for the page.
pub(crate) const REPORT: &str = "data.json";

/// What the command line says.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// The partition
    #[arg(long, value_name = "DEVICE", default_value = "/dev/druckwart/data")]
    device: PathBuf,
    /// Where it is mounted
    #[arg(long, value_name = "FOLDER", default_value = "/data")]
    mount: PathBuf,
    /// Where its folder `lib` is seen, too
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib")]
    lib: PathBuf,
    /// Folder for what was found
    #[arg(long, value_name = "FOLDER", default_value = "/run/boxd")]
    run: PathBuf,
    /// The machine's id as systemd made it for this start; the lasting one is put there
    #[arg(long, value_name = "FILE", default_value = "/run/machine-id")]
    machine_id: PathBuf,
}

/// Does it all. Fails only where not even memory can be mounted.
pub fn run(settings: &Settings) -> Result<()> {
    let mut remarks = Vec::new();
    // By the kernel's own name: the link is udev's, which takes it away for a moment when the partition grows.
    let device = fs::canonicalize(&settings.device).unwrap_or_else(|_| settings.device.clone());
    let settings = &Settings { device, ..settings.clone() };
    if let Err(error) = settings.bring_up(&mut remarks) {
        log::error!("the data partition does not come up: {error:#}");
        settings.in_memory(&mut remarks)?;
    }
    let lib = settings.mount.join("lib");
    fs::create_dir_all(&lib).with_context(|| format!("cannot make {}", lib.display()))?;
    fs::create_dir_all(&settings.lib).with_context(|| format!("cannot make {}", settings.lib.display()))?;
    mount(Some(&lib), &settings.lib, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .with_context(|| format!("{} cannot be put at {}", lib.display(), settings.lib.display()))?;
    if let Err(error) = lasting_machine_id(&settings.machine_id, &lib.join("machine-id")) {
        log::warn!("the machine's id lasts for this start only: {error:#}");
    }
    for remark in &remarks {
        log::warn!("the data partition: {remark:?}");
    }
    let report = serde_json::to_vec(&remarks).context("remarks have a JSON form")?;
    write_whole(&settings.run.join(REPORT), &report)
}

impl Settings {
    fn bring_up(&self, remarks: &mut Vec<Remark>) -> Result<()> {
        if !self.device.exists() {
            remarks.push(Remark::Missing);
            bail!("{} is not there", self.device.display());
        }
        // First, so that nothing is taken for damage that is none.
        fs::create_dir_all(&self.mount).with_context(|| format!("cannot make {}", self.mount.display()))?;
        if let Err(error) = self.grow_partition() {
            log::warn!("the partition does not grow: {error:#}");
            remarks.push(Remark::NotGrown);
        }
        if is_to_be_erased(&self.device)? {
            self.erase(remarks)?;
        } else if is_blank(&self.device)? {
            self.make()?;
            remarks.push(Remark::Made);
        } else if let Some(remark) = self.check() {
            remarks.push(remark);
        }
        if let Err(error) = self.mount_device(MsFlags::empty(), "commit=30,errors=remount-ro") {
            log::error!("{error:#}");
            self.make_anew(remarks)?;
            if remarks.contains(&Remark::ReadOnly) {
                return Ok(());
            }
        }
        if self.mount.join("lib/boxd").join(ERASE_WISH).exists() {
            self.unmount()?;
            self.erase(remarks)?;
            self.mount_device(MsFlags::empty(), "commit=30,errors=remount-ro")?;
        }
        if let Err(error) = test_write(&self.mount) {
            // As far as it can be read it is copied into memory, so that the box runs with its settings.
            log::error!("the card does not take what is written: {error:#}");
            let saved = self.save()?;
            self.unmount()?;
            self.in_memory(remarks)?;
            saved.put_back(&self.mount)?;
            return Ok(());
        }
        // While it is mounted: that way a power cut on the way does no harm.
        if let Err(error) = tool("resize2fs", &[&self.device.display().to_string()], &[0]) {
            log::warn!("the file system does not grow: {error:#}");
            remarks.push(Remark::NotGrown);
        }
        Ok(())
    }

    /// Lets the partition reach to the end of the card, where it is the last one and that is worth it.
    fn grow_partition(&self) -> Result<()> {
        let Some(partition) = Partition::of(&self.device)? else { return Ok(()) };
        let Some(size) = partition.place.grown() else { return Ok(()) };
        let disk = format!("/dev/{}", partition.disk);
        log::info!("growing the data partition to {} MiB", size >> 20);
        // One sector of the disk changes, so that a power cut leaves the old table or the new one.
        tool_with_input(
            "sfdisk",
            &["--no-reread", "--no-tell-kernel", "--quiet", "-N", &partition.number, &disk],
            &[0],
            &format!(", {}\n", size / 512),
        )?;
        tool("partx", &["--update", "--nr", &partition.number, &disk], &[0])
    }

    /// Checks the file system and repairs what can be repaired.
    fn check(&self) -> Option<Remark> {
        let device = self.device.display().to_string();
        // First what is safe; then everything, for nobody is there to be asked. Where only a copy of the superblock is left it
        // stops once behind the journal, and what it calls clean then is not: only a second whole check puts the bitmaps right.
        for (round, how) in ["-p", "-fy", "-fy"].into_iter().enumerate() {
            match Checked::of_status(status("e2fsck", &[how, &device]).unwrap_or_default()) {
                // What replaying the journal puts right after a power cut is clean; anything beyond is worth a word.
                Checked::Clean if round == 0 => return None,
                Checked::Clean | Checked::Repaired => return Some(Remark::Repaired),
                outcome => log::warn!("e2fsck {how}: {outcome:?}"),
            }
        }
        None
    }

    fn erase(&self, remarks: &mut Vec<Remark>) -> Result<()> {
        log::warn!("erasing everything, as was asked");
        write_first_sector(&self.device, ERASE)?;
        self.make()?;
        remarks.push(Remark::Erased);
        Ok(())
    }

    fn make(&self) -> Result<()> {
        let device = self.device.display().to_string();
        tool("mke2fs", &["-q", "-F", "-t", "ext4", "-L", "data", "-m", "1", &device], &[0])?;
        write_first_sector(&self.device, &[0; ERASE.len()])
    }

    /// Beyond repair: saves what can be read, makes the file system anew, and puts that back.
    fn make_anew(&self, remarks: &mut Vec<Remark>) -> Result<()> {
        let saved = match self.mount_device(MsFlags::MS_RDONLY, "noload") {
            Ok(()) => {
                let saved = self.save();
                self.unmount()?;
                saved?
            }
            Err(error) => {
                log::error!("nothing can be saved: {error:#}");
                Saved::none()
            }
        };
        if let Err(error) = self.make() {
            log::error!("the partition cannot be made anew: {error:#}");
            self.in_memory(remarks)?;
            return saved.put_back(&self.mount);
        }
        self.mount_device(MsFlags::empty(), "commit=30,errors=remount-ro")?;
        remarks.push(Remark::MadeAnew { saved: saved.files });
        saved.put_back(&self.mount)
    }

    fn mount_device(&self, flags: MsFlags, options: &str) -> Result<()> {
        fs::create_dir_all(&self.mount).with_context(|| format!("cannot make {}", self.mount.display()))?;
        let flags = flags | MsFlags::MS_NOATIME | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some(&self.device), &self.mount, Some("ext4"), flags, Some(options))
            .with_context(|| format!("{} cannot be mounted", self.device.display()))
    }

    fn unmount(&self) -> Result<()> {
        umount2(&self.mount, MntFlags::empty()).with_context(|| format!("{} stays mounted", self.mount.display()))
    }

    fn in_memory(&self, remarks: &mut Vec<Remark>) -> Result<()> {
        if !remarks.contains(&Remark::Missing) {
            remarks.push(Remark::ReadOnly);
        }
        // A mount that could not be taken away is covered.
        fs::create_dir_all(&self.mount).with_context(|| format!("cannot make {}", self.mount.display()))?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("tmpfs"), &self.mount, Some("tmpfs"), flags, Some(VOLATILE))
            .context("not even memory can be mounted")
    }

    fn save(&self) -> Result<Saved> {
        let folder = self.run.join("saved");
        let mut saved = Saved { folder, files: 0, room: SAVED };
        saved.take(&self.mount.join("lib"), Path::new("lib"), 0)?;
        Ok(saved)
    }
}

/// What was saved from a damaged partition, in memory.
struct Saved {
    folder: PathBuf,
    files: u64,
    room: u64,
}

impl Saved {
    fn none() -> Self {
        Self { folder: PathBuf::new(), files: 0, room: 0 }
    }

    /// Copies a folder; what cannot be read is left out. Small files come first: keys and settings before databases.
    fn take(&mut self, from: &Path, below: &Path, depth: usize) -> Result<()> {
        let to = self.folder.join(below);
        fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
        let _ = like(from, &to);
        let Ok(found) = fs::read_dir(from) else { return Ok(()) };
        let mut entries: Vec<_> =
            found.flatten().filter_map(|entry| Some((entry.metadata().ok()?, entry.file_name()))).collect();
        entries.sort_by_key(|(about, _)| about.len());
        for (about, name) in entries {
            let (from, below) = (from.join(&name), below.join(&name));
            if about.is_dir() && depth < DEEPEST {
                self.take(&from, &below, depth + 1)?;
            } else if about.is_file() && about.len() <= self.room {
                match fs::copy(&from, self.folder.join(&below)) {
                    Ok(size) => {
                        self.room = self.room.saturating_sub(size);
                        self.files += 1;
                        let _ = like(&from, &self.folder.join(&below));
                    }
                    Err(error) => log::warn!("{} is lost: {error}", from.display()),
                }
            }
        }
        Ok(())
    }

    fn put_back(mut self, mount: &Path) -> Result<()> {
        if self.files > 0 {
            let from = std::mem::replace(&mut self.folder, mount.to_owned()).join("lib");
            let files = self.files;
            self.room = u64::MAX;
            self.take(&from, Path::new("lib"), 0)?;
            nix::unistd::sync();
            fs::remove_dir_all(&from).with_context(|| format!("{} stays", from.display()))?;
            log::warn!("{files} files were saved");
        }
        Ok(())
    }
}

/// Owner and permissions of one file for another.
fn like(from: &Path, to: &Path) -> std::io::Result<()> {
    let about = fs::symlink_metadata(from)?;
    chown(to, Some(about.uid()), Some(about.gid()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(about.mode() & 0o7777))
}

/// A partition as the kernel knows it.
struct Partition {
    disk: String,
    number: String,
    place: Place,
}

impl Partition {
    /// The partition behind a device file; `None` where that is a whole disk or no block device.
    fn of(device: &Path) -> Result<Option<Self>> {
        let path = fs::canonicalize(device).with_context(|| device.display().to_string())?;
        if !fs::metadata(&path).is_ok_and(|about| about.file_type().is_block_device()) {
            return Ok(None);
        }
        let name = path.file_name().and_then(|name| name.to_str()).context("a device has a name")?;
        let folder = fs::canonicalize(Path::new("/sys/class/block").join(name)).context("the kernel knows it not")?;
        let word = |path: PathBuf| -> Result<String> {
            Ok(fs::read_to_string(&path).with_context(|| path.display().to_string())?.trim().to_owned())
        };
        let bytes = |path: PathBuf| -> Result<u64> {
            let sectors: u64 = word(path)?.parse().context("a number of sectors")?;
            sectors.checked_mul(512).context("a size")
        };
        if !folder.join("partition").exists() {
            return Ok(None);
        }
        let disk = folder.parent().context("a partition is on a disk")?;
        let place = Place {
            disk: bytes(disk.join("size"))?,
            start: bytes(folder.join("start"))?,
            size: bytes(folder.join("size"))?,
        };
        let others = fs::read_dir(disk).context("the partitions cannot be listed")?.flatten();
        let behind = others.filter_map(|other| bytes(other.path().join("start")).ok()).any(|start| start > place.start);
        if behind {
            return Ok(None);
        }
        let disk = disk.file_name().and_then(|name| name.to_str()).context("a disk has a name")?.to_owned();
        Ok(Some(Self { disk, number: word(folder.join("partition"))?, place }))
    }
}

fn first_bytes(device: &Path, length: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(device).and_then(|file| file.take(length as u64).read_to_end(&mut bytes));
    read.with_context(|| format!("{} cannot be read", device.display()))?;
    Ok(bytes)
}

fn is_to_be_erased(device: &Path) -> Result<bool> {
    Ok(first_bytes(device, ERASE.len())? == ERASE)
}

fn is_blank(device: &Path) -> Result<bool> {
    let bytes = first_bytes(device, BLANK)?;
    // 0xff is what a card says of sectors that were never written.
    Ok(bytes.iter().all(|byte| *byte == 0) || bytes.iter().all(|byte| *byte == 0xff))
}

fn write_first_sector(device: &Path, bytes: &[u8]) -> Result<()> {
    let written = OpenOptions::new().write(true).open(device).and_then(|mut file| {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.with_context(|| format!("{} cannot be written", device.display()))
}

/// The id by which DHCP servers and the journal know the machine: made once, kept with the data. systemd has made one for this
/// start already, as the root is read-only; every program that starts later reads this one.
fn lasting_machine_id(present: &Path, kept: &Path) -> Result<()> {
    let is_id = |text: &str| text.trim().len() == 32 && text.trim().bytes().all(|byte| byte.is_ascii_hexdigit());
    match fs::read_to_string(kept) {
        Ok(text) if is_id(&text) => {
            let written = OpenOptions::new().write(true).truncate(true).open(present);
            written.and_then(|mut file| file.write_all(text.as_bytes())).with_context(|| present.display().to_string())
        }
        _ => {
            let text = fs::read_to_string(present).with_context(|| present.display().to_string())?;
            write_whole(kept, text.as_bytes())
        }
    }
}

fn tool(name: &str, arguments: &[&str], good: &[i32]) -> Result<()> {
    tool_with_input(name, arguments, good, "")
}

fn tool_with_input(name: &str, arguments: &[&str], good: &[i32], input: &str) -> Result<()> {
    let mut child = Command::new(name)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{name} cannot be started"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A tool that wants no input may be gone already.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().with_context(|| format!("{name} was lost"))?;
    if !output.status.code().is_some_and(|code| good.contains(&code)) {
        bail!("{name}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn status(name: &str, arguments: &[&str]) -> Option<Option<i32>> {
    let output = Command::new(name).args(arguments).env_clear().env("PATH", PATH).stdin(Stdio::null()).output();
    match output {
        Ok(output) => Some(output.status.code()),
        Err(error) => {
            log::error!("{name} cannot be started: {error}");
            None
        }
    }
}
