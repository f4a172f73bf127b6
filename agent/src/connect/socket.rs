//! How every TCP connection of ours behaves on a bad line: small messages leave at once, a dead peer is noticed, and what
//! was lost is sent again in even steps instead of ever longer ones.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Routers between two networks forget what is silent for longer.
const PROBE_AFTER: Duration = Duration::from_secs(30);
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// What a peer has not confirmed for so long, it never will.
#[cfg(target_os = "linux")]
const DEAD_AFTER: Duration = Duration::from_secs(90);
/// How much may be on its way is told by what is lost, not by an estimate of the line.
#[cfg(target_os = "linux")]
const STEADY: &[u8] = b"cubic";
/// What the system may hold back for one connection and direction.
const BUFFER: usize = 64 * 1024;

pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY))?;
    socket.set_send_buffer_size(BUFFER)?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(DEAD_AFTER))?;
        socket.set_tcp_thin_linear_timeouts(true)?;
        // Some systems prefer BBR, which takes a line that loses every fifth packet for one that is throttled, and then
        // waits for many seconds between a few bytes. Where there is no other way, the system's own will do.
        socket.set_tcp_congestion(STEADY).ok();
    }
    Ok(())
}
