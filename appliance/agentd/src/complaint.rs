//! What goes wrong again and again is said once in the log, and once that it is over.

use anyhow::Result;

/// What was said last of one thing that can go wrong.
#[derive(Debug)]
pub struct Complaint {
    about: &'static str,
    said: String,
}

impl Complaint {
    /// About this, in the words of the log.
    pub fn about(about: &'static str) -> Self {
        Self { about, said: String::new() }
    }

    /// Says what is new in an outcome.
    pub fn hear(&mut self, outcome: Result<()>) {
        let words = outcome.err().map(|error| format!("{error:#}")).unwrap_or_default();
        if words == self.said {
            return;
        }
        if words.is_empty() {
            log::info!("over: {}", self.about);
        } else {
            log::error!(error:% = words; "{}", self.about);
        }
        self.said = words;
    }
}
