//! The guest's socket: what comes in is a connection of calls, or of SSH. Its first byte tells: a zero, or a one where SSH is to
//! be spoken by pipes that come with it. No call begins so.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::time::Duration;
use tokio_stream::wrappers::ReceiverStream;

use crate::guest::sshd::{PIPES, Sshd, Way};

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
                    Ok(Some(first @ (SSH | PIPES))) => match ssh(stream, first) {
                        Ok(way) => sshd.serve(way),
                        Err(error) => tracing::debug!(%error, "a caller by SSH is not let in"),
                    },
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

/// How a caller speaks SSH; takes its first byte away.
fn ssh(stream: UnixStream, first: u8) -> io::Result<Way> {
    if first == SSH {
        stream.try_read(&mut [0])?;
        return Ok(Way::Socket(stream.into_std()?));
    }
    let mut byte = [0];
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut message = RecvAncillaryBuffer::new(&mut room);
    let data = &mut [IoSliceMut::new(&mut byte)];
    recvmsg(&stream, data, &mut message, RecvFlags::CMSG_CLOEXEC)?;
    let mut came: Vec<OwnedFd> = Vec::new();
    for part in message.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = part {
            came.extend(descriptors);
        }
    }
    let [input, output] = <[OwnedFd; 2]>::try_from(came)
        .map_err(|came| io::Error::other(format!("{} pipes came, not two", came.len())))?;
    Ok(Way::Pipes { input, output, caller: stream.into_std()? })
}
