//! The command line, and what each command does.

use std::io::{IsTerminal, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use tokio::task::JoinSet;
use webkit::certificate::CertificateKeeper;
use webkit::listen::{Limits, ListenError, Listener, serve};
use wire::sign::AgentKey;

use crate::boxd::{self, Boxd};
use crate::collector::Collector;
use crate::explore;
use crate::fault;
use crate::netcfgd::Netcfgd;
use crate::one_shot;
use crate::profiles::{self, ProfileCommand};
use crate::provision::Provisioning;
use crate::reserve::Reserve;
use crate::store::Store;
use crate::traps::{self, TrapPorts};
use crate::updates::Updates;
use crate::uplink::Uplink;
use crate::usb::{self, UsbReader};
use crate::web;

/// Finds printers and copiers on a network, reads them over SNMP, and reports them to a manager.
///
/// Without any set-up: `agentd read 192.0.2.7` shows one device, `agentd discover 192.0.2.0/24` lists a network's.
#[derive(Debug, Parser)]
#[command(name = "agentd", version, propagate_version = true)]
pub struct CommandLine {
    /// Say more in the log
    #[arg(long, short, global = true)]
    pub verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read devices and print what they say
    #[command(
        after_help = "Exit status: 0 all were read, 1 some were not, 2 the command is wrong.\n\nExamples:\n  agentd read 192.0.2.7\n  agentd read 192.0.2.7 --community s3cret --json | jq .total\n  agentd read --targets printers.txt --json > printers.jsonl"
    )]
    Read(one_shot::Read),
    /// Search a network for printers and list them
    #[command(
        after_help = "Exit status: 0 printers were found, 1 none were, 2 the command is wrong.\n\nExamples:\n  agentd discover 192.0.2.0/24\n  agentd discover own-subnets --exclude 192.0.2.50-99 --json"
    )]
    Discover(one_shot::Discover),
    /// Find which object of a device holds a value of its counter sheet
    #[command(
        after_help = "Exit status: 0 each value was found, 1 some were not, 2 the command is wrong.\n\nExamples:\n  agentd explore 192.0.2.7 76064\n  agentd explore 192.0.2.7 76064 36347 RH28Y00024 --json\n  agentd explore 192.0.2.7 --changed"
    )]
    Explore(explore::Explore),
    /// Check profiles, or list those that are compiled in
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Run the collector with its web pages
    Run(Run),
    /// Apply a prepared agent.toml
    Provision(Provision),
    /// Set the administrator's password, from standard input or at a prompt
    Passwd(Data),
}

#[derive(Debug, Args)]
struct Data {
    /// Folder of the database and the keys [default: $STATE_DIRECTORY, else ./agentd-data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    data: Data,
    /// Address and port of the web pages; may be given several times
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:5443")]
    listen: Vec<SocketAddr>,
    /// Address and port for traps and informs, UDP and TCP; none takes no traps. Ports below 1024 need a privilege
    #[arg(long, value_name = "ADDRESS:PORT", default_value = traps::STANDARD, value_parser = trap_address)]
    trap_listen: TrapAddress,
    /// Take the profiles in this folder beside those that are compiled in [default: "profiles" in the folder of --data]
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
    /// Where netcfgd is asked, on the appliance
    #[arg(long, value_name = "FILE", default_value = "/run/netcfgd/socket")]
    netcfgd: PathBuf,
    /// Where boxd is asked, on the appliance
    #[arg(long, value_name = "FILE", default_value = "/run/boxd/socket")]
    boxd: PathBuf,
    /// Folder in which bundles are left for boxd
    #[arg(long, value_name = "FOLDER", default_value = boxcore::request::UPDATES)]
    updates: PathBuf,
    /// The key of the channel from which updates and licences come, on the appliance
    #[arg(long, value_name = "FILE", default_value = "/etc/druckwart/channel.pub")]
    channel_key: PathBuf,
    /// Socket on which this machine's bridge to USB printers is controlled
    #[arg(long, value_name = "PATH", default_value = usb::CONTROL)]
    usb_control: PathBuf,
    /// Address at which that bridge listens, as its own --address says
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    usb_bridge: IpAddr,
}

/// Where traps are taken, if at all.
#[derive(Debug, Clone, Copy)]
struct TrapAddress(Option<SocketAddr>);

fn trap_address(text: &str) -> Result<TrapAddress, String> {
    match text {
        "none" => Ok(TrapAddress(None)),
        _ => {
            text.parse().map(|address| TrapAddress(Some(address))).map_err(|_| "write ADDRESS:PORT, or none".to_owned())
        }
    }
}

#[derive(Debug, Args)]
struct Provision {
    #[command(flatten)]
    data: Data,
    /// The file; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Data {
    fn folder(&self) -> PathBuf {
        let of_service = || std::env::var_os("STATE_DIRECTORY").map(PathBuf::from);
        self.data.clone().or_else(of_service).unwrap_or_else(|| PathBuf::from("agentd-data"))
    }
}

/// Carries a command out.
pub fn run(command_line: CommandLine) -> ExitCode {
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime does not start")
        .and_then(|runtime| runtime.block_on(dispatch(command_line.command)));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("agentd: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn dispatch(command: Command) -> Result<bool> {
    match command {
        Command::Read(command) => one_shot::read(command).await,
        Command::Discover(command) => one_shot::discover(command).await,
        Command::Explore(command) => explore::explore(command).await,
        Command::Profile(command) => profiles::run(command),
        Command::Run(command) => daemon(command).await.map(|()| true),
        Command::Provision(command) => provision(&command).map(|()| true),
        Command::Passwd(command) => set_password(&command).map(|()| true),
    }
}

async fn daemon(command: Run) -> Result<()> {
    // The one place where the process chooses its cryptography; everything below takes it from here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = command.data.folder();
    let mut listeners = Vec::new();
    for address in command.listen {
        listeners.push(Listener::bind(address).await?);
    }
    let reserve = Reserve::of(&folder);
    let (store, key) = match Store::open(&folder).map_err(Into::into).and_then(|store| Ok((store, agent_key(&folder)?)))
    {
        Ok((store, key)) => (Arc::new(store), Arc::new(key)),
        Err(error) => {
            // The first is where people come first.
            let listener = listeners.into_iter().next().context("there is no address to listen on")?;
            return fault::tell(listener, &folder, error, stop_signal()).await;
        }
    };
    let host_name = host_name();
    let certificate =
        Arc::new(CertificateKeeper::load_or_make(&folder, std::slice::from_ref(&host_name), Timestamp::now())?);
    for listener in &listeners {
        log::info!(address:% = listener.address(), data:% = folder.display(); "the pages are at https://{}", listener.address());
    }
    let ports = match command.trap_listen.0 {
        Some(address) => TrapPorts::open(address).await,
        None => TrapPorts::none(),
    };
    for open in &ports.open {
        log::info!(address = open.as_str(); "traps are taken");
    }
    for fault in &ports.faults {
        log::warn!(fault = fault.as_str(); "no traps are taken here; all else goes on. Another port is set by --trap-listen");
    }
    // One that is named has to be there.
    if let Some(named) = command.profiles.as_deref().filter(|named| !named.is_dir()) {
        bail!("{} is no folder", named.display());
    }
    let profiles = command.profiles.unwrap_or_else(|| folder.join("profiles"));
    let (collector, collector_handle) = Collector::new(store.clone(), profiles::load_what_is_right(&profiles)?, ports)?;
    let (uplink, uplink_handle) = Uplink::new(store.clone(), key.clone(), host_name)?;
    let (usb_reader, usb_handle) = UsbReader::new(store.clone(), &command.usb_control, command.usb_bridge);
    let boxd = Boxd::at(&command.boxd);
    let box_watch = boxd::watch(boxd.clone(), store.clone());
    let reserve_watch = reserve.clone().watch(store.clone());
    let router = web::router(web::Parts {
        store,
        collector: collector_handle,
        usb: usb_handle,
        uplink: uplink_handle,
        agent: key.agent_id(),
        netcfgd: Netcfgd::at(&command.netcfgd),
        updates: Updates::new(boxd, &command.updates, &command.channel_key),
        reserve,
    });
    let limits = Limits { plain: web::OPEN, large: web::LARGE, ..Limits::default() };
    let mut servers = JoinSet::new();
    for listener in listeners {
        servers.spawn(serve(listener, certificate.clone(), router.clone(), limits.clone(), stop_signal()));
    }
    tokio::select! {
        () = collector.run() => Ok(()),
        () = uplink.run() => Ok(()),
        () = usb_reader.run() => Ok(()),
        () = box_watch => Ok(()),
        () = reserve_watch => Ok(()),
        ended = all(servers) => ended.context("the pages stopped"),
    }
}

/// Waits for the end of all, or the failure of one.
async fn all(mut servers: JoinSet<Result<(), ListenError>>) -> Result<()> {
    while let Some(ended) = servers.join_next().await {
        ended.context("a listener was lost")??;
    }
    Ok(())
}

/// SIGTERM of a service manager or Ctrl-C of a person.
async fn stop_signal() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
    log::info!("stopping");
}

/// The agent's identity, made at the first start and never again.
fn agent_key(folder: &Path) -> Result<AgentKey> {
    let path = folder.join("agent.key");
    let seed: [u8; 32] = match std::fs::read(&path) {
        Ok(bytes) => bytes.try_into().ok().with_context(|| {
            format!("{} is damaged: restore it from a backup, or remove it and enrol the agent again", path.display())
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
            webkit::certificate::write_private_file(&path, &seed).with_context(|| format!("{}", path.display()))?;
            seed
        }
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    Ok(AgentKey::from_seed(&seed))
}

fn host_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "druckwart".to_owned())
}

fn provision(command: &Provision) -> Result<()> {
    let text = match command.file.as_path() == Path::new("-") {
        true => std::io::read_to_string(std::io::stdin()).context("standard input cannot be read")?,
        false => std::fs::read_to_string(&command.file)
            .with_context(|| format!("{} cannot be read", command.file.display()))?,
    };
    let provisioning = Provisioning::parse(&text)?;
    let store = Store::open(&command.data.folder())?;
    let known = store.snmp_users()?;
    if let Some(label) =
        provisioning.users_elsewhere().into_iter().find(|label| known.iter().all(|user| user.label() != *label))
    {
        bail!(crate::provision::ProvisionError::NoUser(label.to_owned()));
    }
    provisioning.apply(&store)?;
    println!("Applied. A collector that is running takes it up when it is restarted.");
    Ok(())
}

fn set_password(command: &Data) -> Result<()> {
    let store = Store::open(&command.folder())?;
    if std::io::stdin().is_terminal() {
        eprint!("New password of {} (it is shown as you type): ", web::ADMINISTRATOR);
        let _ = std::io::stderr().flush();
    }
    let mut password = String::new();
    if std::io::stdin().is_terminal() {
        std::io::stdin().read_line(&mut password)?;
    } else {
        std::io::stdin().take(4096).read_to_string(&mut password)?;
    }
    let password = password.trim_end_matches(['\r', '\n']);
    if let Err(weakness) = webkit::password::check_new(password, web::ADMINISTRATOR) {
        bail!(weakness.message(webkit::text::Lang::En));
    }
    store.set_password(web::ADMINISTRATOR, &webkit::password::hash(password)?)?;
    println!("The password is set. Log in as {}.", web::ADMINISTRATOR);
    Ok(())
}
