//! The guest's socket: what comes in is a connection of calls, or of SSH if its first byte is a zero, which no call is.

use std::io;

use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::time::Duration;
use tokio_stream::wrappers::ReceiverStream;

use crate::guest::sshd::Sshd;

/// Says that a connection speaks SSH; it is taken away before that begins.
const SSH: u8 = 0;

/// Connections of calls that wait to be served.
const WAITING: usize = 16;

/// How long to wait after an accept that failed, of descriptors for one.
const AGAIN: Duration = Duration::from_millis(20);

/// Where the cloud comes in, and for SSH a bridge on its machine.
#[derive(Debug)]
pub(super) struct Door {
    listener: UnixListener,
    calls: mpsc::Sender<io::Result<UnixStream>>,
    sshd: Sshd,
}

impl Door {
    /// A door, and the connections of calls that come through it.
    pub(super) fn new(
        listener: UnixListener,
        sshd: Sshd,
    ) -> (Self, ReceiverStream<io::Result<UnixStream>>) {
        let (calls, incoming) = mpsc::channel(WAITING);
        (Self { listener, calls, sshd }, ReceiverStream::new(incoming))
    }

    /// Lets in whoever comes, without end.
    pub(super) async fn run(self) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            let (calls, sshd) = (self.calls.clone(), self.sshd.clone());
            tokio::spawn(async move {
                match first_byte(&stream).await {
                    Ok(Some(SSH)) => {
                        if let Ok(stream) = without_first_byte(stream) {
                            sshd.serve(stream);
                        }
                    }
                    Ok(Some(_)) => drop(calls.send(Ok(stream)).await),
                    Ok(None) | Err(_) => {}
                }
            });
        }
    }
}

/// Looks at the first byte and leaves it there; none = the caller left.
async fn first_byte(stream: &UnixStream) -> io::Result<Option<u8>> {
    let mut byte = [0];
    let peek = || Ok(rustix::net::recv(stream, &mut byte, RecvFlags::PEEK)?.0);
    let count = stream.async_io(Interest::READABLE, peek).await?;
    Ok((count > 0).then_some(byte[0]))
}

fn without_first_byte(stream: UnixStream) -> io::Result<std::os::unix::net::UnixStream> {
    stream.try_read(&mut [0])?;
    stream.into_std()
}
