//! A generator with a known truth: desks with a seeded life, the observations of their agents, and the real events.
//!
//! It shares nothing with the fold. The behaviour of phones, cards and patients is in [`Assumptions`], and a day
//! ([`day`], [`visit`]) follows them. Observations pass a line ([`transport`]) and become facts in order of arrival;
//! real events become a [`Ledger`]. Only [`judge`] uses the fold, and compares it with the ledger.

pub mod assumptions;
pub mod calendar;
pub mod cli;
pub mod day;
pub mod draw;
pub mod history;
pub mod judge;
pub mod ledger;
pub mod site;
#[cfg(test)]
mod tests;
pub mod transport;
mod visit;

pub use assumptions::Assumptions;
pub use day::{Day, Living, Mark, Seen};
pub use history::{History, Stretch};
pub use ledger::{Failure, Ledger, Read};
pub use site::{Kind, Site, Station};
