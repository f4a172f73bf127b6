//! The shared test harness: a world of real parts.
//!
//! No crate depends on this one, and no available part is replaced by a mock: Kafka, PostgreSQL, pcscd, the browser and
//! the two programs are those that a clinic or its group would run.

pub mod bench;
pub mod chaos;
pub mod crash;
pub mod hostile;
pub mod oracle;
pub mod storm;
pub mod world;
