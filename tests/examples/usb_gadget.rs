//! The printers' side of the USB test, inside the guest: makes printers of the kernel's gadgets, plugs and unplugs them, answers
//! as they would, and says over TCP what has arrived. Never started on a machine that anyone uses.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::{
        fd::AsFd,
        unix::{
            fs::{OpenOptionsExt as _, symlink},
            net::UnixStream,
        },
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::OFlags,
};
use system_tests::pjl_printer::answer;

/// What the gadget framework is configured through.
const GADGETS: &str = "/sys/kernel/config/usb_gadget";

fn main() -> Result<()> {
    let port: u16 = env::args().nth(1).context("usage: usb_gadget PORT")?.parse()?;
    let printers: Vec<_> = (0..2).map(Printer::make).collect::<Result<_>>()?;
    let printers: Arc<[Arc<Printer>]> = printers.into();
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    println!("usb_gadget: ready");
    for stream in listener.incoming() {
        let (stream, printers) = (stream?, printers.clone());
        thread::spawn(move || {
            let _ = serve(&stream, &printers);
        });
    }
    Ok(())
}

/// One line of words, one line of answer.
fn serve(stream: &TcpStream, printers: &[Arc<Printer>]) -> Result<()> {
    let mut line = String::new();
    let mut reader = BufReader::new(stream);
    while reader.read_line(&mut line)? > 0 {
        let answer = obey(line.trim(), printers).unwrap_or_else(|error| format!("error: {error:#}"));
        let mut stream = stream;
        writeln!(stream, "{answer}")?;
        line.clear();
    }
    Ok(())
}

fn obey(line: &str, printers: &[Arc<Printer>]) -> Result<String> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let printer = || {
        let number = rest.split(' ').next().unwrap_or_default().parse::<usize>()?;
        printers.get(number).context("there is no such printer")
    };
    match verb {
        "plug" => printer()?.plug()?,
        "unplug" => printer()?.unplug()?,
        "hang" => printer()?.state().hangs = true,
        "wake" => printer()?.state().hangs = false,
        "pages" => printer()?.state().pages = rest.split(' ').nth(1).context("pages PRINTER COUNT")?.parse()?,
        "clear" => printer()?.state().received = Received::default(),
        "received" => {
            let state = printer()?.state();
            return Ok(format!("{} {:016x}", state.received.length, state.received.hash));
        }
        "control" => return control(rest),
        "process" => return process(rest),
        "exists" => return Ok(Path::new(rest).exists().to_string()),
        "direct" => return measure(rest, &mut OpenOptions::new().write(true).open("/dev/usb/lp0")?),
        "bridge" => {
            let mut stream = TcpStream::connect("127.0.0.1:9418")?;
            let took = measure(rest, &mut stream)?;
            stream.shutdown(Shutdown::Both)?;
            return Ok(took);
        }
        _ => bail!("there is no such command"),
    }
    Ok("done".to_owned())
}

/// Passes a request on to the bridge's control socket.
fn control(request: &str) -> Result<String> {
    let mut stream = UnixStream::connect("/run/usbbridged/control")?;
    writeln!(stream, "{request}")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// Lines of /proc/PID/status of the process of this name, joined.
fn process(name: &str) -> Result<String> {
    for entry in fs::read_dir("/proc")? {
        let status = fs::read_to_string(entry?.path().join("status")).unwrap_or_default();
        if status.lines().next().is_some_and(|line| line.split_whitespace().nth(1) == Some(name)) {
            return Ok(status.lines().map(|line| line.replace('\t', " ")).collect::<Vec<_>>().join("; "));
        }
    }
    bail!("no process is called {name}")
}

/// Sends so many octets; gives how many microseconds it took until the last was taken.
fn measure(count: &str, to: &mut dyn Write) -> Result<String> {
    let (mut left, piece) = (count.parse::<usize>()?, vec![0x55; 64 * 1024]);
    let began = Instant::now();
    while left > 0 {
        let part = piece.get(..left.min(piece.len())).unwrap_or_default();
        to.write_all(part)?;
        left -= part.len();
    }
    to.flush()?;
    Ok(began.elapsed().as_micros().to_string())
}

/// What a printer got, as length and FNV-1a hash.
#[derive(Debug, Clone, Copy)]
struct Received {
    length: u64,
    hash: u64,
}

impl Default for Received {
    fn default() -> Self {
        Self { length: 0, hash: 0xcbf2_9ce4_8422_2325 }
    }
}

#[derive(Debug, Default)]
struct State {
    is_plugged: bool,
    /// Takes nothing and says nothing.
    hangs: bool,
    received: Received,
    /// What its meter shows.
    pages: u32,
}

struct Printer {
    number: usize,
    folder: PathBuf,
    state: Mutex<State>,
}

impl Printer {
    /// Prepares a gadget; it is not plugged in yet.
    fn make(number: usize) -> Result<Arc<Self>> {
        let folder = Path::new(GADGETS).join(format!("g{number}"));
        let function = folder.join("functions/printer.0");
        let function = function.with_file_name(format!("printer.{number}"));
        for made in [&folder, &folder.join("strings/0x409"), &folder.join("configs/c.1"), &function] {
            fs::create_dir_all(made).with_context(|| format!("{}", made.display()))?;
        }
        let id = format!("MFG:Acme;MDL:Gadget {number};CMD:PJL,PCL,POSTSCRIPT;CLS:PRINTER;SN:ID{number};");
        for (path, text) in [
            (folder.join("idVendor"), "0x1d6b".to_owned()),
            (folder.join("idProduct"), "0x0104".to_owned()),
            (folder.join("strings/0x409/serialnumber"), format!("SER{number}")),
            (folder.join("strings/0x409/manufacturer"), "Acme".to_owned()),
            (folder.join("strings/0x409/product"), format!("Gadget {number}")),
            (function.join("pnp_string"), id),
        ] {
            fs::write(&path, text).with_context(|| format!("{}", path.display()))?;
        }
        symlink(&function, folder.join(format!("configs/c.1/printer.{number}")))?;
        Ok(Arc::new(Self { number, folder, state: Mutex::new(State { pages: 4711, ..State::default() }) }))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plug(self: &Arc<Self>) -> Result<()> {
        fs::write(self.folder.join("UDC"), format!("dummy_udc.{}", self.number))?;
        let path = format!("/dev/g_printer{}", self.number);
        let began = Instant::now();
        let device = loop {
            match OpenOptions::new().read(true).write(true).custom_flags(nonblock()).open(&path) {
                Ok(device) => break device,
                Err(_) if began.elapsed() < Duration::from_secs(10) => thread::sleep(Duration::from_millis(20)),
                Err(error) => return Err(error).context(path),
            }
        };
        self.state().is_plugged = true;
        let printer = self.clone();
        thread::spawn(move || printer.work(device));
        Ok(())
    }

    fn unplug(&self) -> Result<()> {
        self.state().is_plugged = false;
        // The device has to be closed before the gadget goes.
        while Path::new(&format!("/run/printer{}", self.number)).exists() {
            thread::sleep(Duration::from_millis(5));
        }
        fs::write(self.folder.join("UDC"), "\n").context("UDC")
    }

    /// Takes what comes and answers it until unplugged.
    fn work(&self, mut device: File) {
        let mark = format!("/run/printer{}", self.number);
        let _ = fs::write(&mark, "open");
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let (is_plugged, hangs) = {
                let state = self.state();
                (state.is_plugged, state.hangs)
            };
            if !is_plugged {
                break;
            }
            if hangs {
                thread::sleep(Duration::from_millis(20));
                continue;
            }
            let wait = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
            let _ = poll(&mut [PollFd::from_borrowed_fd(device.as_fd(), PollFlags::IN)], Some(&wait));
            let Ok(length) = device.read(&mut buffer) else { continue };
            let octets = buffer.get(..length).unwrap_or_default();
            {
                let mut state = self.state();
                state.received.length += u64::try_from(length).unwrap_or_default();
                for octet in octets {
                    state.received.hash = (state.received.hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
                }
            }
            let answer = answer(octets, "Acme Gadget", self.state().pages);
            let mut rest = answer.as_bytes();
            while !rest.is_empty() && self.state().is_plugged {
                match device.write(rest) {
                    Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                    Err(_) => thread::sleep(Duration::from_millis(5)),
                }
            }
        }
        drop(device);
        let _ = fs::remove_file(&mark);
    }
}

fn nonblock() -> i32 {
    i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default()
}
