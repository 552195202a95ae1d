//! Customers, their sites, the tokens and agents of a site.

use jiff::Timestamp;
use manager_core::access::{CustomerId, Right, Scope, SiteId, TokenId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use wire::{message::AgentId, notes::Remark, vocab::RemarkCode};

use crate::{Result, Store, StoreError, moment, name_taken, stored};

/// How many devices there are of each kind of condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct DeviceCounts {
    pub all: u32,
    pub critical: u32,
    pub warning: u32,
    pub good: u32,
    pub unknown: u32,
    /// Do not answer their agent; in none of the others but `all`.
    pub silent: u32,
}

/// The columns that count devices `d` by condition, for [`DeviceCounts`].
pub(crate) const COUNT_COLUMNS: &str = "count(d.id),
    count(d.id) FILTER (WHERE d.silent_since IS NULL AND d.condition = 3),
    count(d.id) FILTER (WHERE d.silent_since IS NULL AND d.condition = 2),
    count(d.id) FILTER (WHERE d.silent_since IS NULL AND d.condition = 1),
    count(d.id) FILTER (WHERE d.silent_since IS NULL AND d.condition = 0),
    count(d.id) FILTER (WHERE d.silent_since IS NOT NULL)";

impl DeviceCounts {
    pub(crate) fn of_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            all: row.get(first)?,
            critical: row.get(first + 1)?,
            warning: row.get(first + 2)?,
            good: row.get(first + 3)?,
            unknown: row.get(first + 4)?,
            silent: row.get(first + 5)?,
        })
    }
}

/// A customer in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Customer {
    pub id: CustomerId,
    pub name: String,
    pub sites: u32,
    pub agents: u32,
    pub devices: DeviceCounts,
}

/// A site in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Site {
    pub id: SiteId,
    pub name: String,
    pub customer: CustomerId,
    pub customer_name: String,
    pub agents: u32,
    pub devices: DeviceCounts,
}

/// An agent in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Agent {
    pub id: AgentId,
    pub name: String,
    pub software: String,
    pub registered_at: Timestamp,
    pub last_report_at: Option<Timestamp>,
    pub site: SiteId,
    pub site_name: String,
    pub customer: CustomerId,
    pub customer_name: String,
    pub devices: DeviceCounts,
    /// What it says of itself.
    pub remarks: Vec<Remark>,
    /// The name of the agent that has taken over its devices, while it does not report itself.
    pub replaced_by: Option<String>,
}

/// An enrolment token in a list; the token itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Token {
    pub id: TokenId,
    pub created_at: Timestamp,
    pub created_by: String,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
    pub agent_name: Option<String>,
    pub revoked_at: Option<Timestamp>,
}

impl Store {
    /// All customers by name.
    pub fn customers(&self, scope: &Scope) -> Result<Vec<Customer>> {
        scope.require(Right::View)?;
        customers(&self.lock(), scope, None)
    }

    /// One customer.
    pub fn customer(&self, scope: &Scope, id: CustomerId) -> Result<Customer> {
        scope.require(Right::View)?;
        customers(&self.lock(), scope, Some(id))?.pop().ok_or(StoreError::NotFound)
    }

    /// Makes a customer.
    pub fn create_customer(&self, scope: &Scope, name: &str) -> Result<CustomerId> {
        scope.require(Right::ManageCustomers)?;
        self.transaction(|transaction| create_customer(transaction, scope, name))
    }

    /// Gives a customer another name.
    pub fn rename_customer(&self, scope: &Scope, id: CustomerId, name: &str) -> Result<()> {
        scope.require(Right::ManageCustomers)?;
        let changed = self
            .lock()
            .execute(
                "UPDATE customer SET name = ?3, folded = ?4 WHERE id = ?1 AND dealer_id = ?2",
                params![id.0, scope.dealer.0, name, name.to_lowercase()],
            )
            .map_err(name_taken(name))?;
        if changed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// The sites of a customer by name.
    pub fn sites(&self, scope: &Scope, customer: CustomerId) -> Result<Vec<Site>> {
        scope.require(Right::View)?;
        sites(&self.lock(), scope, "c.id = ?2", customer.0)
    }

    /// One site.
    pub fn site(&self, scope: &Scope, id: SiteId) -> Result<Site> {
        scope.require(Right::View)?;
        sites(&self.lock(), scope, "s.id = ?2", id.0)?.pop().ok_or(StoreError::NotFound)
    }

    /// Makes a site of a customer.
    pub fn create_site(&self, scope: &Scope, customer: CustomerId, name: &str) -> Result<SiteId> {
        scope.require(Right::ManageCustomers)?;
        self.transaction(|transaction| create_site(transaction, scope, customer, name))
    }

    /// Gives a site another name.
    pub fn rename_site(&self, scope: &Scope, id: SiteId, name: &str) -> Result<()> {
        scope.require(Right::ManageCustomers)?;
        let changed = self
            .lock()
            .execute(
                "UPDATE site SET name = ?3, folded = ?4
                 WHERE id = ?1 AND customer_id IN (SELECT id FROM customer WHERE dealer_id = ?2)",
                params![id.0, scope.dealer.0, name, name.to_lowercase()],
            )
            .map_err(name_taken(name))?;
        if changed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// The site of these names; customer and site are made where they are missing.
    pub fn find_or_create_site(&self, scope: &Scope, customer: &str, site: &str) -> Result<SiteId> {
        scope.require(Right::ManageCustomers)?;
        self.transaction(|transaction| {
            let known = transaction
                .query_row(
                    "SELECT id FROM customer WHERE dealer_id = ?1 AND folded = ?2",
                    params![scope.dealer.0, customer.to_lowercase()],
                    |row| row.get(0),
                )
                .optional()?;
            let customer = match known {
                Some(id) => CustomerId(id),
                None => create_customer(transaction, scope, customer)?,
            };
            let known = transaction
                .query_row(
                    "SELECT id FROM site WHERE customer_id = ?1 AND folded = ?2",
                    params![customer.0, site.to_lowercase()],
                    |row| row.get(0),
                )
                .optional()?;
            match known {
                Some(id) => Ok(SiteId(id)),
                None => create_site(transaction, scope, customer, site),
            }
        })
    }

    /// Keeps the digest of a token for a site.
    pub fn create_token(
        &self,
        scope: &Scope,
        site: SiteId,
        digest: &[u8; 32],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<TokenId> {
        scope.require(Right::ManageAgents)?;
        self.transaction(|transaction| {
            must_own_site(transaction, scope, site)?;
            transaction.execute(
                "INSERT INTO enrolment_token (site_id, digest, created_at, created_by, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![site.0, digest.as_slice(), stored(now), scope.user, stored(expires)],
            )?;
            Ok(TokenId(transaction.last_insert_rowid()))
        })
    }

    /// The tokens of a site, newest first; at most 200.
    pub fn tokens(&self, scope: &Scope, site: SiteId) -> Result<Vec<Token>> {
        scope.require(Right::View)?;
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT t.id, t.created_at, t.created_by, t.expires_at, t.used_at, a.name, t.revoked_at
             FROM enrolment_token t
             JOIN site s ON s.id = t.site_id JOIN customer c ON c.id = s.customer_id
             LEFT JOIN agent a ON a.id = t.agent_id
             WHERE c.dealer_id = ?1 AND s.id = ?2 ORDER BY t.id DESC LIMIT 200",
        )?;
        let tokens = statement.query_map(params![scope.dealer.0, site.0], |row| {
            Ok(Token {
                id: TokenId(row.get(0)?),
                created_at: moment(row.get(1)?),
                created_by: row.get(2)?,
                expires_at: moment(row.get(3)?),
                used_at: row.get::<_, Option<i64>>(4)?.map(moment),
                agent_name: row.get(5)?,
                revoked_at: row.get::<_, Option<i64>>(6)?.map(moment),
            })
        })?;
        Ok(tokens.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes a token back that has not been used; returns its site.
    pub fn revoke_token(&self, scope: &Scope, id: TokenId, now: Timestamp) -> Result<SiteId> {
        scope.require(Right::ManageAgents)?;
        self.transaction(|transaction| {
            let site = transaction
                .query_row(
                    "SELECT s.id FROM enrolment_token t
                     JOIN site s ON s.id = t.site_id JOIN customer c ON c.id = s.customer_id
                     WHERE t.id = ?1 AND c.dealer_id = ?2",
                    params![id.0, scope.dealer.0],
                    |row| row.get(0).map(SiteId),
                )
                .optional()?
                .ok_or(StoreError::NotFound)?;
            transaction.execute(
                "UPDATE enrolment_token SET revoked_at = ?2
                 WHERE id = ?1 AND used_at IS NULL AND revoked_at IS NULL",
                params![id.0, stored(now)],
            )?;
            Ok(site)
        })
    }

    /// All agents, by customer, site and name.
    pub fn agents(&self, scope: &Scope) -> Result<Vec<Agent>> {
        scope.require(Right::View)?;
        agents(&self.lock(), scope, "?2 = ?2", 0)
    }

    /// The agents of a site.
    pub fn agents_of_site(&self, scope: &Scope, site: SiteId) -> Result<Vec<Agent>> {
        scope.require(Right::View)?;
        agents(&self.lock(), scope, "s.id = ?2", site.0)
    }
}

fn customers(connection: &Connection, scope: &Scope, id: Option<CustomerId>) -> Result<Vec<Customer>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT c.id, c.name, count(DISTINCT s.id), count(DISTINCT a.id), {COUNT_COLUMNS}
         FROM customer c LEFT JOIN site s ON s.customer_id = c.id LEFT JOIN agent a ON a.site_id = s.id
         LEFT JOIN device d ON d.agent_id = a.id AND d.removed_at IS NULL
         WHERE c.dealer_id = ?1 AND (?2 IS NULL OR c.id = ?2) GROUP BY c.id ORDER BY c.folded"
    ))?;
    let rows = statement.query_map(params![scope.dealer.0, id.map(|id| id.0)], |row| {
        Ok(Customer {
            id: CustomerId(row.get(0)?),
            name: row.get(1)?,
            sites: row.get(2)?,
            agents: row.get(3)?,
            devices: DeviceCounts::of_row(row, 4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn sites(connection: &Connection, scope: &Scope, condition: &'static str, id: i64) -> Result<Vec<Site>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT s.id, s.name, c.id, c.name, count(DISTINCT a.id), {COUNT_COLUMNS}
         FROM site s JOIN customer c ON c.id = s.customer_id LEFT JOIN agent a ON a.site_id = s.id
         LEFT JOIN device d ON d.agent_id = a.id AND d.removed_at IS NULL
         WHERE c.dealer_id = ?1 AND {condition} GROUP BY s.id ORDER BY s.folded"
    ))?;
    let rows = statement.query_map(params![scope.dealer.0, id], |row| {
        Ok(Site {
            id: SiteId(row.get(0)?),
            name: row.get(1)?,
            customer: CustomerId(row.get(2)?),
            customer_name: row.get(3)?,
            agents: row.get(4)?,
            devices: DeviceCounts::of_row(row, 5)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn agents(connection: &Connection, scope: &Scope, condition: &'static str, id: i64) -> Result<Vec<Agent>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT a.key_id, a.name, a.software, a.registered_at, a.last_report_at, s.id, s.name, c.id, c.name,
                {COUNT_COLUMNS}, a.id, (SELECT name FROM agent other WHERE other.id = a.replaced_by)
         FROM agent a JOIN site s ON s.id = a.site_id JOIN customer c ON c.id = s.customer_id
         LEFT JOIN device d ON d.agent_id = a.id AND d.removed_at IS NULL
         WHERE c.dealer_id = ?1 AND {condition} GROUP BY a.id ORDER BY c.folded, s.folded, a.name, a.id"
    ))?;
    let mut rows = statement.query(params![scope.dealer.0, id])?;
    let mut agents = Vec::new();
    while let Some(row) = rows.next()? {
        agents.push(Agent {
            // Only names that parse are ever stored.
            id: AgentId::parse(&row.get::<_, String>(0)?).ok_or(StoreError::NotFound)?,
            name: row.get(1)?,
            software: row.get(2)?,
            registered_at: moment(row.get(3)?),
            last_report_at: row.get::<_, Option<i64>>(4)?.map(moment),
            site: SiteId(row.get(5)?),
            site_name: row.get(6)?,
            customer: CustomerId(row.get(7)?),
            customer_name: row.get(8)?,
            devices: DeviceCounts::of_row(row, 9)?,
            remarks: agent_remarks(connection, row.get(15)?)?,
            replaced_by: row.get(16)?,
        });
    }
    Ok(agents)
}

fn agent_remarks(connection: &Connection, agent: i64) -> Result<Vec<Remark>> {
    let mut statement =
        connection.prepare_cached("SELECT code, since, text FROM agent_remark WHERE agent_id = ?1 ORDER BY place")?;
    let remarks = statement.query_map([agent], |row| {
        Ok(Remark {
            code: RemarkCode::from_keyword(&row.get::<_, String>(0)?),
            since: row.get::<_, Option<i64>>(1)?.map(moment),
            text: row.get(2)?,
        })
    })?;
    Ok(remarks.collect::<rusqlite::Result<_>>()?)
}

fn create_customer(transaction: &Transaction<'_>, scope: &Scope, name: &str) -> Result<CustomerId> {
    transaction
        .execute(
            "INSERT INTO customer (dealer_id, name, folded) VALUES (?1, ?2, ?3)",
            params![scope.dealer.0, name, name.to_lowercase()],
        )
        .map_err(name_taken(name))?;
    Ok(CustomerId(transaction.last_insert_rowid()))
}

fn create_site(transaction: &Transaction<'_>, scope: &Scope, customer: CustomerId, name: &str) -> Result<SiteId> {
    let owned: bool = transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM customer WHERE id = ?1 AND dealer_id = ?2)",
        params![customer.0, scope.dealer.0],
        |row| row.get(0),
    )?;
    if !owned {
        return Err(StoreError::NotFound);
    }
    transaction
        .execute(
            "INSERT INTO site (customer_id, name, folded) VALUES (?1, ?2, ?3)",
            params![customer.0, name, name.to_lowercase()],
        )
        .map_err(name_taken(name))?;
    Ok(SiteId(transaction.last_insert_rowid()))
}

fn must_own_site(transaction: &Transaction<'_>, scope: &Scope, site: SiteId) -> Result<()> {
    let owned: bool = transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM site s JOIN customer c ON c.id = s.customer_id
                        WHERE s.id = ?1 AND c.dealer_id = ?2)",
        params![site.0, scope.dealer.0],
        |row| row.get(0),
    )?;
    if owned { Ok(()) } else { Err(StoreError::NotFound) }
}
