//! The ministry's list: what a file of it says, whose rows are whose, and what follows for every facility it covers; and the
//! masters by which facilities are registered.
//!
//! ```text
//! table (CSV, XLSX) → format → entry → reconcile with the directory → findings, suggestions
//! ```
//!
//! Everything here is a pure function of a table and of the facilities that are watched. A row belongs to a facility by its
//! institution code and by nothing else; names and addresses only suggest. What is not known of the ministry's files (their
//! columns, above all) is data: `data/`, or a mapping file of one's own.

pub mod cadence;
pub mod diff;
pub mod directory;
pub mod entry;
pub mod format;
pub mod master;
pub mod normal;
pub mod reconcile;
pub mod snapshot;
pub mod suggest;
pub mod table;

pub use yomitori_proto::coverage::{Coverage, CoverageError};
