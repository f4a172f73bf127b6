//! Copies bytes between two connections in both directions, with small buffers, until either side ends or is silent for
//! too long.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};

/// The buffer for each direction; with the system's own buffers this is the whole memory of a connection.
const BUFFER: usize = 8 * 1024;
/// How long one side may still send after the other has ended.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Copies in both directions until either side ends, or has sent or accepted nothing for the time `for_long`. Returns
/// the number of bytes.
pub(super) async fn splice<A, B>(a: A, b: B, for_long: Duration) -> u64
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let ((mut a_reads, mut a_writes), (mut b_reads, mut b_writes)) = (split(a), split(b));
    let (mut there, mut back) = (0, 0);
    {
        let there = pump(&mut a_reads, &mut b_writes, &mut there, for_long);
        let back = pump(&mut b_reads, &mut a_writes, &mut back, for_long);
        tokio::pin!(there, back);
        // An error ends both directions at once; the other side notices that its connection ends.
        tokio::select! {
            ended = &mut there => if ended.is_ok() { let _ = tokio::time::timeout(LAST_WORDS, back).await; },
            ended = &mut back => if ended.is_ok() { let _ = tokio::time::timeout(LAST_WORDS, there).await; },
        }
    }
    there + back
}

async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    sum: &mut u64,
    for_long: Duration,
) -> io::Result<()> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    let mut buffer = [0; BUFFER];
    loop {
        let count = tokio::time::timeout(for_long, from.read(&mut buffer)).await.map_err(late)??;
        let Some(read @ [_, ..]) = buffer.get(..count) else { return to.shutdown().await };
        tokio::time::timeout(for_long, to.write_all(read)).await.map_err(late)??;
        *sum += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(300);
    /// For a test that must not end by silence, even on a busy machine.
    const NEVER: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn every_byte_and_the_end_arrive_in_order_in_both_directions() {
        let ((mut left, a), (b, mut right)) = (duplex(100), duplex(7));
        let carried = tokio::spawn(splice(a, b, NEVER));
        let said: Vec<u8> = (0..100_000_u32).map(|number| (number % 251) as u8).collect();
        let telling = said.clone();
        let teller = tokio::spawn(async move {
            left.write_all(&telling).await.unwrap();
            left.shutdown().await.unwrap();
            let mut answer = Vec::new();
            left.read_to_end(&mut answer).await.unwrap();
            answer
        });
        let mut heard = Vec::new();
        right.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, said);
        right.write_all(b"heard").await.unwrap();
        drop(right);
        assert_eq!(teller.await.unwrap(), b"heard");
        assert_eq!(carried.await.unwrap(), 100_005);
    }

    #[tokio::test]
    async fn a_silent_connection_ends() {
        let ((_left, a), (b, _right)) = (duplex(100), duplex(100));
        let began = tokio::time::Instant::now();
        assert_eq!(splice(a, b, LIMIT).await, 0);
        assert!(began.elapsed() >= LIMIT);
    }

    #[tokio::test]
    async fn a_side_that_never_reads_does_not_keep_the_connection_open() {
        let ((mut left, a), (b, _right)) = (duplex(1 << 20), duplex(10));
        left.write_all(&[1; 100_000]).await.unwrap();
        assert!(splice(a, b, LIMIT).await < 100_000);
    }
}
