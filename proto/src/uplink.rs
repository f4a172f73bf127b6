//! Both halves of the uplink as machines without input, output or clock: [`Sender`] on the terminal, [`Receiver`] on the
//! server. One of each lives as long as one stream; what outlives a stream is in the spool and in the log.
//!
//! - Nothing is released that the server hasn't acknowledged, and the server acknowledges only what is in the log.
//! - Acknowledgements are cumulative. A sequence number may be missing for ever (the spool sheds when it is full), so
//!   every batch says `after` which number it was sent; that alone tells a lost batch from numbers that never were.
//! - What is sent twice is harmless: the receiver trims it within a stream, the projector's high-water mark across them.

mod message;
mod receiver;
mod sender;

pub use message::{Answer, Hello, Settings, Welcome};
pub use receiver::{Effect, Peer, Receiver, ReceiverSettings, Refusal};
pub use sender::{Sender, SenderSettings, Transmit, Violation};
