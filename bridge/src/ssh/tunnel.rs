//! Bytes to what listens in a sandbox and back, each direction ending on its own.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::time::Duration;

use aloft_proto::v1;
use aloft_proto::v1::tunnel_header::Target;
use aloft_proto::v1::tunnel_response::Event;
use bytes::BytesMut;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tonic::Streaming;

use crate::client::Client;
use crate::config::Address;
use crate::protocol::error::{Code, Error};

/// Most bytes of one message.
const PIECE: usize = 256 << 10;
/// Says to a server on this machine that SSH is spoken by the pipes that come with it; it answers the same.
const PIPES: u8 = 1;
/// How long the cloud may take to say why a server is gone.
const REASON: Duration = Duration::from_secs(1);

/// A tunnel that stands.
#[derive(Debug)]
pub struct Tunnel {
    /// The whole id of the thread it leads to.
    pub thread: String,
    client: Client,
    requests: mpsc::Sender<v1::TunnelRequest>,
    answers: Streaming<v1::TunnelResponse>,
    /// The server itself, where it has our caller's pipes. The tunnel only stands for them then.
    server: Option<UnixStream>,
}

impl Tunnel {
    /// Opens a tunnel to a thread by any of its names; tells what is waited for. A server on this machine is given the pipes
    /// that SSH comes and goes by, where there are some, and nothing of ours is in between.
    pub async fn open(
        client: &Client,
        thread: &str,
        target: Target,
        pipes: Option<[OwnedFd; 2]>,
        mut progress: impl FnMut(&str) + Send,
    ) -> Result<Self, Error> {
        let here = matches!(client.address(), Address::Embedded | Address::Unix(_));
        let mut pipes = pipes.filter(|_| here);
        let mut header = v1::TunnelHeader {
            thread_id: thread.to_owned(),
            same_machine: pipes.is_some(),
            target: Some(target),
        };
        loop {
            let (requests, answers) = client.tunnel(header.clone()).await?;
            let (opened, answers) = opened(client, answers, &mut progress).await?;
            let (thread, path) = (opened.thread_id, Path::new(&opened.server));
            let mut tunnel =
                Self { thread, client: client.clone(), requests, answers, server: None };
            let Some(pipes) = pipes.take().filter(|_| !opened.server.is_empty()) else {
                return Ok(tunnel);
            };
            let given = tokio::select! {
                given = give(path, &pipes) => given,
                reason = tunnel.reason() => return Err(reason),
            };
            match given {
                Ok(server) => {
                    tunnel.server = Some(server);
                    return Ok(tunnel);
                }
                Err(error) => {
                    // The cloud's socket was lent to where its folders are not seen, or the server is older: the cloud can be
                    // asked to pass all on. A thread that was just paused is left alone.
                    tracing::debug!(%error, ?path, "the server takes no pipes from here");
                    if matches!(
                        error.kind(),
                        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
                    ) {
                        tunnel.reason_soon().await?;
                    }
                    header.same_machine = false;
                }
            }
        }
    }

    /// Waits, where the server was given pipes, until it is done with them or the cloud ends the tunnel that stands for them;
    /// gives the tunnel back where it was not.
    pub async fn stand(mut self) -> Result<Option<Self>, Error> {
        let Some(mut server) = self.server.take() else { return Ok(Some(self)) };
        let mut nothing = [0];
        tokio::select! {
            // It says nothing more, but is gone.
            _end = server.read(&mut nothing) => self.reason_soon().await.map(|()| None),
            reason = self.reason() => Err(reason),
        }
    }

    /// Waits until the cloud ends a tunnel that carries nothing; gives the reason.
    async fn reason(&mut self) -> Error {
        let answer = self.answers.message().await;
        answer.err().map_or_else(broken, |status| self.client.error(status))
    }

    /// The same, where the cloud is about to tell it.
    async fn reason_soon(&mut self) -> Result<(), Error> {
        match tokio::time::timeout(REASON, self.reason()).await {
            Ok(reason) => Err(reason),
            Err(_) => Ok(()),
        }
    }

    /// Carries bytes until both sides have said their last, or one is gone.
    pub async fn carry(
        self,
        read: impl AsyncRead + Send + Unpin,
        write: impl AsyncWrite + Send + Unpin,
    ) -> Result<(), Error> {
        let Self { client, requests, answers, .. } = self;
        let mut up = std::pin::pin!(send(read, requests));
        let mut down = std::pin::pin!(receive(&client, answers, write));
        tokio::select! {
            done = &mut down => done,
            // The reader is at its end; what the sandbox still says is waited for.
            () = &mut up => down.await,
        }
    }
}

/// Waits until a tunnel stands.
async fn opened(
    client: &Client,
    mut answers: Streaming<v1::TunnelResponse>,
    mut progress: impl FnMut(&str) + Send,
) -> Result<(v1::TunnelOpened, Streaming<v1::TunnelResponse>), Error> {
    loop {
        let answer = answers.message().await.map_err(|status| client.error(status))?;
        let Some(answer) = answer else { return Err(broken()) };
        match answer.event {
            Some(Event::Progress(what)) => progress(&what.text),
            Some(Event::Opened(opened)) => return Ok((opened, answers)),
            Some(Event::Data(_) | Event::End(_)) | None => {}
        }
    }
}

/// Gives a server on this machine what it is to read from and to write to, and waits until it took both.
async fn give(path: &Path, pipes: &[OwnedFd; 2]) -> io::Result<UnixStream> {
    let mut server = UnixStream::connect(path).await?;
    let passed = pipes.each_ref().map(|pipe| pipe.as_fd());
    let send = || {
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut message = SendAncillaryBuffer::new(&mut room);
        message.push(SendAncillaryMessage::ScmRights(&passed));
        Ok(sendmsg(&server, &[IoSlice::new(&[PIPES])], &mut message, SendFlags::empty())?)
    };
    server.async_io(Interest::WRITABLE, send).await?;
    let mut answer = [0];
    server.read_exact(&mut answer).await?;
    if answer == [PIPES] { Ok(server) } else { Err(io::Error::other("it takes no pipes")) }
}

async fn send(mut read: impl AsyncRead + Unpin, requests: mpsc::Sender<v1::TunnelRequest>) {
    let mut buffer = BytesMut::with_capacity(PIECE);
    loop {
        buffer.reserve(PIECE);
        match read.read_buf(&mut buffer).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "what is to be sent cannot be read any more");
                return;
            }
        }
        let request = v1::TunnelRequest { data: buffer.split().freeze(), header: None };
        if requests.send(request).await.is_err() {
            // The call is over, which the other direction tells.
            return;
        }
    }
}

async fn receive(
    client: &Client,
    mut answers: Streaming<v1::TunnelResponse>,
    write: impl AsyncWrite + Unpin,
) -> Result<(), Error> {
    // Let go of at the last byte: some have no other way to say it.
    let mut write = Some(write);
    loop {
        let answer = answers.message().await.map_err(|status| client.error(status))?;
        let Some(answer) = answer else { break };
        let written = match (answer.event, &mut write) {
            (Some(Event::Data(bytes)), Some(write)) => pass_on(&bytes, write).await,
            (Some(Event::End(_)), Some(last)) => {
                let said = last.shutdown().await;
                write = None;
                said
            }
            _ => Ok(()),
        };
        if let Err(error) = written {
            // Whoever reads has gone away, which ends a connection like any other.
            tracing::debug!(%error, "what was received cannot be passed on any more");
            return Ok(());
        }
    }
    if let Some(mut write) = write {
        write.shutdown().await.ok();
    }
    Ok(())
}

async fn pass_on(bytes: &[u8], write: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    write.write_all(bytes).await?;
    write.flush().await
}

fn broken() -> Error {
    Error::new(Code::Unavailable, "CLOUD_UNREACHABLE", "the cloud ended the connection")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_server_that_answers_so_has_the_pipes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        // The last begins as one of HTTP/2 does, which knows nothing of pipes.
        for (answer, takes) in [(&[PIPES][..], true), (&[], false), (&[0, 0, 18, 4], false)] {
            let (input, output) = io::pipe().unwrap();
            let pipes = [input.into(), output.into()];
            let serve = async {
                let (mut caller, _) = listener.accept().await.unwrap();
                assert_eq!(caller.read_u8().await.unwrap(), PIPES);
                caller.write_all(answer).await.unwrap();
            };
            let (given, ()) = tokio::join!(give(&path, &pipes), serve);
            assert_eq!(given.is_ok(), takes, "{answer:?}: {given:?}");
        }
    }
}
