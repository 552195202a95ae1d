//! Users of SNMPv3, and the credentials that devices answered to.

use std::sync::Arc;

use agent_core::snmp::{
    Access, AuthProtocol, Credential, KeyExtension, Keyed, PrivProtocol, Secret, Transport, User, Version,
};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::outbox::ANSWERING;
use super::{Result, Store, set, setting};

/// What became of the wish to remove a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// He is gone; so many devices were read as him.
    Done(usize),
    /// This range still names him.
    InUse(String),
}

impl Store {
    /// All users in the order of their labels.
    pub fn snmp_users(&self) -> Result<Vec<Arc<User>>> {
        users(&self.connection())
    }

    /// Keeps a user; one with the same label is replaced. Gives whether there was one.
    pub fn set_snmp_user(&self, user: &User) -> Result<bool> {
        self.transaction(|change| {
            let query = "SELECT EXISTS (SELECT 1 FROM snmp_user WHERE label = ?1)";
            let replaced = change.query_row(query, [user.label()], |row| row.get(0))?;
            set_user(change, user)?;
            Ok(replaced)
        })
    }

    /// Removes a user, unless a range names him. Devices that were read as him are silent until a search finds another way.
    pub fn remove_snmp_user(&self, label: &str, now: Timestamp) -> Result<Removal> {
        self.transaction(|change| {
            let query = "SELECT range FROM scan_range WHERE instr(char(10) || snmp_users || char(10), char(10) || ?1 || char(10)) > 0";
            if let Some(range) = change.query_row(query, [label], |row| row.get(0)).optional()? {
                return Ok(Removal::InUse(range));
            }
            change.execute("DELETE FROM snmp_user WHERE label = ?1", [label])?;
            let query = "UPDATE device SET failure = ?2, silent_since = coalesce(silent_since, ?3), unreported = unreported | ?4
                         WHERE snmp_user = ?1";
            let failure = format!("the SNMPv3 user {label} that it was read with has been removed");
            Ok(Removal::Done(change.execute(query, params![label, failure, now.as_millisecond(), ANSWERING])?))
        })
    }
}

impl Store {
    /// The SNMPv3 engine that this agent is for senders of informs: its id, the same for ever, and how often it has started.
    pub fn begin_trap_engine(&self, random: &[u8; 16]) -> Result<(Vec<u8>, u32)> {
        self.transaction(|change| {
            let kept = setting(change, "engine_id")?.and_then(|text| HEXLOWER.decode(text.as_bytes()).ok());
            // RFC 3411, SnmpEngineID: the first bit set, no enterprise, octets of our own making.
            let made = [&[0x80, 0, 0, 0, 5], random.as_slice()].concat();
            let engine_id = kept.unwrap_or(made);
            let boots = setting(change, "engine_boots")?.and_then(|text| text.parse::<u32>().ok()).unwrap_or(0) + 1;
            set(change, "engine_id", &HEXLOWER.encode(&engine_id))?;
            set(change, "engine_boots", &boots.to_string())?;
            Ok((engine_id, boots))
        })
    }
}

pub(super) fn users(connection: &Connection) -> Result<Vec<Arc<User>>> {
    let mut rows = connection.prepare(
        "SELECT label, name, auth_protocol, auth_password, priv_protocol, priv_password, key_extension
         FROM snmp_user ORDER BY label",
    )?;
    let users = rows.query_map([], user)?.collect::<Result<Vec<_>, _>>()?;
    Ok(users.into_iter().flatten().collect())
}

/// A user, unless someone has changed the row by hand into one that cannot be.
fn user(row: &Row<'_>) -> rusqlite::Result<Option<Arc<User>>> {
    let (label, name): (String, String) = (row.get(0)?, row.get(1)?);
    let word = |column| row.get::<_, Option<String>>(column);
    let password = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<Vec<u8>>>(column)?.map(Secret::new));
    let auth = word(2)?.and_then(|word| AuthProtocol::from_keyword(&word)).zip(password(3)?);
    let privacy = word(4)?.and_then(|word| PrivProtocol::from_keyword(&word)).zip(password(5)?);
    let extension = word(6)?.and_then(|word| KeyExtension::from_keyword(&word));
    let auth = auth.map(|(protocol, password)| Keyed { protocol, password });
    let privacy = privacy.map(|(protocol, password)| Keyed { protocol, password });
    let user = User::new(&name, auth, privacy).and_then(|user| user.labelled(&label)).ok();
    Ok(user.map(|user| Arc::new(user.extending(extension))))
}

pub(super) fn set_user(change: &Transaction<'_>, user: &User) -> Result<()> {
    let auth = user.auth().map(|auth| (auth.protocol.keyword(), auth.password.octets()));
    let privacy = user.privacy().map(|privacy| (privacy.protocol.keyword(), privacy.password.octets()));
    change.execute(
        "INSERT OR REPLACE INTO snmp_user
             (label, name, auth_protocol, auth_password, priv_protocol, priv_password, key_extension)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            user.label(),
            user.name(),
            auth.map(|(protocol, _)| protocol),
            auth.map(|(_, password)| password),
            privacy.map(|(protocol, _)| protocol),
            privacy.map(|(_, password)| password),
            user.extension().map(KeyExtension::keyword),
        ],
    )?;
    Ok(())
}

/// A credential as the columns of a device.
pub(super) struct Columns {
    pub version: String,
    pub community: Vec<u8>,
    pub user: Option<String>,
    pub extension: Option<String>,
    pub transport: String,
}

impl Columns {
    pub fn of(credential: &Credential) -> Self {
        let user = credential.user();
        Self {
            version: credential.version().keyword().to_owned(),
            community: credential.community().unwrap_or_default().to_vec(),
            user: user.map(|user| user.label().to_owned()),
            extension: user.and_then(|user| user.extension()).map(|extension| extension.keyword().to_owned()),
            transport: credential.transport.keyword().to_owned(),
        }
    }

    /// The credential; `None` where its user is gone.
    pub fn credential(self, users: &[Arc<User>]) -> Option<Credential> {
        let community = || Arc::new(Secret::new(&self.community));
        let access = match Version::from_keyword(&self.version).unwrap_or(Version::V2c) {
            Version::V1 => Access::V1(community()),
            Version::V2c => Access::V2c(community()),
            Version::V3 => {
                let user = users.iter().find(|user| Some(user.label()) == self.user.as_deref())?;
                let extension = self.extension.as_deref().and_then(KeyExtension::from_keyword);
                // What the device has shown counts where the user leaves it open.
                Access::V3(match user.extension().or(extension) {
                    extension if extension != user.extension() => Arc::new(User::clone(user).extending(extension)),
                    _ => user.clone(),
                })
            }
        };
        Some(Credential { access, transport: Transport::from_keyword(&self.transport).unwrap_or_default() })
    }
}
