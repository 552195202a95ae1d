//! Waiting for what has to come, without knowing when: a condition is looked at until it holds. Nothing here says how long
//! something may take; the limit is only there so that a test which waits in vain ends and says for what.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
const STEP: Duration = Duration::from_millis(50);

/// Looks until there is something, and returns it.
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    until_within(PATIENCE, what, look).await
}

/// The same with another limit: for what is promised within a time that is longer.
pub async fn until_within<T>(
    patience: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if begun.elapsed() > patience {
            bail!("waited {} seconds in vain: {what}", patience.as_secs());
        }
        tokio::time::sleep(STEP).await;
    }
}

/// Looks until it is so.
pub async fn until_true(what: &str, mut look: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    until(what, async || Ok(look().await?.then_some(()))).await
}
