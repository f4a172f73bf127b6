//! The only doors into the log: terminals (`uplink`), technicians (`enrol`), people (`operator`).
//!
//! Nothing here reads the projection to decide what is true; a statement is accepted as a fact, and contradictions are
//! shown by the fold. What is acknowledged has been confirmed by the log.

pub mod enrol;
pub mod limits;
pub mod operator;
pub mod presence;
pub mod snapshot;
pub mod tls;
pub mod uplink;

/// The gRPC services, generated from the contracts.
pub(crate) mod service {
    #![expect(clippy::allow_attributes, clippy::allow_attributes_without_reason, reason = "generated code")]
    #![allow(unreachable_pub, unused_qualifications, clippy::use_self)]
    tonic::include_proto!("yomitori.v1");
}
