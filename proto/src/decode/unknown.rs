//! Decodes a kind that this version does not know: which one it is, and its bytes.

use prost::bytes::Buf as _;
use prost::encoding::{WireType, decode_key, decode_varint};

use super::DecodeError;
use crate::event::{KindContent, UnknownKind};

const FIELD: &str = "event";

/// The only field of `event`, which is a message and of no known kind. Anything else is not an event of any version.
pub(super) fn kind(event: &[u8]) -> Result<UnknownKind, DecodeError> {
    let mut rest = event;
    if rest.is_empty() || rest.len() > UnknownKind::LONGEST {
        return Err(DecodeError::UnknownKind { field: FIELD });
    }
    let (number, kind) = decode_key(&mut rest).map_err(DecodeError::Malformed)?;
    if kind != WireType::LengthDelimited {
        return Err(DecodeError::UnknownKind { field: FIELD });
    }
    let length = decode_varint(&mut rest).map_err(DecodeError::Malformed)?;
    if usize::try_from(length) != Ok(rest.remaining()) {
        return Err(DecodeError::UnknownKind { field: FIELD });
    }
    let unknown = UnknownKind { number, content: KindContent(rest.to_vec()) };
    if unknown.is_from_terminal() { Ok(unknown) } else { Err(DecodeError::NotFromTerminal { kind: "unknown_kind" }) }
}
