//! The only ways into the log: terminals (`uplink`), technicians (`enrol`), people (`operator`).
//!
//! A statement is accepted as a fact; the projection does not decide whether it is true, and the fold shows
//! contradictions. Everything that is acknowledged has been confirmed by the log.

pub mod admission;
pub mod decision;
pub mod enrol;
mod former;
pub mod limits;
pub mod operator;
pub mod pace;
pub mod presence;
pub mod registry;
pub mod snapshot;
pub mod tls;
pub mod unconfirmed;
pub mod uplink;

/// The gRPC services, generated from the contracts.
pub(crate) mod service {
    #![expect(clippy::allow_attributes, clippy::allow_attributes_without_reason, reason = "generated code")]
    #![allow(unreachable_pub, unused_qualifications, clippy::use_self)]
    tonic::include_proto!("yomitori.v1");
}
