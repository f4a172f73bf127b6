//! The log: the one order of all facts. It is Kafka; nothing else here keeps history.

pub mod kafka;

/// Where a record stands in the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    pub partition: i32,
    pub offset: i64,
}
