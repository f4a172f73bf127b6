//! Simulated clinics. They send to a real server through the agent's own library.
//!
//! What a simulated clinic lived through is the truth that the fold is measured by, so none of it comes from the fold; only
//! `truth::judge`, which compares the two, calls it.

pub mod clock;
pub mod demo;
pub mod fleet;
pub mod log;
pub mod truth;
