//! The daemon on a clinic's eligibility terminal, as a library: the program, the simulated fleet and the tests use it.
//!
//! Facts flow one way: a source sees something and sends it into the outlet, the recorder writes it into the spool, and
//! the uplink sends it to the server. Sources know neither the spool nor the uplink; the uplink knows no source.

pub mod address;
pub mod cli;
pub mod clock;
pub mod clock_offset;
pub mod condition;
pub mod config;
pub mod connect;
pub mod crash;
pub mod daemon;
pub mod identity;
pub mod last_watched;
pub mod limit;
pub mod outlet;
pub mod recorder;
pub mod relay;
pub mod sent;
pub mod service;
pub mod sources;
pub mod spool;
pub mod system;
pub mod telemetry;
pub mod uplink;

/// The client half of the services, generated from the contract.
#[expect(clippy::allow_attributes_without_reason, reason = "generated code")]
pub mod rpc {
    #![allow(unreachable_pub, unused_qualifications, clippy::disallowed_methods, clippy::use_self)]
    tonic::include_proto!("yomitori.v1");
}

/// The version that this agent reports.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
