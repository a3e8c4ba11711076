//! Cuts clients that read nothing.
//!
//! A server that is blocked in a write polls neither the response nor the connection's other
//! requests, so only the connection itself can end it. This holds for all routes: an event stream is
//! never read to its end, and a client can send many requests for the page without reading an answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// The time after which a write that has made no progress fails. A client that takes any bytes
/// within this time only reads slowly.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection whose writes fail when the client reads nothing.
pub(crate) struct Watched<T> {
    inner: T,
    /// Set while a write waits.
    patience: Option<Pin<Box<Sleep>>>,
    stuck: Stuck,
}

/// True once the client of a connection was cut because it read nothing. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Stuck(Arc<AtomicBool>);

impl Stuck {
    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<T> Watched<T> {
    pub(crate) fn new(inner: T, stuck: Stuck) -> Self {
        Self {
            inner,
            patience: None,
            stuck,
        }
    }

    /// Passes on the result of a write. If the write has waited for too long, it fails.
    fn watch<O>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<O>>,
    ) -> Poll<io::Result<O>> {
        if written.is_ready() {
            self.patience = None;
            return written;
        }
        let patience = self
            .patience
            .get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        ready!(patience.as_mut().poll(cx));
        self.stuck.0.store(true, Ordering::Relaxed);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_is_not_cut_and_who_reads_nothing_is() {
        const SENT: usize = 300_000;
        let (server, mut client) = duplex(1000);
        let stuck = Stuck::default();
        let mut server = Watched::new(server, stuck.clone());
        let writes = async {
            server.write_all(&vec![b'a'; SENT]).await.expect("it reads");
            assert!(!stuck.get());
            // More than there is room for.
            server.write_all(&[b'a'; 2000]).await
        };
        let reads = async {
            let mut read = 0;
            while read < SENT {
                sleep(PATIENCE / 2).await;
                read += client.read(&mut [0; 1000]).await.expect("it is open");
            }
        };
        let (written, ()) = tokio::join!(writes, reads);
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(stuck.get());
    }
}
