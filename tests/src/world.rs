//! The world a test runs in: the real parts, each with its own log, ended with the test.

pub mod browser;
pub mod kafka;
pub mod pcscd;
pub mod port;
pub mod postgres;
pub mod process;
pub mod services;
pub mod wait;
