//! What a version keeps of an observation whose kind it does not know.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The bytes of a message of an unknown kind; in JSON a text of hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KindContent(pub Vec<u8>);

impl Serialize for KindContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for KindContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        hex::decode(&*text).map(Self).map_err(serde::de::Error::custom)
    }
}
