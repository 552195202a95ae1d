//! Points at which a test may let the program end as a power cut would, between and within all that it does.

/// The point that was chosen, if any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Option<String>);

impl Faults {
    pub(crate) fn new(point: Option<String>) -> Self {
        Self(point)
    }

    /// Ends the program if this is the point: `STEP.PLACE`.
    pub(crate) fn reach(&self, step: &str, place: &str) {
        let chosen = self.0.as_deref().and_then(|point| point.split_once('.'));
        if chosen == Some((step, place)) {
            log::warn!("ending at {step}.{place}, as was asked");
            std::process::abort();
        }
    }
}
