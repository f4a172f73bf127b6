//! The names of programs that the agent looks for.

/// How a program of the official software is identified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProgramName {
    Process(String),
    /// On Linux a systemd unit, without `.service`.
    Service(String),
    /// A scheduled task; on Linux a systemd timer, without `.timer`.
    Task(String),
}
