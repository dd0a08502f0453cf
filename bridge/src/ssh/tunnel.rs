//! Bytes to what listens in a sandbox and back, each direction ending on its own.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use aloft_proto::v1;
use aloft_proto::v1::tunnel_header::Target;
use aloft_proto::v1::tunnel_response::Event;
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tonic::Streaming;

use crate::client::Client;
use crate::config::Address;
use crate::protocol::error::{Code, Error};

/// Most bytes of one message.
const PIECE: usize = 256 << 10;
/// What may be on its way to a server on this machine; the kernel gives as much of it as it allows.
const SENT: usize = 4 << 20;

/// A tunnel that stands.
#[derive(Debug)]
pub struct Tunnel {
    /// The whole id of the thread it leads to.
    pub thread: String,
    client: Client,
    requests: mpsc::Sender<v1::TunnelRequest>,
    answers: Streaming<v1::TunnelResponse>,
    /// The server itself, where it is on this machine. The tunnel only stands for it then.
    server: Option<UnixStream>,
}

impl Tunnel {
    /// Opens a tunnel to a thread by any of its names; tells what is waited for.
    pub async fn open(
        client: &Client,
        thread: &str,
        target: Target,
        mut progress: impl FnMut(&str) + Send,
    ) -> Result<Self, Error> {
        let here = matches!(client.address(), Address::Embedded | Address::Unix(_));
        let mut header = v1::TunnelHeader {
            thread_id: thread.to_owned(),
            same_machine: here && matches!(target, Target::Ssh(_)),
            target: Some(target),
        };
        loop {
            let (requests, answers) = client.tunnel(header.clone()).await?;
            let (opened, answers) = opened(client, answers, &mut progress).await?;
            let server = match opened.server.as_str() {
                "" => None,
                path => match connect(Path::new(path)).await {
                    Ok(server) => Some(server),
                    Err(error) => {
                        // The cloud's socket was lent to where its folders are not seen: it can be asked to pass all on.
                        tracing::debug!(%error, path, "the server cannot be reached from here");
                        header.same_machine = false;
                        continue;
                    }
                },
            };
            let client = client.clone();
            return Ok(Self { thread: opened.thread_id, client, requests, answers, server });
        }
    }

    /// Gives the server itself, where it is on this machine: bytes go to it and not through the tunnel then.
    pub fn server(&mut self) -> Option<UnixStream> {
        self.server.take()
    }

    /// Waits until the cloud ends a tunnel that carries nothing; gives the reason.
    pub async fn ended(mut self) -> Error {
        let answer = self.answers.message().await;
        answer.err().map_or_else(broken, |status| self.client.error(status))
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

async fn connect(path: &Path) -> io::Result<UnixStream> {
    let mut server = tokio::net::UnixStream::connect(path).await?.into_std()?;
    server.set_nonblocking(false)?;
    // While the server waits for a processor its client works on.
    let _only_slower = rustix::net::sockopt::set_socket_send_buffer_size(&server, SENT);
    // What is to be SSH begins with a zero, so that it is told from what else listens there.
    server.write_all(&[0])?;
    Ok(server)
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
