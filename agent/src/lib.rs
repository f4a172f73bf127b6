//! The daemon on a clinic's eligibility terminal, as a library: the binary is one user of it, the simulated fleet and the
//! tests are others.
//!
//! Facts flow one way: a source sees something, the recorder brings it into the spool, the uplink carries it. Sources know
//! neither spool nor uplink; the uplink knows no source.

pub mod address;
pub mod cli;
pub mod clock;
pub mod condition;
pub mod config;
pub mod connect;
pub mod crash;
pub mod daemon;
pub mod identity;
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

/// The version that this agent tells of itself.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
