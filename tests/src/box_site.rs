//! What surrounds an emulated box: its manager and its printer on this side, and what a technician does on its pages.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use testkit::{printer_sim::Printer, recording::Recording, sim_site::SimSite};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    emulated_box::{Card, FIXED, HOST, Machine, Slot},
    house::{House, PASSWORD},
    redirected_printer::{self, RedirectedPrinter},
    repository::root,
    visitor::{Page, Visitor},
    wait::until_within,
};

const MODEL: &str = "TASKalfa 4054ci";
/// The emulator shares the machine with other tests.
pub const PATIENCE: Duration = Duration::from_secs(400);

/// A site: manager, printer, and the prepared file of a card for it.
pub struct Site {
    /// The manager.
    pub manager: House,
    _printer: SimSite,
    port: u16,
}

impl Site {
    /// With one printer.
    pub async fn new() -> Result<Self> {
        let recording = Recording::load(root().join("agent-core/walks/kyocera_taskalfa-4054ci.snmprec"))?;
        let printer = SimSite::start_at(0, vec![(Ipv4Addr::LOCALHOST, Printer::new(recording))]).await?;
        let mut manager = House::manager()?;
        manager.set_password()?;
        manager.start().await?;
        let port = printer.addresses().first().context("a printer")?.port();
        Ok(Self { manager, _printer: printer, port })
    }

    /// An `agent.toml` for a new box.
    pub fn prepare(&self) -> Result<String> {
        let url = format!("https://{HOST}:{}", self.manager.port()?);
        let names = ["--customer", "Muster & Sohn", "--site", "Head office", "--url", &url];
        let mut prepared = self.manager.command(&[&["agent-toml"][..], &names].concat(), "")?;
        prepared += &format!("[[scan]]\nrange = \"{HOST}\"\nport = {}\n", self.port);
        prepared += "[schedule]\npoll_seconds = 5\nreport_seconds = 5\n";
        Ok(prepared)
    }

    /// Waits until so many reports have arrived.
    pub async fn reports(&self, at_least: i64) -> Result<()> {
        let reports = async || Ok((self.manager.count("SELECT count(*) FROM report")? >= at_least).then_some(()));
        until_within(PATIENCE, "reports at the manager", reports).await
    }

    /// What the manager has accepted has no gaps: nothing that the box had numbered was lost.
    pub fn has_no_gaps(&self) -> Result<()> {
        let gaps = "SELECT count(*) FROM (SELECT epoch, max(sequence) - min(sequence) + 1 - count(DISTINCT sequence) AS missing \
                    FROM report GROUP BY agent_id, epoch) WHERE missing > 0";
        ensure!(self.manager.count(gaps)? == 0, "a report of the box is missing");
        Ok(())
    }
}

/// Waits until the pages answer at a site of the box.
pub async fn answers(machine: &Machine, site: &str) -> Result<Visitor> {
    let visitor = Visitor::new(site)?;
    let answered = until_within(PATIENCE, "the page", async || Ok(visitor.open("/").await.ok().map(drop))).await;
    answered.with_context(|| format!("the console: {}", machine.console()))?;
    Ok(visitor)
}

/// Sets the password of a box that has none.
pub async fn first_visit(visitor: &Visitor) -> Result<Page> {
    let page = visitor.open("/").await?;
    ensure!(page.path == "/setup", "no password is asked for, but {}", page.path);
    let typed = [("user", "admin"), ("password", PASSWORD), ("again", PASSWORD)];
    visitor.fill_in(&page, "/setup", &typed).await
}

/// What every start has to come to: the page, with the password and the device that were there before.
pub async fn is_itself(machine: &Machine, site: &str) -> Result<Visitor> {
    let visitor = answers(machine, site).await?;
    visitor.log_in(PASSWORD).await?;
    let there = async || Ok(visitor.open("/").await?.says(MODEL).then_some(()));
    until_within(PATIENCE, "the device on the page", there).await?;
    Ok(visitor)
}

/// Waits until the box has told the boot loader that the slot is good.
pub async fn is_kept(card: &Card, slot: Slot) -> Result<()> {
    let kept = async || {
        let variables = card.variables()?;
        let [a, b] = variables.left;
        let left = if slot == Slot::A { a } else { b };
        Ok((left == 3 && variables.order.first() == Some(&slot)).then_some(()))
    };
    until_within(PATIENCE, "the system is marked as good", kept).await
}

/// How long it took from plugging a printer in, and from pulling it out.
#[derive(Debug, Clone, Copy)]
pub struct PrinterTimes {
    /// Until the page has it.
    pub listed: Duration,
    /// Until its page count is read.
    pub read: Duration,
    /// Until the manager has that.
    pub reported: Duration,
    /// Until the page says that it is not connected.
    pub missed: Duration,
}

/// A printer on the box's USB: it is listed, read and reported, asked from outside by whom the list names, and missed when it is
/// pulled out. The visitor is logged in, and the only device there is the network's printer.
pub async fn has_a_usb_printer(machine: &Machine, visitor: &Visitor, site: &Site) -> Result<PrinterTimes> {
    let [maker, model, serial] = redirected_printer::NAME;
    let printer = RedirectedPrinter::new(4711)?;
    let began = Instant::now();
    machine.plug_printer(&printer)?;
    let page = async |words: &str| {
        let says = async || Ok(Some(visitor.open("/usb").await?).filter(|page| page.says(words)));
        let page = until_within(PATIENCE, &format!("the page of USB printers says {words}"), says).await;
        page.with_context(|| machine.console())
    };
    let list = page("Connected Status only Port 9418").await?;
    let listed = began.elapsed();
    ensure!(list.says(&format!("{maker} {model}")) && list.says(&format!("Serial number {serial}")), "{}", list.text());

    let counts = async |visitor: &Visitor, pages: &str| {
        let counts = async || {
            let Ok(device) = visitor.open("/").await?.link(model) else { return Ok(None) };
            Ok(Some(visitor.open(&device).await?).filter(|page| page.says(pages)))
        };
        until_within(PATIENCE, &format!("a page of the printer says {pages}"), counts).await
    };
    counts(visitor, "4,711").await?;
    let read = began.elapsed();
    let manager = site.manager.visitor().await?;
    let device = counts(&manager, "4,711").await?;
    let reported = began.elapsed();
    ensure!(device.says(serial) && device.says("Ready to test"), "{}", device.text());

    // Of others, those may ask whom an administrator has listed. Without a list there is nothing to connect to.
    let asked = async || ask(machine.at(9418)).await;
    let answer = asked().await?;
    ensure!(answer.is_empty(), "a stranger is answered: {answer}");
    for (network, answer) in [("192.0.2.0/24", "Your address is not among those"), (HOST, "PAGECOUNT=4711")] {
        let page = visitor.open("/usb").await?;
        let page = visitor.fill_in(&page, "/usb/access", &[("networks", network)]).await?;
        ensure!(page.says("The list is saved"), "{}", page.text());
        let answered = async || Ok(asked().await?.contains(answer).then_some(()));
        until_within(PATIENCE, &format!("{network} is listed, so the answer is {answer}"), answered).await?;
    }

    // Pulled out, and plugged in again with one page more: it is the same printer.
    let began = Instant::now();
    machine.pull_printer()?;
    page("Not connected").await?;
    let missed = began.elapsed();
    printer.set_pages(4712);
    machine.plug_printer(&printer)?;
    page("Connected Status only Port 9418").await?;
    counts(&manager, "4,712").await?;
    let count = site.manager.count("SELECT count(*) FROM device WHERE removed_at IS NULL")?;
    ensure!(count == 2, "the manager has {count} devices");
    machine.pull_printer()?;
    let received = printer.received();
    ensure!(received.starts_with(b"\x1b%-12345X"), "the printer would have printed: {received:?}");
    Ok(PrinterTimes { listed, read, reported, missed })
}

/// What a question for the page count brings, over a connection that may end at any time.
async fn ask(at: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(at).await?;
    let mut answer = Vec::new();
    // What came before the end of the connection counts, however it ended.
    if stream.write_all(b"\x1b%-12345X@PJL INFO PAGECOUNT\r\n").await.is_ok() && stream.shutdown().await.is_ok() {
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await?;
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// From DHCP to a fixed address, through the page.
pub async fn to_fixed_address(machine: &Machine) -> Result<()> {
    let visitor = is_itself(machine, &machine.site()).await?;
    let page = visitor.open("/network").await?;
    let typed = [("mode", "static"), ("address", FIXED), ("prefix", "24"), ("gateway", HOST), ("dns", HOST)];
    let taken = async || Ok((!visitor.fill_in(&page, "/network", &typed).await?.says("Another change")).then_some(()));
    until_within(PATIENCE, "the form is taken", taken).await?;
    let link = async || Ok(visitor.open("/network").await?.link(FIXED).ok());
    let link = until_within(PATIENCE, "the link to the new address", link).await?;
    // Behind the forwarded ports only the path of it can be gone to.
    let path = link.find("/network").and_then(|at| link.get(at..)).context(link.clone())?;
    let there = Visitor::new(&format!("http://{}", machine.at(8081)))?;
    let confirmed = async || Ok(there.open(path).await.ok().filter(|page| page.says("The change is kept")).map(drop));
    until_within(PATIENCE, "the change is confirmed at its new address", confirmed).await?;
    Ok(())
}
