//! The one page of an agent that cannot use what it has stored: says why, and what to do.
//!
//! Shows nothing else, and takes nothing: with an empty database in the place of a damaged one, whoever comes first would be
//! the administrator.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::http::StatusCode;
use jiff::Timestamp;
use webkit::certificate::CertificateKeeper;
use webkit::listen::{Limits, Listener, serve};

/// How long the page stands before the process ends and a service manager tries anew: a full disk may have been emptied.
const STANDS: Duration = Duration::from_secs(60);

/// Serves the page for a while, then fails with the fault.
pub async fn tell(
    listener: Listener,
    folder: &Path,
    fault: anyhow::Error,
    stopped: impl Future<Output = ()>,
) -> Result<()> {
    log::error!(folder:% = folder.display(); "what the agent has stored cannot be used; its page says so: {fault:#}");
    // The certificate may be as damaged as the rest, and a full disk takes no other: then one from memory has to do.
    let kept = CertificateKeeper::load_or_make(folder, &[], Timestamp::now());
    let elsewhere = tempfile::tempdir().context("no place for a certificate")?;
    let certificate = match kept {
        Ok(certificate) => certificate,
        Err(_) => CertificateKeeper::load_or_make(elsewhere.path(), &[], Timestamp::now())?,
    };
    let stop = async {
        tokio::select! {
            () = stopped => {}
            () = tokio::time::sleep(STANDS) => {}
        }
    };
    serve(listener, Arc::new(certificate), pages(&format!("{fault:#}")), Limits::default(), stop).await?;
    Err(fault)
}

/// Plain text in both languages: what dresses a page stands in the database.
fn pages(fault: &str) -> Router {
    let text = format!(
        "The agent cannot use what it has stored: {fault}.\n\n\
         No device is read until this is mended; nothing that is stored was changed. The agent tries again every minute.\n\
         If it stays so: make room on the card or disk, restore the data from a backup, or begin anew with an empty folder.\n\n\
         Der Agent kann seine gespeicherten Daten nicht verwenden (die Meldung steht oben).\n\n\
         Bis das behoben ist, wird kein Gerät gelesen; am Gespeicherten wurde nichts geändert. Der Agent versucht es jede\n\
         Minute wieder. Bleibt es dabei: Platz auf der Karte oder Platte schaffen, die Daten aus einer Sicherung zurückspielen\n\
         oder mit einem leeren Ordner neu beginnen.\n"
    );
    Router::new().fallback(async move || (StatusCode::SERVICE_UNAVAILABLE, text.clone()))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn every_path_says_why_and_none_is_healthy() {
        for path in ["/", "/setup", "/login"] {
            let request = axum::http::Request::get(path).body(Body::empty()).unwrap();
            let answer = pages("file is not a database").oneshot(request).await.unwrap();
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(String::from_utf8_lossy(&body).contains("file is not a database"));
        }
    }
}
