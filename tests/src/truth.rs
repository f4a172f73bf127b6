//! A generator that knows the truth: desks that live a seeded life, what their agents see of it, and what really happened.
//!
//! It shares nothing with the fold: what a phone does, how long a card takes, who comes when stands in [`Assumptions`],
//! and a day ([`day`], [`visit`]) is lived by them. What was seen goes over a line ([`transport`]) and becomes facts in
//! order of arrival; what happened becomes a [`Ledger`]. Only [`judge`] knows the fold, and holds it against the ledger.

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
