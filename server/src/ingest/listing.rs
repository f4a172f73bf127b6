//! The ministry's list: what a file of it says, whose rows are whose, and what follows for every facility it covers.
//!
//! Everything under here but `door` and `measured` is a pure function of a table and of the facilities that are watched. A row belongs to
//! a facility by its institution code and by nothing else; names and addresses only suggest. What is not known of the ministry's
//! files (their columns, above all) is data: `data/list_formats`, or a mapping file of one's own.

pub mod cadence;
pub mod coverage;
pub mod diff;
pub mod directory;
pub mod entry;
pub mod format;
pub mod import;
pub mod measured;
pub mod normal;
pub mod reconcile;
pub mod snapshot;
pub mod suggest;
