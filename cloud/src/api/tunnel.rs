//! One tunnel: opens a way into a sandbox and moves its bytes, no faster than either side takes them.

use std::{pin::Pin, time::Duration};

use aloft_proto::v1::{
    TunnelEnd, TunnelOpened, TunnelProgress, TunnelRequest, TunnelResponse, tunnel_response::Event,
};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::ssh::{Ssh, Target, Way};

/// Responses that wait to be sent.
const WAITING: usize = 4;

/// Most that one response brings.
const PIECE: usize = 64 * 1024;

/// How long a caller that was told of the other side's last byte may take to say its own.
const FAREWELL: Duration = Duration::from_secs(5);

type Responses = mpsc::Sender<Result<TunnelResponse, Status>>;

/// What a tunnel was asked to be.
#[derive(Debug)]
pub(super) struct Tunnel {
    pub owner: String,
    pub thread: String,
    pub target: Target,
    /// The bytes that came with the request.
    pub first: Bytes,
}

impl Tunnel {
    /// Opens it in a task of its own, which ends with the caller.
    pub(super) fn begin(
        self,
        ssh: Ssh,
        said: Streaming<TunnelRequest>,
    ) -> Pin<Box<dyn Stream<Item = Result<TunnelResponse, Status>> + Send>> {
        let (responses, stream) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            tokio::select! {
                () = responses.closed() => {}
                () = self.run(&ssh, said, &responses) => {}
            }
        });
        Box::pin(ReceiverStream::new(stream))
    }

    async fn run(self, ssh: &Ssh, said: Streaming<TunnelRequest>, responses: &Responses) {
        let Way { thread, stream, hold } = match self.open(ssh, responses).await {
            Ok(way) => way,
            Err(status) => return drop(responses.send(Err(status)).await),
        };
        if say(responses, Event::Opened(TunnelOpened { thread_id: thread })).await.is_err() {
            return;
        }
        let (from, to) = tokio::io::split(stream);
        let moving = async {
            let (outward, inward) = (outward(from, responses), inward(to, self.first, said));
            tokio::pin!(outward, inward);
            let mut listens = true;
            loop {
                tokio::select! {
                    () = &mut outward => break,
                    calls = &mut inward, if listens => {
                        if !calls {
                            return;
                        }
                        listens = false;
                    }
                }
            }
            if listens {
                let _lingers = tokio::time::timeout(FAREWELL, inward).await;
            }
        };
        tokio::select! {
            () = moving => {}
            why = hold.ended() => drop(responses.send(Err(why.into())).await),
        }
    }

    async fn open(&self, ssh: &Ssh, responses: &Responses) -> Result<Way, Status> {
        let (tell, mut told) = mpsc::channel(WAITING);
        let opening = ssh.open(&self.owner, &self.thread, &self.target, &tell);
        tokio::pin!(opening);
        loop {
            tokio::select! {
                opened = &mut opening => return Ok(opened?),
                Some(text) = told.recv() => {
                    // Whoever left ends the whole task.
                    let _gone = say(responses, Event::Progress(TunnelProgress { text })).await;
                }
            }
        }
    }
}

async fn say(responses: &Responses, event: Event) -> Result<(), ()> {
    responses.send(Ok(TunnelResponse { event: Some(event) })).await.map_err(|_| ())
}

/// Writes what the caller says, to the last byte or until nobody takes it; false = the call broke.
async fn inward(
    mut to: impl AsyncWrite + Unpin,
    first: Bytes,
    mut said: Streaming<TunnelRequest>,
) -> bool {
    let mut data = first;
    loop {
        if to.write_all(&data).await.is_err() || to.flush().await.is_err() {
            return true;
        }
        match said.message().await {
            Ok(Some(more)) => data = more.data,
            Ok(None) => {
                let _other_side_left = to.shutdown().await;
                return true;
            }
            Err(_) => return false,
        }
    }
}

/// Says what is read, to its end.
async fn outward(mut from: impl AsyncRead + Unpin, responses: &Responses) {
    let mut data = BytesMut::new();
    loop {
        data.reserve(PIECE);
        let Ok(1..) = from.read_buf(&mut data).await else {
            let _gone = say(responses, Event::End(TunnelEnd {})).await;
            return;
        };
        if say(responses, Event::Data(data.split().freeze())).await.is_err() {
            return;
        }
    }
}
