//! What the agent and the server do in the same way: read a configuration file, replace a file durably, format an error
//! with its causes, wait for the request to stop, and name the points at which tests crash them.

pub mod crash;
pub mod document;
pub mod error;
pub mod file;
pub mod stop;
