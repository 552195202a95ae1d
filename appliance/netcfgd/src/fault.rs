//! Points at which a test may let the program end as a power cut would, between and within all that it does.

use std::cell::Cell;

/// The point that was chosen, if any, and how often it is still to be passed before.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    point: Option<String>,
    passes: Cell<u32>,
}

impl Faults {
    /// `STEP.PLACE`, or `STEP.PLACE+N` for the time after N others.
    pub(crate) fn new(chosen: Option<String>) -> Self {
        let Some(chosen) = chosen else { return Self::default() };
        let (point, passes) = chosen.split_once('+').unwrap_or((&chosen, "0"));
        Self { point: Some(point.to_owned()), passes: Cell::new(passes.parse().unwrap_or_default()) }
    }

    /// Ends the program if this is the point.
    pub(crate) fn reach(&self, step: &str, place: &str) {
        if self.point.as_deref().and_then(|point| point.split_once('.')) != Some((step, place)) {
            return;
        }
        match self.passes.get().checked_sub(1) {
            Some(left) => self.passes.set(left),
            None => {
                log::warn!("ending at {step}.{place}, as was asked");
                std::process::abort();
            }
        }
    }
}
