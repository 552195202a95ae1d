//! The way to boxd. The agent asks; only boxd updates, resets and restarts the box. And what boxd says of the box becomes a remark in
//! the next report.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use boxcore::health::Fault;
use boxcore::request::{Answer, LONGEST_LINE, Request, Status};
use boxcore::update::Stage;
use control::{AskError, Client};
use jiff::Timestamp;
use thiserror::Error;
use tokio::time::sleep;
use wire::notes::Remark;
use wire::vocab::RemarkCode;

use crate::store::{Store, StoreError};

/// In messages.
const NAME: &str = "boxd";
/// Longest wait: boxd itself asks RAUC.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks at how the box is.
const LOOK: Duration = Duration::from_secs(60);

/// Where boxd is asked.
#[derive(Debug, Clone)]
pub struct Boxd(Client);

/// Why boxd does not do what it was asked.
#[derive(Debug, Error)]
pub enum BoxdError {
    /// There is no answer.
    #[error(transparent)]
    Unanswered(#[from] AskError),
    /// It refuses, in its words.
    #[error("{0}")]
    Refused(String),
}

impl Boxd {
    /// At a socket, which need not be there.
    pub fn at(socket: &Path) -> Self {
        Self(Client::new(NAME, socket, LONGEST_LINE, PATIENCE))
    }

    /// Whether this machine is a box: the folder of the socket is there before the agent starts.
    pub fn is_there(&self) -> bool {
        self.0.socket().parent().is_some_and(Path::is_dir)
    }

    /// How things stand.
    pub async fn status(&self) -> Result<Status, BoxdError> {
        match self.ask(&Request::Show {}).await? {
            Answer::Status(status) => Ok(*status),
            _ => Err(AskError::NotUnderstood(NAME).into()),
        }
    }

    /// Asks; a refusal is an error.
    pub async fn ask(&self, request: &Request) -> Result<Answer, BoxdError> {
        match self.0.ask(request).await? {
            Answer::Refused { why } => Err(BoxdError::Refused(why)),
            answer => Ok(answer),
        }
    }
}

/// Tells the manager, in the next report, what is wrong with the box; for ever.
pub async fn watch(boxd: Boxd, store: Arc<Store>) {
    if !boxd.is_there() {
        return std::future::pending().await;
    }
    loop {
        if let Ok(status) = boxd.status().await {
            let store = store.clone();
            let told = tokio::task::spawn_blocking(move || tell(&store, &status)).await;
            if !matches!(told, Ok(Ok(()))) {
                log::error!("what boxd says of the box cannot be kept");
            }
        }
        sleep(LOOK).await;
    }
}

fn tell(store: &Store, status: &Status) -> Result<(), StoreError> {
    for (code, since, text) in remarks(status) {
        match text {
            Some(text) => store.say_of_self(&Remark { code, since, text })?,
            None => store.unsay_of_self(&code)?,
        }
    }
    Ok(())
}

/// What is to be said, and what is not, of what could be.
fn remarks(status: &Status) -> [(RemarkCode, Option<Timestamp>, Option<String>); 3] {
    let update = status.last.as_ref().and_then(|last| match &last.stage {
        Stage::WentBack(why) => Some(format!("{}: {}", last.to, words(why))),
        Stage::FellBack => Some(format!(
            "{}: it was good, and did not come up several times in a row; {} runs",
            last.to, status.version
        )),
        _ => None,
    });
    let at = status.last.as_ref().and_then(|last| Timestamp::from_second(i64::try_from(last.at).ok()?).ok());
    let data = &status.data;
    let card = data.test_fault.clone().or_else(|| data.is_volatile.then(|| "kept in memory only".to_owned()));
    let unwell = (!status.health.is_good && !status.health.faults.is_empty()).then(|| words(&status.health.faults));
    [
        (RemarkCode::UpdateTakenBack, at, update),
        (RemarkCode::CardFails, None, card),
        (RemarkCode::SystemUnwell, None, unwell),
    ]
}

fn words(faults: &[Fault]) -> String {
    let word = |fault: &Fault| match fault {
        Fault::Unit(unit) => format!("{unit} does not run"),
        Fault::Page(why) => format!("the page: {why}"),
        Fault::Data(why) => format!("the data partition: {why}"),
        Fault::NoAddress => "no address".to_owned(),
        Fault::NoManager => "the manager was not reached".to_owned(),
        Fault::NotInstalled => "its installation did not come to an end".to_owned(),
        Fault::OtherVersion(version) => format!("version {version} was found in its place"),
        Fault::NotStarted => "it did not start".to_owned(),
        Fault::CutShort => "it restarted before it was found good".to_owned(),
    };
    faults.iter().map(word).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
pub(crate) mod tests {
    use boxcore::health::Needs;
    use boxcore::request::{Data, Health};
    use boxcore::update::Record;

    use super::*;

    /// A box of version 1.0.0 whose update to 1.1.0 is so far.
    pub(crate) fn status(stage: Stage) -> Status {
        let last = Record {
            from: "1.0.0".into(),
            to: "1.1.0".into(),
            slot: "B".into(),
            at: 1_800_000_000,
            installed_in: "first".into(),
            needs: Needs::default(),
            stage,
        };
        Status {
            version: "1.0.0".into(),
            board: "pi64".into(),
            slots: vec![],
            progress: None,
            refused: None,
            last: Some(last),
            health: Health { is_good: true, ..Health::default() },
            data: Data::default(),
            time_zone: None,
            prepared: None,
        }
    }

    #[test]
    fn an_update_that_went_back_is_told_until_another_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        tell(&store, &status(Stage::WentBack(vec![Fault::NoManager]))).unwrap();
        let said = store.said_of_self().unwrap();
        assert_eq!(said.first().unwrap().text, "1.1.0: the manager was not reached");
        assert_eq!(said.len(), 1);
        tell(&store, &status(Stage::FellBack)).unwrap();
        let said = store.said_of_self().unwrap();
        assert!(said.first().unwrap().text.ends_with("several times in a row; 1.0.0 runs"), "{said:?}");
        tell(&store, &status(Stage::Good)).unwrap();
        assert_eq!(store.said_of_self().unwrap().len(), 0);
    }
}
