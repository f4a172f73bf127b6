//! The names of programs that the agent looks for.

/// How a program of the official software is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProgramName {
    Process(String),
    /// On Linux a unit of systemd, without `.service`.
    Service(String),
    /// A scheduled task; on Linux a timer of systemd, without `.timer`.
    Task(String),
}
