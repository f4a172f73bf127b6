//! What the tests share: the world they run in, made of the real parts.
//!
//! Nothing depends on this crate, and nothing in it stands in for a part that could be had: Kafka, PostgreSQL, pcscd, the
//! browser and the two programs are those that a clinic or its group would run.

pub mod bench;
pub mod clock;
pub mod demo;
pub mod fleet;
pub mod hostile;
pub mod oracle;
pub mod storm;
pub mod truth;
pub mod world;
