//! Clients that violate the protocol: certificates of every kind, bytes of every kind, and a server that must withstand
//! them.

pub mod chance;
pub mod credential;
pub mod siege;
pub mod stranger;
