//! Wrong configurations, each tried on a box of its own or in turn on one: how each ends, after how long, and whether the box
//! answered meanwhile.

use std::time::{Duration, Instant};

use crate::lan::{Lan, ROUTER, TECHNICIAN, side_by_side};
use anyhow::{Context as _, Result, ensure};
use netcfg::{
    config::{Fault, Form},
    request::{Answer, Ending, Refusal, Warning},
};

/// An address of a host that is there already.
const OWNED: &str = "192.168.77.60";

/// A line of the table.
pub struct Row {
    /// What was wrong.
    pub name: String,
    /// How it ended.
    pub ending: String,
    /// From the order until everything was as before.
    pub took: Duration,
    /// The longest time in which the box did not answer at its old address.
    pub silence: Duration,
}

/// A fixed address with a name server.
pub fn fixed(address: &str, gateway: &str) -> Form {
    let word = str::to_owned;
    Form { mode: word("static"), address: word(address), gateway: word(gateway), dns: word(ROUTER), ..Form::default() }
}

/// What cannot be, and the fault that is named.
fn impossible() -> Vec<(Form, Fault)> {
    use Fault::{
        IsTheBox, IsTheBroadcast, IsTheSubnet, LinkLocal, Missing, NotAName, NotAPrefix, NotAnAddress, NotForHosts,
        OutsideTheSubnet, TooMany, TwoPrefixes, UnknownWord,
    };
    let addresses = [
        ("", ROUTER, Missing),
        ("192.168.77.50", ROUTER, Missing),
        ("192.168.77", ROUTER, Missing),
        ("192.168.77.256/24", ROUTER, NotAnAddress),
        ("192.168.77.050/24", ROUTER, NotAnAddress),
        ("192,168,77,50/24", ROUTER, NotAnAddress),
        ("fd00::5/24", ROUTER, NotAnAddress),
        ("192.168.77.50/0", ROUTER, NotAPrefix),
        ("192.168.77.50/31", ROUTER, NotAPrefix),
        ("192.168.77.50/32", ROUTER, NotAPrefix),
        ("192.168.77.50/255.255.0.255", ROUTER, NotAPrefix),
        ("192.168.77.0/24", ROUTER, IsTheSubnet),
        ("192.168.77.255/24", ROUTER, IsTheBroadcast),
        ("127.0.0.1/8", "127.0.0.2", NotForHosts),
        ("0.0.0.0/8", ROUTER, NotForHosts),
        ("224.0.0.5/24", ROUTER, NotForHosts),
        ("255.255.255.255/24", ROUTER, NotForHosts),
        ("169.254.3.4/16", "169.254.0.1", LinkLocal),
        ("192.168.77.50/24", "192.168.78.1", OutsideTheSubnet),
        ("192.168.77.50/30", ROUTER, OutsideTheSubnet),
        ("192.168.77.50/24", "192.168.77.50", IsTheBox),
        ("192.168.77.50/24", "192.168.77.255", IsTheBroadcast),
        ("192.168.77.50/24", "router", NotAnAddress),
    ];
    let mut list: Vec<_> = addresses.map(|(address, gateway, fault)| (fixed(address, gateway), fault)).into();
    let good = || fixed("192.168.77.50/24", ROUTER);
    list.push((Form { prefix: "16".into(), ..good() }, TwoPrefixes));
    list.push((Form { dns: "dns.example".into(), ..good() }, NotAnAddress));
    list.push((Form { dns: "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5".into(), ..good() }, TooMany));
    list.push((Form { host_name: "box_7".into(), ..good() }, NotAName));
    list.push((Form { mode: "bootp".into(), ..good() }, UnknownWord));
    list
}

/// What can be and is wrong here: tried all the same, and confirmed by nobody.
fn hopeless() -> Vec<(&'static str, Form)> {
    vec![
        ("another subnet", fixed("10.11.12.13/24", "10.11.12.1")),
        ("another subnet, large", fixed("172.16.5.5/12", "172.16.0.1")),
        ("someone else's public address", fixed("8.8.8.9/24", "8.8.8.1")),
        ("a carrier's address", fixed("100.64.0.5/10", "100.64.0.1")),
        ("a dead gateway", fixed("192.168.77.50/24", "192.168.77.254")),
        ("a prefix too long", fixed("192.168.77.49/30", "192.168.77.50")),
        ("a prefix too short", fixed("192.168.77.51/8", "192.168.0.254")),
        ("neither gateway nor DNS", Form { dns: String::new(), ..fixed("192.168.77.52/24", "") }),
        ("a neighbouring subnet, digits swapped", fixed("192.186.77.50/24", "192.186.77.1")),
        ("without IPv6, another subnet", Form { ipv6: "off".into(), ..fixed("10.0.0.5/8", "10.0.0.1") }),
        (
            "an IPv6 address of elsewhere",
            Form {
                mode: "dhcp".into(),
                ipv6: "static".into(),
                ipv6_address: "2001:db8:7::5/64".into(),
                ipv6_gateway: "fe80::99".into(),
                ..Form::default()
            },
        ),
        ("everything wrong at once", fixed("203.0.113.77/29", "203.0.113.78")),
    ]
}

/// Tries all of them; gives the table. Fails where a box stays silent or ends up otherwise than it was.
pub fn all() -> Result<Vec<Row>> {
    let mut cases: Vec<_> = hopeless().into_iter().map(Some).collect();
    cases.push(None);
    let rows = side_by_side(cases, |case| async move {
        match case {
            Some((name, form)) => unconfirmed(name, form).await.with_context(|| name.to_owned()).map(|row| vec![row]),
            None => refused().await,
        }
    })?;
    let mut rows: Vec<_> = rows.into_iter().flatten().collect();
    rows.sort_by_key(|row| row.took);
    Ok(rows)
}

/// A change as it should be: how long from the order until the link to the new address is there, and from the order until the
/// change is committed, if the browser follows the link at once.
pub async fn good() -> Result<(Duration, Duration)> {
    let mut lan = Lan::new()?;
    lan.unit.power_on().await?;
    let lease = lan.unit.lease().await?;
    lan.answers(&lease).await?;
    let wanted = "192.168.77.50";
    // The last that a start does; whoever has come to the page has waited for it.
    let own = |one: &netcfg::request::LinkAddress| one.address.to_string().starts_with("169.254.");
    lan.unit
        .becomes("its own address", |status| status.link.iter().flat_map(|link| &link.addresses).any(own).then_some(()))
        .await?;
    let begun = Instant::now();
    ensure!(lan.unit.attempt(&fixed(&format!("{wanted}/24"), ROUTER), false).await? == Answer::Done {});
    let nonce = lan.unit.awaits().await?;
    let link = begun.elapsed();
    lan.answers(wanted).await?;
    ensure!(lan.unit.confirm(&nonce, wanted.parse()?).await? == Answer::Done {});
    lan.unit.becomes("committed", |status| (status.committed.mode == "static").then_some(())).await?;
    Ok((link, begun.elapsed()))
}

/// What is refused at once or after the check, in turn on one box.
async fn refused() -> Result<Vec<Row>> {
    let mut lan = Lan::new()?;
    lan.add_host(&[&format!("{OWNED}/24")])?;
    lan.unit.power_on().await?;
    let lease = lan.unit.lease().await?;
    lan.answers(&lease).await?;
    let mut rows = Vec::new();
    for (form, fault) in impossible() {
        let begun = Instant::now();
        let answer = lan.unit.attempt(&form, true).await?;
        let faults = match &answer {
            Answer::Refused { why: Refusal::Fields(faults) } => faults,
            other => anyhow::bail!("{form:?}: {other:?}"),
        };
        ensure!(faults.iter().any(|found| found.fault == fault), "{form:?}: {faults:?}");
        ensure!(lan.technician.reaches(&lease), "{form:?}: the box does not answer");
        let name = faults.first().map(ToString::to_string).unwrap_or_default();
        rows.push(Row { name, ending: "refused".into(), took: begun.elapsed(), silence: Duration::ZERO });
    }
    let owned =
        |address: &str| (format!("{address} is in use"), fixed(&format!("{address}/24"), "192.168.77.1"), false);
    let mut checked = vec![owned(OWNED), owned(TECHNICIAN)];
    checked.push(("the router's own address".into(), fixed(&format!("{ROUTER}/24"), "192.168.77.254"), true));
    checked.push(("no gateway, with a warning".into(), fixed("192.168.77.50/24", ""), false));
    checked.push(("a dead gateway, with a warning".into(), fixed("192.168.77.50/24", "192.168.77.254"), false));
    for (name, form, force) in checked {
        let begun = Instant::now();
        ensure!(lan.unit.attempt(&form, force).await? == Answer::Done {}, "{name}");
        let ending = lan.unit.ends().await?;
        let good = match &ending {
            Ending::InUse(_) => name.contains("use") || name.contains("router"),
            Ending::Warned(warnings) => {
                let expected = if form.gateway.is_empty() { Warning::NoGateway } else { Warning::GatewayIsSilent };
                *warnings == [expected]
            }
            _ => false,
        };
        ensure!(good, "{name}: {ending:?}");
        ensure!(lan.technician.reaches(&lease), "{name}: the box does not answer");
        let ending = if matches!(ending, Ending::InUse(_)) { "in use" } else { "warned" };
        rows.push(Row { name, ending: ending.into(), took: begun.elapsed(), silence: Duration::ZERO });
    }
    Ok(rows)
}

/// What is applied beside the old configuration, and goes away again because nobody comes.
async fn unconfirmed(name: &str, form: Form) -> Result<Row> {
    let mut lan = Lan::new()?;
    lan.unit.power_on().await?;
    let lease = lan.unit.lease().await?;
    lan.answers(&lease).await?;
    let before = lan.unit.status().await?.committed;
    let begun = Instant::now();
    ensure!(lan.unit.attempt(&form, true).await? == Answer::Done {}, "refused");
    lan.unit.awaits().await?;
    let (mut silence, mut answered) = (Duration::ZERO, Instant::now());
    let ending = loop {
        if lan.technician.reaches(&lease) {
            silence = silence.max(answered.elapsed());
            answered = Instant::now();
        }
        let status = lan.unit.status().await?;
        if status.trial.is_none() {
            break status.last.context("no ending")?.ending;
        }
        ensure!(begun.elapsed() < Duration::from_secs(200), "the trial does not end: {}", lan.unit.said());
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    ensure!(ending == Ending::NotConfirmed, "{ending:?}");
    lan.answers(&lease).await?;
    let took = begun.elapsed();
    ensure!(lan.unit.status().await?.committed == before, "another configuration is in force");
    Ok(Row { name: name.to_owned(), ending: "taken back".into(), took, silence })
}
