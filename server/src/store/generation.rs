//! Generations: the result of one version of the fold. The live one is in the schema `projection`; another one is built
//! beside it in `shadow`, and the two are swapped in one transaction.

pub mod difference;
mod rights;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;

use super::{CHANGED, QueryContext as _, Store, StoreError, status_history, status_shown};

/// The tables of a generation. It has its own facts only if it was built with them, because facts do not depend on
/// the fold. A migration that adds a table or a column drops the schema `shadow`, and `FOLD` rises.
const TABLES: [&str; 8] =
    ["generation", "progress", "life", "life_gap", "facility_row", "facility_code", "connection", "parked"];
const FACTS: &str = "fact";

/// How long a swap waits for readers before it fails without a change.
const SWAP_LIMIT: &str = "10s";

/// The number of a generation, which rises with every new one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct GenerationNumber(pub i64);

/// A generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Generation {
    pub number: GenerationNumber,
    /// The version of the fold that made it.
    pub fold: i32,
    /// Whether it has its own facts.
    pub with_facts: bool,
    pub begun_at: DateTime<Utc>,
}

/// The generation that is shown.
pub async fn live(store: &Store) -> Result<Generation, StoreError> {
    let client = store.client().await?;
    let row = client.query_one("SELECT number, fold, with_facts, begun_at FROM projection.generation", &[]).await;
    Ok(generation(&row.context("read the live generation")?))
}

/// The generation that is being built, or that was live before the last swap.
pub async fn shadow(store: &Store) -> Result<Option<Generation>, StoreError> {
    let context = "read the generation in the shadow";
    let client = store.client().await?;
    let there = client.query_one("SELECT to_regclass('shadow.generation') IS NOT NULL", &[]).await.context(context)?;
    if !there.get::<_, bool>(0) {
        return Ok(None);
    }
    let row = client.query_opt("SELECT number, fold, with_facts, begun_at FROM shadow.generation", &[]).await;
    Ok(row.context(context)?.as_ref().map(generation))
}

/// Assigns this version of the fold to the live generation if nothing has been folded yet; returns whether it did.
pub async fn adopt(store: &Store, fold: i32) -> Result<bool, StoreError> {
    let update = "UPDATE projection.generation SET fold = $1 \
                  WHERE NOT EXISTS (SELECT FROM projection.progress WHERE next_offset > 0)";
    let adopted = store.client().await?.execute(update, &[&fold]).await.context("begin the first generation")?;
    Ok(adopted == 1)
}

/// Whether the shadow contains rows that were folded by another policy.
pub async fn has_rows_of_another(store: &Store, policy_hash: i64) -> Result<bool, StoreError> {
    let query = "SELECT EXISTS (SELECT FROM shadow.facility_row WHERE policy_hash <> $1)";
    let row =
        store.client().await?.query_one(query, &[&policy_hash]).await.context("read the policy of a generation")?;
    Ok(row.get(0))
}

fn generation(row: &tokio_postgres::Row) -> Generation {
    Generation { number: GenerationNumber(row.get(0)), fold: row.get(1), with_facts: row.get(2), begun_at: row.get(3) }
}

/// Begins a generation in the shadow; the previous one there is dropped.
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

/// Deletes the generation in the shadow; returns whether there was one.
pub async fn forget(store: &Store) -> Result<bool, StoreError> {
    let there = shadow(store).await?.is_some();
    let client = store.client().await?;
    client.batch_execute("DROP SCHEMA IF EXISTS shadow CASCADE").await.context("drop the generation in the shadow")?;
    Ok(there)
}

/// Locks the live generation until `transaction` ends: its positions in the log do not move.
///
/// # Errors
/// If another transaction holds the lock for too long.
pub async fn hold(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let lock = format!("SET LOCAL lock_timeout = '{SWAP_LIMIT}'; LOCK TABLE projection.progress IN EXCLUSIVE MODE");
    transaction
        .batch_execute(&lock)
        .await
        .context("lock the live generation; nothing was swapped (a long query may hold it: try again)")
}

/// Swaps the two generations when `transaction` commits. The views follow.
///
/// # Errors
/// If a reader holds a table for too long.
pub async fn exchange(transaction: &Transaction<'_>, with_facts: bool) -> Result<(), StoreError> {
    let context = "swap the generations; nothing was swapped (a long query may hold a table: try again)";
    status_shown::note_exchange(transaction).await?;
    // A view follows a table into another schema, so the views are created again.
    let tables: Vec<String> = tables(with_facts).map(|table| format!("projection.{table}")).collect();
    transaction.batch_execute("SET LOCAL search_path = pg_catalog").await.context(context)?;
    let views = "SELECT DISTINCT v.oid, format('CREATE OR REPLACE VIEW %s AS %s', v.oid::regclass, pg_get_viewdef(v.oid)) \
                 FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class \
                 WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass \
                 AND d.refobjid = ANY($1::text[]::regclass[]) AND v.relkind = 'v' ORDER BY v.oid";
    let views = transaction.query(views, &[&tables]).await.context(context)?;
    let rights = rights::statements(transaction, &tables).await?;
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
    for right in rights {
        statements.push_str(&right);
        statements.push(';');
    }
    transaction.batch_execute(&statements).await.context(context)?;
    status_history::exchanged(transaction, with_facts).await?;
    // Facts that were not swapped belong to the live generation: the other one has none.
    transaction.execute("UPDATE shadow.generation SET with_facts = $1", &[&with_facts]).await.context(context)?;
    transaction.execute("SELECT pg_notify($1, 'many')", &[&CHANGED]).await.context(context)?;
    Ok(())
}

fn tables(with_facts: bool) -> impl Iterator<Item = &'static str> {
    TABLES.into_iter().chain(with_facts.then_some(FACTS))
}
