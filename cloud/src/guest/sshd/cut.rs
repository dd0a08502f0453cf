//! A stream that can be ended from elsewhere, whatever its reader and writer wait for.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The stream; at its end, and broken, once its token is cancelled.
#[derive(Debug)]
pub(super) struct Cut<S> {
    stream: S,
    ends: Pin<Box<WaitForCancellationFutureOwned>>,
    ended: bool,
    /// Its token, where what is read ends with what is written.
    joined: Option<CancellationToken>,
}

impl<S> Cut<S> {
    pub(super) fn new(stream: S, token: CancellationToken) -> Self {
        Self { stream, ends: Box::pin(token.cancelled_owned()), ended: false, joined: None }
    }

    /// A stream whose other side is not told of the last byte until nobody holds it any more: that ends it whole.
    pub(super) fn joined(stream: S, token: CancellationToken) -> Self {
        Self { joined: Some(token.clone()), ..Self::new(stream, token) }
    }

    fn has_ended(&mut self, context: &mut Context<'_>) -> bool {
        self.ended = self.ended || self.ends.as_mut().poll(context).is_ready();
        self.ended
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Cut<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.has_ended(context) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Cut<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.has_ended(context) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(token) = &self.joined {
            token.cancel();
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
