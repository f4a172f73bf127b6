//! What the agent and the server do alike at the edge to their machine: replace a file durably, write an error with its
//! causes, notice that they are to stop, and, in tests only, die at a named point.

pub mod crash;
pub mod error;
pub mod file;
pub mod stop;
