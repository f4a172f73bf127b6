//! What no client of ours would do: certificates of every kind, bytes of every kind, and a server that has to bear it.

pub mod chance;
pub mod credential;
pub mod siege;
pub mod stranger;
