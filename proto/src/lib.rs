//! The contract between terminals, server and log: messages, vocabulary, and both halves of the uplink.
//!
//! Nothing here does input or output, reads a clock or draws a random number. The crate deliberately contains neither
//! the gRPC services (each program generates the half that it needs) nor any meaning of the events (that is the
//! facility's fold).

#![deny(clippy::wildcard_enum_match_arm)]

pub mod code;
pub mod coverage;
pub mod decode;
pub mod encode;
pub mod event;
pub mod id;
pub mod letter;
pub mod table;
pub mod time;
mod unknown;
pub mod uplink;
pub mod vocabulary;

/// The messages on the wire, generated from `yomitori/v1/*.proto`.
#[expect(clippy::allow_attributes_without_reason, reason = "generated code")]
pub mod wire {
    #![allow(unreachable_pub, clippy::disallowed_types, clippy::disallowed_methods)]
    include!(concat!(env!("OUT_DIR"), "/yomitori.v1.rs"));
}
