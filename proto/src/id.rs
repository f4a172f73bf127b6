//! Identifiers, each with its own type, so that they can't be confused.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

macro_rules! identifier {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl $name {
            /// The 16 bytes of this identifier on the wire.
            #[must_use]
            pub fn to_bytes(self) -> Vec<u8> {
                self.0.as_bytes().to_vec()
            }
        }
    )*};
}

identifier! {
    /// A clinic, pharmacy or hospital. The identifier is our own, because institution codes change.
    FacilityId;
    /// An eligibility terminal (資格確認端末); assigned at enrolment.
    TerminalId;
    /// The life of one spool; the sequence numbers of one life have no gaps.
    Life;
    /// One boot of a terminal's operating system.
    Boot;
    /// One uplink stream.
    Session;
    /// One process of the server.
    Instance;
    /// One imported version of the ministry's list.
    SnapshotId;
    /// One statement of a person. A statement that is sent twice has the same identifier, and it can be withdrawn by
    /// it.
    StatementId;
}

impl FacilityId {
    /// Facts about the whole fleet (rules, closures) are recorded under this one.
    pub const FLEET: Self = Self(Uuid::nil());

    /// The identifier of the facility that was first registered under `code`. It is computed from the code, so that two
    /// imports of one file can't register a facility twice.
    #[must_use]
    pub fn of_code(code: &str) -> Self {
        const NAMESPACE: Uuid = Uuid::from_u128(0x8f1c_2a54_6d0b_4b7e_9a53_1f0e_7d24_c6b9);
        Self(Uuid::new_v5(&NAMESPACE, code.as_bytes()))
    }
}

/// A sequence number in a terminal's life. The first observation has 1; 0 means "none yet".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first observation of a life.
    pub const NONE: Self = Self(0);

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A reader of one terminal: a salted hash of the reader's name without the serial number, so that it means nothing
/// elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReaderKey(pub u64);

impl fmt::Display for ReaderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The text is not a reader's key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid reader key (write 16 hexadecimal digits, such as 00000000000000c1)")]
pub struct ReaderKeyError;

impl FromStr for ReaderKey {
    type Err = ReaderKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let whole = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        whole.then(|| u64::from_str_radix(text, 16).ok()).flatten().map(Self).ok_or(ReaderKeyError)
    }
}

impl Serialize for ReaderKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ReaderKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
