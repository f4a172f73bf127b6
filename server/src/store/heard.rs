//! When each connected terminal was last heard, and up to where it had kept observations then.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use yomitori_proto::id::{Life, Seq, TerminalId};

use super::{QueryContext as _, Store, StoreError};

/// A keep-alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    pub terminal: TerminalId,
    pub life: Life,
    /// The highest number that the terminal had kept.
    pub last_kept: Seq,
    /// By the terminal's clock.
    pub at: DateTime<Utc>,
}

/// Writes keep-alives, one a terminal.
pub async fn write(store: &Store, heard: &[Heard]) -> Result<(), StoreError> {
    let terminals: Vec<Uuid> = heard.iter().map(|heard| heard.terminal.0).collect();
    let lives: Vec<Uuid> = heard.iter().map(|heard| heard.life.0).collect();
    let kept: Vec<i64> = heard.iter().map(|heard| heard.last_kept.0.cast_signed()).collect();
    let at: Vec<DateTime<Utc>> = heard.iter().map(|heard| heard.at).collect();
    let upsert = "INSERT INTO registry.heard (terminal_id, life, last_kept, kept_until, heard_at) \
                  SELECT *, now() FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::timestamptz[]) \
                  ON CONFLICT (terminal_id) DO UPDATE SET life = EXCLUDED.life, last_kept = EXCLUDED.last_kept, \
                  kept_until = EXCLUDED.kept_until, heard_at = EXCLUDED.heard_at";
    let client = store.client().await?;
    client.execute(upsert, &[&terminals, &lives, &kept, &at]).await.context("write what terminals say while idle")?;
    Ok(())
}
