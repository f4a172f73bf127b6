//! A proxy that records every byte, like an attacker who has taken over the relay.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// The bytes of each direction of each connection, in order of arrival.
type Recorded = Arc<Mutex<Vec<Vec<u8>>>>;

/// See the head of this file. It closes when it is dropped.
#[derive(Debug)]
pub struct Wire {
    /// The port to connect to, on 127.0.0.1.
    pub port: u16,
    recorded: Recorded,
    _passage: AbortOnDropHandle<()>,
}

impl Wire {
    /// A proxy to `port` on 127.0.0.1.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listen")?;
        let entry = listener.local_addr().context("the local address")?.port();
        let recorded = Recorded::default();
        let passage = tokio::spawn(pass(listener, port, Arc::clone(&recorded)));
        Ok(Self { port: entry, recorded, _passage: AbortOnDropHandle::new(passage) })
    }

    /// The bytes so far.
    #[must_use]
    pub fn recorded(&self) -> Vec<Vec<u8>> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn pass(listener: TcpListener, port: u16, recorded: Recorded) {
    while let Ok((here, _)) = listener.accept().await {
        let Ok(there) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
        let ((here_reads, here_writes), (there_reads, there_writes)) = (here.into_split(), there.into_split());
        tokio::spawn(copy(here_reads, there_writes, Arc::clone(&recorded)));
        tokio::spawn(copy(there_reads, here_writes, Arc::clone(&recorded)));
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, recorded: Recorded) {
    let direction = {
        let mut all = recorded.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Vec::new());
        all.len() - 1
    };
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        recorded.lock().unwrap_or_else(PoisonError::into_inner)[direction].extend(&buffer[..count]);
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    // The other side may have closed already.
    to.shutdown().await.ok();
}
