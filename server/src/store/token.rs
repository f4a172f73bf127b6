//! Enrolment tokens: each enrols one terminal, once. Only the SHA-256 of a token's secret is stored.

use chrono::{DateTime, Utc};
use yomitori_proto::id::{FacilityId, TerminalId};

use super::{QueryContext as _, Store, StoreError};

/// The result of using a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenUse {
    /// The first use: the terminal is new.
    First { facility: FacilityId },
    /// The same terminal repeats the request while the token is valid, because the first answer was lost.
    Again { facility: FacilityId, terminal: TerminalId },
}

/// Why a token is rejected. The client does not learn which of the three applies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenRejection {
    Unknown,
    Expired,
    Used,
}

/// Stores a new token.
pub async fn issue(
    store: &Store,
    hash: &[u8],
    facility: FacilityId,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let insert =
        "INSERT INTO registry.enrolment_token (hash, facility_id, issued_at, expires_at) VALUES ($1, $2, $3, $4)";
    let client = store.client().await?;
    client.execute(insert, &[&hash, &facility.0, &now, &expires_at]).await.context("keep a token")?;
    Ok(())
}

/// Uses a token for the terminal with the identifier `terminal` and the public key hash `key_hash`.
pub async fn redeem(
    store: &Store,
    hash: &[u8],
    key_hash: &[u8],
    terminal: TerminalId,
    now: DateTime<Utc>,
) -> Result<Result<TokenUse, TokenRejection>, StoreError> {
    let client = store.client().await?;
    let update = "UPDATE registry.enrolment_token SET used_at = $4, terminal_id = $3, key_hash = $2 \
                  WHERE hash = $1 AND used_at IS NULL AND expires_at > $4 RETURNING facility_id";
    let first = client.query_opt(update, &[&hash, &key_hash, &terminal.0, &now]).await.context("use a token")?;
    if let Some(row) = first {
        return Ok(Ok(TokenUse::First { facility: FacilityId(row.get(0)) }));
    }
    let query = "SELECT facility_id, terminal_id, used_at IS NOT NULL, coalesce(key_hash = $2, false), expires_at > $3 \
                 FROM registry.enrolment_token WHERE hash = $1";
    let Some(row) = client.query_opt(query, &[&hash, &key_hash, &now]).await.context("look up a token")? else {
        return Ok(Err(TokenRejection::Unknown));
    };
    let (used, same_key, valid): (bool, bool, bool) = (row.get(2), row.get(3), row.get(4));
    Ok(match row.get::<_, Option<uuid::Uuid>>(1) {
        Some(terminal) if same_key && valid => {
            Ok(TokenUse::Again { facility: FacilityId(row.get(0)), terminal: TerminalId(terminal) })
        }
        Some(_) | None if used => Err(TokenRejection::Used),
        Some(_) | None => Err(TokenRejection::Expired),
    })
}
