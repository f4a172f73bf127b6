//! Both halves of the uplink as state machines without input, output or clock: [`Sender`] on the terminal and
//! [`Receiver`] on the server. Each lives as long as one stream; what outlives a stream is in the spool and in the log.
//!
//! - The spool releases only what the server has acknowledged, and the server acknowledges only what is in the log.
//! - Acknowledgements are cumulative. A sequence number may never arrive, because a full spool sheds observations, so
//!   every batch names the number `after` which it was sent. Only this distinguishes a lost batch from numbers that
//!   were shed.
//! - Sending twice is harmless: the receiver removes duplicates within a stream, the projector's high-water mark across
//!   streams.

mod message;
mod receiver;
mod sender;

pub use message::{Answer, Hello, Settings, Welcome};
pub use receiver::{Effect, Peer, Receiver, ReceiverSettings, Refusal};
pub use sender::{Sender, SenderSettings, Transmit, Violation};
