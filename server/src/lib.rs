//! Receives the observations of the agents (`ingest`), orders them in the log (`log`), folds them into PostgreSQL
//! (`projector`, `store`) and shows the result (`web`). Facts flow one way, in this order.
//!
//! Edges that a test enforces: `ingest` never imports `projector` or `web`; `store` imports neither `log::kafka` nor
//! `web`; `web` reads `store` and changes anything only through `ingest::operator`. `statement` defines once what a
//! person may state.

pub mod cli;
pub mod clock;
pub mod config;
pub mod files;
pub mod identity;
pub mod ingest;
pub mod log;
pub mod log_health;
pub mod projector;
pub mod roles;
pub mod statement;
pub mod store;
pub mod telemetry;
pub mod web;
pub mod when;
