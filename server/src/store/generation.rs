//! Generations: what one version of the fold has made of the log. The live one lies in the schema `projection`; another is
//! built beside it, in `shadow`, and exchanged with it in one transaction.

pub mod difference;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;

use super::{CHANGED, QueryContext as _, Store, StoreError, status_history, status_shown};

/// The tables of a generation. The facts go with it only where it was built with them: they are what the log says, and no
/// fold changes them.
const TABLES: [&str; 7] =
    ["generation", "progress", "high_water", "facility_row", "facility_code", "connection", "parked"];
const FACTS: &str = "fact";

/// How long an exchange waits for those who are reading, before it gives up with nothing changed.
const EXCHANGE_LIMIT: &str = "10s";

/// Which generation: it rises with every one that is begun.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct GenerationNumber(pub i64);

/// A generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Generation {
    pub number: GenerationNumber,
    /// The version of the fold that made it.
    pub fold: i32,
    /// Whether it has facts of its own.
    pub with_facts: bool,
    pub begun_at: DateTime<Utc>,
}

/// The generation that is shown.
pub async fn live(store: &Store) -> Result<Generation, StoreError> {
    let client = store.client().await?;
    let row = client.query_one("SELECT number, fold, with_facts, begun_at FROM projection.generation", &[]).await;
    Ok(generation(&row.context("read the live generation")?))
}

/// The generation that is being built, or that was live before the last exchange.
pub async fn shadow(store: &Store) -> Result<Option<Generation>, StoreError> {
    let context = "look for a generation in the shadow";
    let client = store.client().await?;
    let there = client.query_one("SELECT to_regclass('shadow.generation') IS NOT NULL", &[]).await.context(context)?;
    if !there.get::<_, bool>(0) {
        return Ok(None);
    }
    let row = client.query_opt("SELECT number, fold, with_facts, begun_at FROM shadow.generation", &[]).await;
    Ok(row.context(context)?.as_ref().map(generation))
}

/// Has the live generation be of this version of the fold, where nothing has been folded yet; says whether that is so.
pub async fn adopt(store: &Store, fold: i32) -> Result<bool, StoreError> {
    let update = "UPDATE projection.generation SET fold = $1 \
                  WHERE NOT EXISTS (SELECT FROM projection.progress WHERE next_offset > 0)";
    let adopted = store.client().await?.execute(update, &[&fold]).await.context("begin the first generation")?;
    Ok(adopted == 1)
}

/// Whether the shadow has rows that were folded by another policy.
pub async fn has_rows_of_another(store: &Store, policy_hash: i64) -> Result<bool, StoreError> {
    let query = "SELECT EXISTS (SELECT FROM shadow.facility_row WHERE policy_hash <> $1)";
    let row =
        store.client().await?.query_one(query, &[&policy_hash]).await.context("read the policy of a generation")?;
    Ok(row.get(0))
}

fn generation(row: &tokio_postgres::Row) -> Generation {
    Generation { number: GenerationNumber(row.get(0)), fold: row.get(1), with_facts: row.get(2), begun_at: row.get(3) }
}

/// Begins a generation in the shadow; what was there is dropped.
pub async fn begin(store: &Store, fold: i32, with_facts: bool, now: DateTime<Utc>) -> Result<Generation, StoreError> {
    let context = "begin a generation";
    let before = shadow(store).await?.map_or(0, |generation| generation.number.0);
    let number = GenerationNumber(live(store).await?.number.0.max(before) + 1);
    let mut client = store.client().await?;
    let transaction = client.transaction().await.context(context)?;
    transaction.batch_execute("DROP SCHEMA IF EXISTS shadow CASCADE; CREATE SCHEMA shadow").await.context(context)?;
    for table in tables(with_facts) {
        let create = format!("CREATE TABLE shadow.{table} (LIKE projection.{table} INCLUDING ALL)");
        transaction.batch_execute(&create).await.context(context)?;
        let comment = format!(
            "SELECT format('COMMENT ON TABLE shadow.{table} IS %L', obj_description('projection.{table}'::regclass))"
        );
        let comment: String = transaction.query_one(&comment, &[]).await.context(context)?.get(0);
        transaction.batch_execute(&comment).await.context(context)?;
    }
    let insert = "INSERT INTO shadow.generation (number, fold, with_facts, begun_at) VALUES ($1, $2, $3, $4)";
    transaction.execute(insert, &[&number.0, &fold, &with_facts, &now]).await.context(context)?;
    transaction.commit().await.context(context)?;
    Ok(Generation { number, fold, with_facts, begun_at: now })
}

/// Forgets the generation in the shadow; says whether there was one.
pub async fn forget(store: &Store) -> Result<bool, StoreError> {
    let there = shadow(store).await?.is_some();
    let client = store.client().await?;
    client.batch_execute("DROP SCHEMA IF EXISTS shadow CASCADE").await.context("drop the generation in the shadow")?;
    Ok(there)
}

/// Holds the live generation still until `transaction` ends: its places in the log don't move.
///
/// # Errors
/// Where another transaction holds the lock for too long.
pub async fn hold(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let lock = format!("SET LOCAL lock_timeout = '{EXCHANGE_LIMIT}'; LOCK TABLE projection.progress IN EXCLUSIVE MODE");
    transaction.batch_execute(&lock).await.context("hold the live generation still")
}

/// Exchanges the two generations when `transaction` commits. What is shown through views follows.
///
/// # Errors
/// Where a reader holds a table for too long.
pub async fn exchange(transaction: &Transaction<'_>, with_facts: bool) -> Result<(), StoreError> {
    let context = "exchange the generations";
    status_shown::note_exchange(transaction).await?;
    // Views follow a table wherever it goes: they are told anew what they show.
    let tables: Vec<String> = tables(with_facts).map(|table| format!("projection.{table}")).collect();
    transaction.batch_execute("SET LOCAL search_path = pg_catalog").await.context(context)?;
    let views = "SELECT DISTINCT v.oid, format('CREATE OR REPLACE VIEW %s AS %s', v.oid::regclass, pg_get_viewdef(v.oid)) \
                 FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class \
                 WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass \
                 AND d.refobjid = ANY($1::text[]::regclass[]) AND v.relkind = 'v' ORDER BY v.oid";
    let views = transaction.query(views, &[&tables]).await.context(context)?;
    let mut statements = String::from("CREATE SCHEMA leaving;");
    for (from, to) in [("projection", "leaving"), ("shadow", "projection"), ("leaving", "shadow")] {
        for table in self::tables(with_facts) {
            statements.push_str(&format!("ALTER TABLE {from}.{table} SET SCHEMA {to};"));
        }
    }
    statements.push_str("DROP SCHEMA leaving;");
    for view in views {
        statements.push_str(view.get(1));
    }
    transaction.batch_execute(&statements).await.context(context)?;
    status_history::exchanged(transaction, with_facts).await?;
    // Facts that have not gone along belong to the one that is shown now: what leaves has none of its own.
    transaction.execute("UPDATE shadow.generation SET with_facts = $1", &[&with_facts]).await.context(context)?;
    transaction.execute("SELECT pg_notify($1, 'many')", &[&CHANGED]).await.context(context)?;
    Ok(())
}

fn tables(with_facts: bool) -> impl Iterator<Item = &'static str> {
    TABLES.into_iter().chain(with_facts.then_some(FACTS))
}
