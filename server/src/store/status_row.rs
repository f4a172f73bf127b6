//! The columns of a facility's row, in one table. The projector, both histories, the comparison of a rebuild, the
//! pages, the API and the CSV follow from it.
//!
//! A new axis needs a line of `words` here; `deploy/docs/develop.md` lists the other places.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql, Type};
use uuid::Uuid;
use yomitori_facility::StatusWords;
use yomitori_proto::id::FacilityId;

macro_rules! columns {
    (
        words { $($(#[$word_doc:meta])* $word:ident: $word_read:ty = $word_type:ident;)* }
        figures { $($(#[$figure_doc:meta])* $figure:ident: $figure_type:ty = $figure_sql:ident;)* }
        clocks { $($(#[$clock_doc:meta])* $clock:ident: $clock_type:ty = $clock_sql:ident;)* }
        internal { $($(#[$own_doc:meta])* $own:ident: $own_type:ty = $own_sql:ident;)* }
    ) => {
        /// A facility's row as the projector writes it.
        #[derive(Clone, Debug)]
        pub struct FacilityRow {
            pub facility_id: FacilityId,
            pub words: StatusWords,
            $($(#[$figure_doc])* pub $figure: $figure_type,)*
            $($(#[$clock_doc])* pub $clock: $clock_type,)*
            $($(#[$own_doc])* pub $own: $own_type,)*
            /// Not a column: these fill `projection.facility_code`.
            pub codes: Vec<String>,
        }

        impl FacilityRow {
            /// The values of [`columns`], in order.
            pub(super) fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
                let id: [&(dyn ToSql + Sync); 1] = [&self.facility_id.0];
                let rest: [&(dyn ToSql + Sync); FIGURES.len() + CLOCKS.len() + INTERNAL.len()] =
                    [$(&self.$figure,)* $(&self.$clock,)* $(&self.$own,)*];
                id.into_iter().chain(word_values(&self.words)).chain(rest).collect()
            }
        }

        /// The values of [`WORDS`], in order.
        pub(super) fn word_values(words: &StatusWords) -> [&(dyn ToSql + Sync); WORDS.len()] {
            [$(&words.$word,)*]
        }

        /// A facility as one row, with every axis as a word.
        #[derive(Clone, PartialEq, Debug, Serialize)]
        pub struct StatusRow {
            pub facility_id: FacilityId,
            $($(#[$word_doc])* pub $word: $word_read,)*
            $($(#[$figure_doc])* pub $figure: $figure_type,)*
            $($(#[$clock_doc])* pub $clock: $clock_type,)*
        }

        impl From<&Row> for StatusRow {
            fn from(row: &Row) -> Self {
                Self {
                    facility_id: FacilityId(row.get("facility_id")),
                    $($word: read(row, stringify!($word)),)*
                    $($figure: read(row, stringify!($figure)),)*
                    $($clock: read(row, stringify!($clock)),)*
                }
            }
        }

        /// The status of a facility at an instant, actual or as shown.
        #[derive(Clone, PartialEq, Debug, Serialize)]
        pub struct PastStatus {
            pub facility: FacilityId,
            /// When this status began, or began to be shown.
            pub from: DateTime<Utc>,
            $($(#[$word_doc])* pub $word: $word_read,)*
        }

        impl PastStatus {
            /// Reads a row of a history, whose instant is in the column `from`.
            pub(super) fn of(row: &Row, from: &str) -> Self {
                Self {
                    facility: FacilityId(row.get("facility_id")),
                    from: row.get(from),
                    $($word: read(row, stringify!($word)),)*
                }
            }
        }

        /// The axes as words, with code and name: the columns of both histories and of the filters.
        pub(super) const WORDS: &[&str] = &[$(stringify!($word)),*];
        const FIGURES: &[&str] = &[$(stringify!($figure)),*];
        const CLOCKS: &[&str] = &[$(stringify!($clock)),*];
        const INTERNAL: &[&str] = &[$(stringify!($own)),*];

        /// The types of [`columns`], in order.
        pub(super) fn types() -> Vec<Type> {
            vec![Type::UUID, $(Type::$word_type,)* $(Type::$figure_sql,)* $(Type::$clock_sql,)* $(Type::$own_sql,)*]
        }

        /// The types of [`WORDS`], in order.
        pub(super) fn word_types() -> Vec<Type> {
            vec![$(Type::$word_type),*]
        }
    };
}

columns! {
    words {
        code: Option<String> = TEXT;
        name: String = TEXT;
        /// Two digits.
        prefecture: String = TEXT;
        eligible: String = TEXT;
        evidence: String = TEXT;
        evidence_level: Option<String> = TEXT;
        equipment: String = TEXT;
        intent: String = TEXT;
        opt_out: String = TEXT;
        listing: String = TEXT;
        freshness: String = TEXT;
        /// The most urgent first.
        flags: Vec<String> = TEXT_ARRAY;
    }
    figures {
        first_success_at: Option<DateTime<Utc>> = TIMESTAMPTZ;
        last_success_at: Option<DateTime<Utc>> = TIMESTAMPTZ;
        readers_present: i32 = INT4;
    }
    clocks {
        last_seen_at: Option<DateTime<Utc>> = TIMESTAMPTZ;
        folded_at: DateTime<Utc> = TIMESTAMPTZ;
    }
    internal {
        partition: i32 = INT4;
        /// The text of the search: codes and name, normalised and in lower case.
        search: String = TEXT;
        /// As JSON.
        status: String = TEXT;
        /// As JSON.
        state: String = TEXT;
        due_at: Option<DateTime<Utc>> = TIMESTAMPTZ;
        /// The hash of the policy by which it was folded.
        policy_hash: i64 = INT8;
        address: Option<String> = TEXT;
        /// Current and former codes, as JSON.
        held_codes: String = TEXT;
    }
}

/// Every column of `facility_row`.
pub(super) fn columns() -> impl Iterator<Item = &'static str> {
    let rest = [WORDS, FIGURES, CLOCKS, INTERNAL].into_iter().flatten().copied();
    std::iter::once("facility_id").chain(rest)
}

/// The columns of a [`StatusRow`], as a list for a query.
pub(super) fn shown() -> String {
    let rest = [WORDS, FIGURES, CLOCKS].into_iter().flatten().copied();
    listed(std::iter::once("facility_id").chain(rest))
}

/// The columns in which two generations are compared, in the order in which a difference is reported.
pub(super) fn compared() -> impl Iterator<Item = &'static str> {
    [WORDS, FIGURES].into_iter().flatten().copied().chain(["address"])
}

/// The words as a list for a query, qualified with the table `of` if one is given.
pub(super) fn words(of: Option<&str>) -> String {
    match of {
        Some(of) => WORDS.iter().map(|word| format!("{of}.{word}")).collect::<Vec<_>>().join(", "),
        None => listed(WORDS.iter().copied()),
    }
}

/// Columns with commas between them.
pub(super) fn listed(columns: impl Iterator<Item = &'static str>) -> String {
    columns.collect::<Vec<_>>().join(", ")
}

fn read<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> T {
    row.get(column)
}

/// The identifiers of rows, for a query.
pub(super) fn ids(rows: &[FacilityRow]) -> Vec<Uuid> {
    rows.iter().map(|row| row.facility_id.0).collect()
}
