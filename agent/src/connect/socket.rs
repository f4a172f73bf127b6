//! Socket options for bad lines: small messages are sent at once, a dead peer is noticed, and lost data is sent again
//! at even intervals instead of ever longer ones.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Routers drop connections that are silent for longer.
const PROBE_AFTER: Duration = Duration::from_secs(30);
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// A peer that confirms nothing for this long is taken for dead.
#[cfg(target_os = "linux")]
const DEAD_AFTER: Duration = Duration::from_secs(90);
/// The congestion control is driven by losses, not by an estimate of the line.
#[cfg(target_os = "linux")]
const STEADY: &[u8] = b"cubic";
/// The size of the system's buffers, for each connection and direction.
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
        // Some systems default to BBR, which takes a line that loses every fifth packet for a throttled one and then
        // waits for many seconds between a few bytes. If cubic is not available, the system's default remains.
        socket.set_tcp_congestion(STEADY).ok();
    }
    Ok(())
}
