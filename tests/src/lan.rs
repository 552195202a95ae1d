//! A customer's network in namespaces of this machine: a switch with a router, a technician and other hosts, and the box with
//! a systemd-networkd and a message bus of its own. Nothing of it is seen by the machine's own network.

use std::{
    fs,
    net::IpAddr,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use control::Client;
use netcfg::{
    config::Form,
    request::{Answer, Ending, LONGEST_LINE, Refusal, Request, Stage, Status},
};
use nix::sched::{CloneFlags, setns};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{
    house::{Folder, PASSWORD},
    programs::{Daemon, program, run_well},
    wait::{until, until_true, until_within},
};

/// The router's address, which is the switch's own in this network; also the DHCP server's.
pub const ROUTER: &str = "192.168.77.1";
/// The technician's.
pub const TECHNICIAN: &str = "192.168.77.2";
/// The box's port.
pub const PORT: &str = "eth0";
/// Where the pages of the box's agentd are.
pub const PAGES: u16 = 5443;
/// On which the box answers to everyone.
const ANSWERING: u16 = 4711;

const NETWORKD: &str = "/lib/systemd/systemd-networkd";
/// What is needed, and the Debian package that has it.
const NEEDED: [(&str, &str); 9] = [
    ("ip", "iproute2"),
    ("dnsmasq", "dnsmasq-base"),
    ("dbus-daemon", "dbus-daemon"),
    ("wpa_supplicant", "wpasupplicant"),
    ("hostapd", "hostapd"),
    ("openssl", "openssl"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
];

/// Why there can be no such network here, if it is so.
pub fn why_not() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("network namespaces need root".to_owned());
    }
    if !Path::new(NETWORKD).exists() {
        return Some(format!("there is no {NETWORKD} (Debian package systemd)"));
    }
    let lacks = |name: &str| {
        !["/usr/sbin", "/usr/bin", "/sbin", "/bin"].iter().any(|folder| Path::new(folder).join(name).exists())
    };
    if let Some((name, package)) = NEEDED.iter().find(|(name, _)| lacks(name)) {
        return Some(format!("there is no {name} (Debian package {package})"));
    }
    let tried = Command::new("unshare").args(["--net", "--mount", "true"]).output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("no namespaces here: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Some(format!("no namespaces here: {error}")),
    }
}

/// Does the same with each of several things at a time, every one in a thread and in networks of its own: what is waited for is
/// mostly time.
pub fn side_by_side<T: Send + 'static, R: Send + 'static, F: Future<Output = Result<R>>>(
    things: Vec<T>,
    act: impl Fn(T) -> F + Copy + Send + 'static,
) -> Result<Vec<R>> {
    let run = move |thing| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(act(thing))
    };
    let threads: Vec<_> = things.into_iter().map(|thing| thread::spawn(move || run(thing))).collect();
    let ended: Vec<_> =
        threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?).collect();
    for error in ended.iter().filter_map(|ended| ended.as_ref().err()) {
        eprintln!("{error:#}");
    }
    ended.into_iter().collect()
}

/// A host: a network namespace with a mount namespace of its own, held by a process that sleeps.
pub struct Host(Child);

impl Host {
    /// A host without any port.
    pub fn new() -> Result<Self> {
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "sh", "-c"]);
        command.arg("ip link set lo up && echo ready && exec sleep infinity");
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().context("unshare")?;
        let mut said = [0; 6];
        let mut output = child.stdout.take().context("no output")?;
        std::io::Read::read_exact(&mut output, &mut said).context("a namespace cannot be made")?;
        Ok(Self(child))
    }

    /// A program, to be started in here.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let place =
            |kind: &str| format!("--{kind}=/proc/{}/ns/{}", self.0.id(), if kind == "mount" { "mnt" } else { kind });
        let mut command = Command::new("nsenter");
        command.args([place("net"), place("mount")]).arg("--").arg(program);
        command
    }

    /// Runs lines of shell, each of which has to work.
    pub fn run(&self, lines: &str) -> Result<String> {
        let output = self.command("sh").args(["-ec", lines]).stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "{lines}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Does something with sockets in here.
    pub fn within<T: Send + 'static, F: Future<Output = Result<T>>>(
        &self,
        act: impl FnOnce() -> F + Send + 'static,
    ) -> Result<T> {
        let namespace = fs::File::open(format!("/proc/{}/ns/net", self.0.id()))?;
        let visit = move || {
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET).context("the namespace cannot be entered")?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(act())
        };
        thread::spawn(visit).join().map_err(|_| anyhow!("a visit panicked"))?
    }

    /// Whether a host answers at an address.
    pub fn reaches(&self, address: &str) -> bool {
        let place =
            if address.contains(':') { format!("[{address}]:{ANSWERING}") } else { format!("{address}:{ANSWERING}") };
        self.within(move || async move {
            let connected = timeout(Duration::from_secs(1), TcpStream::connect(place)).await?;
            connected.map(drop).map_err(Into::into)
        })
        .is_ok()
    }

    fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A site: switch and router, a technician, the box.
pub struct Lan {
    /// The switch, which is router and DHCP server too.
    pub switch: Host,
    /// The technician's machine.
    pub technician: Host,
    /// Other hosts.
    others: Vec<Host>,
    /// The box.
    pub unit: Unit,
    dhcp: Option<Daemon>,
    authenticator: Option<Daemon>,
    folder: Folder,
    ports: u32,
}

impl Lan {
    /// A site with a DHCP server, in which the box has not been switched on.
    pub fn new() -> Result<Self> {
        let mut lan = Self::without_dhcp()?;
        lan.start_dhcp()?;
        Ok(lan)
    }

    /// A site without a DHCP server.
    pub fn without_dhcp() -> Result<Self> {
        let switch = Host::new()?;
        switch.run(&format!(
            "ip link add br0 type bridge; ip addr add {ROUTER}/24 dev br0; ip link set br0 up; \
             ip route add default dev br0; echo 1 > /proc/sys/net/ipv4/ip_forward"
        ))?;
        let unit = Unit::new()?;
        let mut lan = Self {
            switch,
            technician: Host::new()?,
            others: Vec::new(),
            unit,
            dhcp: None,
            authenticator: None,
            folder: Folder::new()?,
            ports: 0,
        };
        lan.plug(lan.unit.host.id(), PORT)?;
        lan.plug(lan.technician.id(), PORT)?;
        lan.technician.run(&format!(
            "ip addr add {TECHNICIAN}/24 dev {PORT}; ip link set {PORT} up; ip route add default via {ROUTER}"
        ))?;
        Ok(lan)
    }

    /// Puts a cable between the switch and a host; gives the number of the switch's port.
    fn plug(&mut self, host: u32, name: &str) -> Result<u32> {
        let number = self.ports;
        self.ports += 1;
        self.switch.run(&format!(
            "ip link add p{number} type veth peer name {name} netns {host}; ip link set p{number} master br0 up"
        ))?;
        Ok(number)
    }

    /// Another host, with these addresses.
    pub fn add_host(&mut self, addresses: &[&str]) -> Result<()> {
        let host = Host::new()?;
        self.plug(host.id(), PORT)?;
        for address in addresses {
            host.run(&format!("ip addr add {address} dev {PORT}"))?;
        }
        host.run(&format!("ip link set {PORT} up"))?;
        self.others.push(host);
        Ok(())
    }

    /// Starts the DHCP server, with leases of two minutes, which is the shortest it gives.
    pub fn start_dhcp(&mut self) -> Result<()> {
        self.start_dhcp_in("192.168.77")
    }

    /// The same in a subnet (of 24 bits) of its own.
    pub fn start_dhcp_in(&mut self, subnet: &str) -> Result<()> {
        let mut command = self.switch.command("dnsmasq");
        command.args([
            "--conf-file=/dev/null",
            "--keep-in-foreground",
            "--log-facility=-",
            "--interface=br0",
            "--bind-interfaces",
        ]);
        command.args([
            "--port=0",
            "--leasefile-ro",
            "--pid-file",
            "--user=root",
            "--group=root",
            "--no-ping",
            "--dhcp-authoritative",
        ]);
        command.arg(format!("--dhcp-range={subnet}.100,{subnet}.120,255.255.255.0,2m"));
        command.arg(format!("--dhcp-option=option:dns-server,{ROUTER}"));
        self.dhcp = Some(Daemon::start(command, &self.folder.path().join("dnsmasq.log"))?);
        Ok(())
    }

    /// Gives router and technician a second subnet (of 24 bits) on the same cables.
    pub fn add_subnet(&self, subnet: &str) -> Result<()> {
        self.switch.run(&format!("ip addr add {subnet}.1/24 dev br0"))?;
        self.technician_takes(&format!("{subnet}.2/24"))
    }

    /// Gives them one in a VLAN.
    pub fn add_vlan(&self, number: u16, subnet: &str) -> Result<()> {
        for (host, port, last) in [(&self.switch, "br0", 1), (&self.technician, PORT, 2)] {
            host.run(&format!(
                "ip link add link {port} name v{number} type vlan id {number}; \
                 ip addr add {subnet}.{last}/24 dev v{number}; ip link set v{number} up"
            ))?;
        }
        Ok(())
    }

    /// Has the switch ask the box who it is. Whoever comes from `authority` or knows the user's password is let in.
    pub fn start_authenticator(&mut self, user: &str, password: &str) -> Result<()> {
        let place = |name: &str| self.folder.place(name);
        run_openssl(self.folder.path())?;
        fs::write(place("users"), format!("\"box.example\" TLS\n* PEAP\n\"{user}\" MSCHAPV2 \"{password}\" [2]\n"))?;
        let config = [
            "interface=p0".to_owned(),
            "driver=wired".to_owned(),
            "ieee8021x=1".to_owned(),
            "eap_server=1".to_owned(),
            "use_pae_group_addr=1".to_owned(),
            format!("eap_user_file={}", place("users")),
            format!("ca_cert={}", place("authority.pem")),
            format!("server_cert={}", place("radius.example.pem")),
            format!("private_key={}", place("radius.example.key")),
        ];
        fs::write(place("hostapd.conf"), config.join("\n") + "\n")?;
        let mut command = self.switch.command("hostapd");
        command.arg(place("hostapd.conf"));
        self.authenticator = Some(Daemon::start(command, &self.folder.path().join("hostapd.log"))?);
        Ok(())
    }

    /// What the authenticator's certificates are, by the name of the file.
    pub fn pem(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.folder.path().join(name)).with_context(|| name.to_owned())
    }

    /// Ends the DHCP server.
    pub fn stop_dhcp(&mut self) -> Result<()> {
        self.dhcp.take().map_or(Ok(()), Daemon::kill)
    }

    /// Pulls the box's cable out of the switch, or puts it in again.
    pub fn set_cable(&self, is_in: bool) -> Result<()> {
        self.switch.run(if is_in { "ip link set p0 up" } else { "ip link set p0 down" }).map(drop)
    }

    /// Gives the technician an address more, as someone who prepares for the box's new one.
    pub fn technician_takes(&self, address: &str) -> Result<()> {
        self.technician.run(&format!("ip addr add {address} dev {PORT}")).map(drop)
    }

    /// Waits until the box answers the technician at an address.
    pub async fn answers(&self, address: &str) -> Result<()> {
        self.answers_at(&[address]).await
    }

    /// Waits until the box answers the technician at one of several addresses.
    pub async fn answers_at(&self, addresses: &[&str]) -> Result<()> {
        let reaches = async || Ok(addresses.iter().any(|address| self.technician.reaches(address)));
        let seen = until_true(&format!("the box answers at {}", addresses.join(" or ")), reaches).await;
        seen.with_context(|| format!("{}\n{}", self.unit.said(), self.unit.addresses().unwrap_or_default()))
    }
}

/// The box.
pub struct Unit {
    /// Its namespaces.
    pub host: Host,
    folder: Folder,
    bus: Option<Daemon>,
    networkd: Option<Daemon>,
    netcfgd: Option<Daemon>,
    agentd: Option<Daemon>,
    supplicant: Option<Daemon>,
    starts: u32,
    /// Starts of the machine.
    boots: u32,
}

impl Unit {
    fn new() -> Result<Self> {
        let (host, folder) = (Host::new()?, Folder::new()?);
        // systemd-networkd believes that it runs where there is no udev when /sys cannot be written.
        host.run(
            "mount -t tmpfs tmpfs /run; mkdir -p /run/dbus /run/systemd/network; \
             for f in '' /links /leases /lldp; do mkdir -p /run/systemd/netif$f; chown systemd-network: /run/systemd/netif$f; done; \
             mount -t sysfs -o ro sysfs /sys",
        )?;
        let unit = Self {
            host,
            folder,
            bus: None,
            networkd: None,
            netcfgd: None,
            agentd: None,
            supplicant: None,
            starts: 0,
            boots: 0,
        };
        unit.host.within({
            let namespace = fs::File::open(format!("/proc/{}/ns/net", unit.host.id()))?;
            move || async move {
                thread::spawn(move || answer_everyone(&namespace));
                Ok(())
            }
        })?;
        Ok(unit)
    }

    /// Switches the box on: message bus, systemd-networkd, netcfgd.
    pub async fn power_on(&mut self) -> Result<()> {
        self.power_on_with(&[]).await
    }

    /// The same with more words on netcfgd's command line.
    pub async fn power_on_with(&mut self, words: &[&str]) -> Result<()> {
        self.boots += 1;
        self.start_networkd()?;
        self.start_netcfgd(words).await
    }

    /// A power cut: everything ends at once, and what was only in memory is gone.
    pub async fn power_cut(&mut self) -> Result<()> {
        self.power_off()?;
        self.power_on().await
    }

    /// A power cut that lasts.
    pub fn power_off(&mut self) -> Result<()> {
        let daemons = [self.netcfgd.take(), self.networkd.take(), self.supplicant.take(), self.bus.take()];
        for daemon in daemons.into_iter().flatten() {
            daemon.kill()?;
        }
        self.host.run(&format!(
            "rm -rf /run/systemd/network/* /run/systemd/netif/leases/* /run/systemd/netif/links/* /run/systemd/netif/state /run/dbus/*; \
             for v in $(ls /sys/class/net | grep ^vlan); do ip link del $v; done; ip addr flush dev {PORT}; ip route flush dev {PORT} || true; ip link set {PORT} down; \
             while ip rule del priority 5180 2> /dev/null; do :; done; ip route flush table 5180 2> /dev/null || true"
        ))?;
        Ok(())
    }

    /// Starts wpa_supplicant, as a request for it on the bus would.
    pub fn start_supplicant(&mut self) -> Result<()> {
        self.starts += 1;
        let mut command = self.host.command("wpa_supplicant");
        command.arg("-u");
        self.supplicant = Some(Daemon::start(command, &self.log("wpa_supplicant"))?);
        Ok(())
    }

    /// Starts systemd-networkd, and before it the message bus if that does not run.
    pub fn start_networkd(&mut self) -> Result<()> {
        self.starts += 1;
        if self.bus.is_none() {
            let config = self.folder.path().join("bus.conf");
            fs::write(&config, BUS)?;
            let mut command = self.host.command("dbus-daemon");
            command.arg("--nofork").arg(format!("--config-file={}", config.display()));
            self.bus = Some(Daemon::start(command, &self.log("bus"))?);
        }
        let mut command = self.host.command("sh");
        // It gives up where the bus is not there yet.
        command
            .args(["-c", &format!("while [ ! -S /run/dbus/system_bus_socket ]; do sleep 0.05; done; exec {NETWORKD}")]);
        self.networkd = Some(Daemon::start(command, &self.log("networkd"))?);
        Ok(())
    }

    /// Ends systemd-networkd as a crash would.
    pub fn kill_networkd(&mut self) -> Result<()> {
        self.networkd.take().map_or(Ok(()), Daemon::kill)
    }

    /// Starts netcfgd with more words on its command line.
    pub async fn start_netcfgd(&mut self, words: &[&str]) -> Result<()> {
        self.starts += 1;
        // With the one right that its unit leaves it.
        let mut command = self.host.command("setpriv");
        command.args(["--bounding-set", "-all,+net_raw", "--inh-caps", "-all"]).arg(program("netcfgd")?);
        command.args(["--verbose", "--interface", PORT, "--state"]).arg(self.state());
        command.arg("--socket").arg(self.socket()).arg("--start-name").arg(self.boots.to_string()).args(words);
        command.env("NO_COLOR", "1").env_remove("RUST_LOG").env_remove("JOURNAL_STREAM");
        let mut daemon = Daemon::start(command, &self.log("netcfgd"))?;
        daemon.says("keeping the network").await?;
        self.netcfgd = Some(daemon);
        Ok(())
    }

    /// Ends netcfgd as a crash would.
    pub fn kill_netcfgd(&mut self) -> Result<()> {
        self.netcfgd.take().map_or(Ok(()), Daemon::kill)
    }

    /// Waits until netcfgd has ended by itself, and gives what it said.
    pub async fn netcfgd_ends(&mut self) -> Result<String> {
        let mut daemon = self.netcfgd.take().context("netcfgd does not run")?;
        until_true("netcfgd ends", async || daemon.has_ended()).await?;
        Ok(daemon.said())
    }

    /// Starts agentd with its pages on [`PAGES`].
    pub async fn start_agentd(&mut self) -> Result<()> {
        self.starts += 1;
        let data = self.place("agent").display().to_string();
        run_well("agentd", &["passwd", "--data", &data], PASSWORD)?;
        let mut command = self.host.command(program("agentd")?);
        command.args(["run", "--trap-listen", "none", "--data", &data, "--listen", &format!("0.0.0.0:{PAGES}")]);
        command.arg("--netcfgd").arg(self.socket());
        command.env("NO_COLOR", "1").env_remove("RUST_LOG").env_remove("JOURNAL_STREAM");
        let mut daemon = Daemon::start(command, &self.log("agentd"))?;
        daemon.says("the pages are at").await?;
        self.agentd = Some(daemon);
        Ok(())
    }

    /// Ends agentd as a crash would.
    pub fn kill_agentd(&mut self) -> Result<()> {
        self.agentd.take().map_or(Ok(()), Daemon::kill)
    }

    /// The folder of its configurations.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The socket of its netcfgd.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Another place in its folder.
    pub fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Asks netcfgd.
    pub async fn ask(&self, request: &Request) -> Result<Answer> {
        Ok(Client::new("netcfgd", &self.socket(), LONGEST_LINE, Duration::from_secs(60)).ask(request).await?)
    }

    /// How things stand.
    pub async fn status(&self) -> Result<Status> {
        match self.ask(&Request::Show {}).await? {
            Answer::Status(status) => Ok(*status),
            other => bail!("{other:?}"),
        }
    }

    /// Begins a trial, once nothing else is under way: after a start, the committed configuration is being applied.
    pub async fn attempt(&self, form: &Form, force: bool) -> Result<Answer> {
        let by = "tests".to_owned();
        self.ask_when_free(&Request::Try { form: form.clone(), force, at_start: false, by }).await
    }

    /// Asks again as long as something else is under way.
    pub async fn ask_when_free(&self, request: &Request) -> Result<Answer> {
        until("nothing else is under way", async || match self.ask(request).await? {
            Answer::Refused { why: Refusal::Busy | Refusal::Settling { .. } } => Ok(None),
            answer => Ok(Some(answer)),
        })
        .await
    }

    /// Waits until the status is as wanted, and gives what was wanted of it.
    pub async fn becomes<T>(&self, what: &str, look: impl Fn(&Status) -> Option<T>) -> Result<T> {
        let mut last = None;
        let seen = until(what, async || {
            // Between an end and a start nobody is there to be asked.
            let Ok(status) = self.status().await else { return Ok(None) };
            let found = look(&status);
            last = Some(status);
            Ok(found)
        })
        .await;
        seen.with_context(|| format!("last: {last:#?}\n{}", self.said()))
    }

    /// Waits until a change has ended, however long a trial may take: time to check, to apply, to confirm.
    pub async fn ends(&self) -> Result<Ending> {
        let promised = Duration::from_secs(8 + 15 + 120 + 30);
        let ended = until_within(promised, "the change ends", async || {
            let Ok(status) = self.status().await else { return Ok(None) };
            Ok(status.last.filter(|_| status.trial.is_none()).map(|last| last.ending))
        });
        ended.await.with_context(|| self.said())
    }

    /// Waits until a trial waits for its confirmation, and gives its nonce.
    pub async fn awaits(&self) -> Result<String> {
        self.becomes("the trial waits for confirmation", |status| {
            status.trial.as_ref().filter(|trial| trial.stage == Stage::Awaiting).map(|trial| trial.nonce.clone())
        })
        .await
    }

    /// The same of a netcfgd that may end meanwhile: then it fails.
    pub async fn awaits_or_ends(&self) -> Result<String> {
        until("the trial waits for confirmation", async || {
            let trial = self.status().await?.trial;
            Ok(trial.filter(|trial| trial.stage == Stage::Awaiting).map(|trial| trial.nonce))
        })
        .await
    }

    /// The address that the DHCP server gave.
    pub async fn lease(&self) -> Result<String> {
        self.becomes("a lease", |status| {
            let addresses = status.link.iter().flat_map(|link| &link.addresses);
            addresses.filter(|one| one.is_dynamic && one.address.is_ipv4()).map(|one| one.address.to_string()).next()
        })
        .await
    }

    /// Confirms as agentd does when a request has come to this address.
    pub async fn confirm(&self, nonce: &str, local: IpAddr) -> Result<Answer> {
        self.ask(&Request::Confirm { nonce: nonce.to_owned(), local }).await
    }

    /// What netcfgd has said, for messages.
    pub fn said(&self) -> String {
        self.netcfgd.as_ref().map(Daemon::said).unwrap_or_default()
    }

    /// Its addresses as the kernel has them, for messages.
    pub fn addresses(&self) -> Result<String> {
        self.host.run("ip -brief address; ip rule; ip route; ip route show table 5180 2> /dev/null || true; cat /run/systemd/network/*")
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}-{}.log", self.starts))
    }
}

/// Makes an authority, and certificates of it for the server of the network and for the box.
fn run_openssl(folder: &Path) -> Result<()> {
    let lines = "new() { openssl req \"$@\" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes; }; \
        new -x509 -keyout authority.key -out authority.pem -subj /CN=Authority -days 2; \
        for name in radius.example box.example; do \
            new -keyout $name.key -out $name.csr -subj /CN=$name; echo subjectAltName=DNS:$name > $name.ext; \
            openssl x509 -req -in $name.csr -CA authority.pem -CAkey authority.key -CAcreateserial -out $name.pem \
                -days 2 -extfile $name.ext; \
        done";
    let output = Command::new("sh").args(["-ec", lines]).current_dir(folder).stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Takes connections in a namespace, for as long as the test runs.
fn answer_everyone(namespace: &fs::File) {
    let listen = async {
        let listener = TcpListener::bind(("::", ANSWERING)).await?;
        loop {
            drop(listener.accept().await);
        }
        #[allow(unreachable_code, reason = "says what kind of error there is")]
        Ok::<(), std::io::Error>(())
    };
    let run = || {
        setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(listen)?;
        Ok::<(), anyhow::Error>(())
    };
    if let Err(error) = run() {
        eprintln!("nobody answers in the box: {error:#}");
    }
}

/// A message bus on which everyone may do everything.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
  </policy>
</busconfig>
"#;
