//! Cuts an emulated box's power at random moments of all that it does, and looks whether it comes back as it was. A cut ends the
//! emulator: what the box has written is on the card, in the order in which it was written, and nothing else.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};

use crate::{
    box_site::{Site, answers, first_visit, is_itself, to_fixed_address},
    emulated_box::{Card, FIXED, Flaw, Machine, Workshop, stick},
};

/// Longest time between what is done and the cut.
const LATEST: u64 = 60_000;

/// What the box is doing when its power is cut.
#[derive(Debug, Clone, Copy)]
enum Moment {
    FirstStart,
    StartAndReports,
    Configuration,
    Update,
}

/// So many cuts, at moments that follow from the seed; each is told before it is made.
pub async fn power_cuts(count: u32, seed: u64) -> Result<()> {
    let site = Site::new().await?;
    let workshop = Workshop::open()?;
    let folder = tempfile::tempdir()?;
    let image = folder.path().join("stick");
    let mut random = Random(seed);
    let mut card = None;
    for number in 0..count {
        let moments = [Moment::FirstStart, Moment::StartAndReports, Moment::Configuration, Moment::Update];
        let moment = moments.get(usize::try_from(number)? % moments.len()).copied().context("a moment")?;
        let after = Duration::from_millis(random.below(LATEST));
        println!("seed {seed}, cut {number}: {moment:?}, after {} ms", after.as_millis());
        let is_new = card.is_none() || matches!(moment, Moment::FirstStart);
        if is_new {
            card = Some(workshop.card(&[("agent.toml", &site.prepare()?)])?);
        }
        let card = card.as_ref().context("a card")?;
        cut(card, workshop, &image, moment, after).await.with_context(|| format!("cut {number}, {moment:?}"))?;

        // It comes back by itself, with what it had.
        let machine = Machine::start(card).await?;
        comes_back(&machine, is_new).await.with_context(|| format!("after cut {number}, {moment:?}"))?;
        machine.cut()?;
        site.has_no_gaps()?;
    }
    Ok(())
}

async fn cut(card: &Card, workshop: &Workshop, image: &Path, moment: Moment, after: Duration) -> Result<()> {
    let machine = Machine::start(card).await?;
    match moment {
        Moment::FirstStart | Moment::StartAndReports => {}
        Moment::Configuration => {
            let changed = tokio::time::timeout(after, async {
                answers_somewhere(&machine).await?;
                to_fixed_address(&machine).await
            });
            // Whatever has become of it until then.
            let _ = changed.await;
            return machine.cut();
        }
        Moment::Update => {
            answers_somewhere(&machine).await?;
            stick(image, &[&workshop.bundle("1.1.0", Flaw::None)?])?;
            machine.plug_stick(image)?;
        }
    }
    tokio::time::sleep(after).await;
    machine.cut()
}

/// The address may be the one from before a change or the one behind it.
async fn answers_somewhere(machine: &Machine) -> Result<String> {
    let (lease, fixed) = (machine.site(), machine.fixed_site());
    tokio::select! {
        answer = answers(machine, &lease) => answer.map(|_| lease.clone()),
        answer = answers(machine, &fixed) => answer.map(|_| fixed.clone()),
    }
}

async fn comes_back(machine: &Machine, is_new: bool) -> Result<()> {
    let site = answers_somewhere(machine).await?;
    if is_new {
        first_visit(&answers(machine, &site).await?).await?;
    }
    is_itself(machine, &site).await?;
    let failed = machine.look("systemctl --failed --no-legend --plain")?;
    ensure!(failed.is_empty(), "{failed}");
    let committed = machine.look("cat /var/lib/netcfg/committed.toml")?;
    ensure!(
        site == machine.site() || committed.contains(FIXED),
        "it has an address that was not committed: {committed}"
    );
    Ok(())
}

/// Numbers that look random and are the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}
