//! The JSON of what is stored: facts, states and statuses.
//!
//! Serde's code is generic, and is compiled again in each crate that uses it. For these types that is a fifth of the
//! server's build and most of a test's. So it is compiled here, once.

use yomitori_proto::event::{Event, Origin, Recorded};

use crate::facility::Facility;
use crate::status::Status;

/// A type that is stored as JSON.
pub trait StoredJson: Sized {
    /// Parses the stored text.
    ///
    /// # Errors
    /// If it is not JSON, or of another form.
    fn from_json(text: &str) -> serde_json::Result<Self>;

    /// The text to store.
    ///
    /// # Errors
    /// If a map has a key that is not a text; no stored type has one.
    fn to_json(&self) -> serde_json::Result<String>;
}

macro_rules! stored {
    ($($stored:ty),+) => {$(
        impl StoredJson for $stored {
            #[inline(never)]
            fn from_json(text: &str) -> serde_json::Result<Self> {
                serde_json::from_str(text)
            }

            #[inline(never)]
            fn to_json(&self) -> serde_json::Result<String> {
                serde_json::to_string(self)
            }
        }
    )+};
}

stored!(Event, Facility, Origin, Recorded, Status);
