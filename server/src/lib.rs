//! Takes in what the agents saw (`ingest`), orders it in the log (`log`), folds it into PostgreSQL (`projector`, `store`)
//! and shows it (`web`). Facts flow one way, in this order.
//!
//! Edges that a test holds: `ingest` never imports `projector` or `web`; `store` imports neither `log::kafka` nor `web`;
//! `web` reads `store` and changes anything only through `ingest::operator`. What a person may state is said once, in
//! `statement`.

pub mod cli;
pub mod clock;
pub mod config;
pub mod identity;
pub mod ingest;
pub mod log;
pub mod projector;
pub mod roles;
pub mod statement;
pub mod store;
pub mod telemetry;
pub mod web;
