//! The log: the single order of all facts. It is Kafka; nothing else here keeps history.

pub mod identity;
pub mod installation;
pub mod kafka;
pub mod topic;

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

/// The position of a record in the log; people write it as `PARTITION:OFFSET`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    pub partition: i32,
    pub offset: i64,
}

impl Display for Position {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.partition, self.offset)
    }
}

/// The text is not a position in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid position in the log: write PARTITION:OFFSET, such as 2:17")]
pub struct NoPosition;

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let (partition, offset) = text.split_once(':').ok_or(NoPosition)?;
        let (partition, offset) = (partition.parse().map_err(|_| NoPosition)?, offset.parse().map_err(|_| NoPosition)?);
        if partition < 0 || offset < 0 { Err(NoPosition) } else { Ok(Self { partition, offset }) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_place_comes_back_from_what_is_written(partition in 0..=i32::MAX, offset in 0..=i64::MAX) {
            let there = Position { partition, offset };
            prop_assert_eq!(there.to_string().parse(), Ok(there));
        }

        #[test]
        fn no_text_is_more_than_no_place(text in "\\PC{0,30}") {
            text.parse::<Position>().ok();
        }
    }
}
