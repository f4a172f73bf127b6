//! Enrolment tokens: each enrols one terminal, once. Only the SHA-256 of a token's secret is stored.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use tokio_postgres::Row;
use uuid::Uuid;
use yomitori_proto::event::Stated;
use yomitori_proto::id::{FacilityId, TerminalId};

use super::{QueryContext as _, Store, StoreError};

/// The result of using a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TokenUse {
    /// The first use: the terminal is new.
    First { facility: FacilityId, issued_by: Option<String> },
    /// The same terminal repeats the request while the token is valid, because the first answer was lost.
    Again { facility: FacilityId, terminal: TerminalId, issued_by: Option<String> },
}

/// Why a token is rejected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenRejection {
    Unknown,
    Expired,
    Used,
    Revoked,
}

/// Whether a token can still enrol a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenState {
    Usable,
    Used,
    Expired,
    Revoked,
}

impl TokenState {
    /// The word for it in lists and JSON.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Used => "used",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Serialize for TokenState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

/// A token as lists show it: without its secret, which is not stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ListedToken {
    pub token: Uuid,
    pub state: TokenState,
    pub facility: FacilityId,
    /// The facility's current code and name.
    pub code: Option<String>,
    pub name: Option<String>,
    pub issued_at: DateTime<Utc>,
    /// `None` if a version before this column issued it.
    pub issued_by: Option<String>,
    pub reason: Option<String>,
    pub expires_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
    /// The terminal that it enrolled.
    pub terminal: Option<TerminalId>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub revoked_by: Option<String>,
    pub revoked_because: Option<String>,
}

/// Stores a new token that `stated` issues, and returns its name in lists.
pub async fn issue(
    store: &Store,
    hash: &[u8],
    facility: FacilityId,
    stated: &Stated,
    expires_at: DateTime<Utc>,
) -> Result<Uuid, StoreError> {
    let insert = "INSERT INTO registry.enrolment_token (hash, facility_id, issued_at, issued_by, reason, expires_at) \
                  VALUES ($1, $2, $3, $4, $5, $6) RETURNING token_id";
    let client = store.client().await?;
    let Stated { by, why, stated_at, .. } = stated;
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] = [&hash, &facility.0, stated_at, by, why, &expires_at];
    Ok(client.query_one(insert, &values).await.context("store a token")?.get(0))
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
                  WHERE hash = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $4 \
                  RETURNING facility_id, issued_by";
    let first = client.query_opt(update, &[&hash, &key_hash, &terminal.0, &now]).await.context("use a token")?;
    if let Some(row) = first {
        return Ok(Ok(TokenUse::First { facility: FacilityId(row.get(0)), issued_by: row.get(1) }));
    }
    let query = "SELECT facility_id, terminal_id, used_at IS NOT NULL, coalesce(key_hash = $2, false), expires_at > $3, \
                 issued_by, revoked_at IS NOT NULL FROM registry.enrolment_token WHERE hash = $1";
    let Some(row) = client.query_opt(query, &[&hash, &key_hash, &now]).await.context("look up a token")? else {
        return Ok(Err(TokenRejection::Unknown));
    };
    let (used, same_key, valid, revoked): (bool, bool, bool, bool) = (row.get(2), row.get(3), row.get(4), row.get(6));
    Ok(match row.get::<_, Option<Uuid>>(1) {
        Some(_) | None if revoked => Err(TokenRejection::Revoked),
        Some(terminal) if same_key && valid => Ok(TokenUse::Again {
            facility: FacilityId(row.get(0)),
            terminal: TerminalId(terminal),
            issued_by: row.get(5),
        }),
        Some(_) | None if used => Err(TokenRejection::Used),
        Some(_) | None => Err(TokenRejection::Expired),
    })
}

/// Revokes a token if it could still enrol a terminal. Returns whether it could, and the token, if there is one of this name.
pub async fn revoke(store: &Store, token: Uuid, stated: &Stated) -> Result<(bool, Option<ListedToken>), StoreError> {
    let update = "UPDATE registry.enrolment_token SET revoked_at = $2, revoked_by = $3, revoked_because = $4 \
                  WHERE token_id = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $2";
    let Stated { by, why, stated_at, .. } = stated;
    let revoked =
        store.client().await?.execute(update, &[&token, stated_at, by, why]).await.context("revoke a token")?;
    Ok((revoked > 0, listed(store, None, Some(token), false, *stated_at).await?.pop()))
}

/// The tokens of one facility, or of all, newest first; with `usable` only those that can still enrol a terminal.
pub async fn all(
    store: &Store,
    facility: Option<FacilityId>,
    usable: bool,
    now: DateTime<Utc>,
) -> Result<Vec<ListedToken>, StoreError> {
    listed(store, facility, None, usable, now).await
}

async fn listed(
    store: &Store,
    facility: Option<FacilityId>,
    token: Option<Uuid>,
    usable: bool,
    now: DateTime<Utc>,
) -> Result<Vec<ListedToken>, StoreError> {
    let query = "SELECT t.token_id, t.facility_id, f.code, f.name, t.issued_at, t.issued_by, t.reason, t.expires_at, t.used_at, \
                 t.terminal_id, t.revoked_at, t.revoked_by, t.revoked_because \
                 FROM registry.enrolment_token t LEFT JOIN projection.facility f ON f.facility_id = t.facility_id \
                 WHERE ($1::uuid IS NULL OR t.facility_id = $1) AND ($2::uuid IS NULL OR t.token_id = $2) \
                 AND (NOT $3 OR t.used_at IS NULL AND t.revoked_at IS NULL AND t.expires_at > $4) \
                 ORDER BY t.issued_at DESC, t.token_id";
    let facility = facility.map(|facility| facility.0);
    let rows =
        store.client().await?.query(query, &[&facility, &token, &usable, &now]).await.context("read the tokens")?;
    let token = |row: &Row| {
        let expires_at: DateTime<Utc> = row.get(7);
        let (used_at, revoked_at): (Option<DateTime<Utc>>, Option<DateTime<Utc>>) = (row.get(8), row.get(10));
        let state = match (used_at, revoked_at) {
            (Some(_), _) => TokenState::Used,
            (None, Some(_)) => TokenState::Revoked,
            (None, None) if expires_at <= now => TokenState::Expired,
            (None, None) => TokenState::Usable,
        };
        ListedToken {
            token: row.get(0),
            state,
            facility: FacilityId(row.get(1)),
            code: row.get(2),
            name: row.get(3),
            issued_at: row.get(4),
            issued_by: row.get(5),
            reason: row.get(6),
            expires_at,
            used_at,
            terminal: row.get::<_, Option<Uuid>>(9).map(TerminalId),
            revoked_at,
            revoked_by: row.get(11),
            revoked_because: row.get(12),
        }
    };
    Ok(rows.iter().map(token).collect())
}
