//! One tunnel: opens a way into a sandbox and moves its bytes, no faster than either side takes them; or stands for the
//! connection of a caller on this machine, whose bytes need nobody to move them.

use std::{pin::Pin, sync::Arc, time::Duration};

use aloft_proto::v1::{
    TunnelEnd, TunnelOpened, TunnelProgress, TunnelRequest, TunnelResponse, tunnel_response::Event,
};
use bytes::{Bytes, BytesMut};
use futures_util::{
    Stream,
    future::{BoxFuture, pending},
    stream::unfold,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf},
    sync::mpsc,
};
use tokio_util::task::AbortOnDropHandle;
use tonic::{Status, Streaming};

use crate::{
    runner::Error,
    sandbox::guest::Connection,
    ssh::{Hold, Ssh, Target, Way},
};

/// Lines of progress that wait to be sent.
const WAITING: usize = 4;

/// Most that one response brings.
const PIECE: usize = 256 * 1024;

/// How long a caller that was told of the other side's last byte may take to say its own.
const FAREWELL: Duration = Duration::from_secs(5);

type Response = Result<TunnelResponse, Status>;

/// What a tunnel was asked to be.
#[derive(Debug)]
pub(super) struct Tunnel {
    pub owner: String,
    pub thread: String,
    pub target: Target,
    /// The caller connects to the SSH server by itself.
    pub beside: bool,
    /// The bytes that came with the request.
    pub first: Bytes,
}

/// Where a tunnel is in its life. It goes on when its responses are asked for, and ends when nobody wants them any more.
enum State {
    Opening(Opening),
    Open(Open),
    /// The other side has said its last byte; the caller has not.
    Farewell(Inward),
    Over,
}

struct Opening {
    opening: BoxFuture<'static, Result<(TunnelOpened, Open), Error>>,
    told: mpsc::Receiver<String>,
}

struct Open {
    /// What the sandbox says; none = it says it to the caller itself.
    from: Option<ReadHalf<Box<dyn Connection>>>,
    data: BytesMut,
    /// What the caller says; none = it has said its last byte.
    inward: Option<Inward>,
    /// Why it must end.
    ended: BoxFuture<'static, Error>,
}

/// The task that hears the caller out; whether the tunnel goes on after that.
type Inward = AbortOnDropHandle<bool>;

impl Tunnel {
    /// What comes of it.
    pub(super) fn begin(
        self,
        ssh: Ssh,
        said: Streaming<TunnelRequest>,
    ) -> Pin<Box<dyn Stream<Item = Response> + Send>> {
        let (tell, told) = mpsc::channel(WAITING);
        let opening = Box::pin(async move {
            if self.beside {
                let (server, hold) = ssh.admit(&self.owner, &self.thread, &tell).await?;
                let server = server.display().to_string();
                let opened = TunnelOpened { thread_id: hold.thread().to_owned(), server };
                return Ok((opened, Open::beside(hold, said)));
            }
            let way = ssh.open(&self.owner, &self.thread, &self.target, &tell).await?;
            let thread_id = way.hold.thread().to_owned();
            let opened = TunnelOpened { thread_id, server: String::new() };
            Ok((opened, Open::through(way, self.first, said)))
        });
        Box::pin(unfold(State::Opening(Opening { opening, told }), State::next))
    }
}

impl State {
    async fn next(self) -> Option<(Response, Self)> {
        match self {
            Self::Opening(opening) => Some(opening.next().await),
            Self::Open(open) => open.next().await,
            Self::Farewell(inward) => {
                let _lingers = tokio::time::timeout(FAREWELL, inward).await;
                None
            }
            Self::Over => None,
        }
    }
}

impl Opening {
    async fn next(mut self) -> (Response, State) {
        tokio::select! {
            opened = &mut self.opening => match opened {
                Ok((opened, open)) => (Ok(says(Event::Opened(opened))), State::Open(open)),
                Err(error) => (Err(error.into()), State::Over),
            },
            Some(text) = self.told.recv() => {
                (Ok(says(Event::Progress(TunnelProgress { text }))), State::Opening(self))
            }
        }
    }
}

impl Open {
    /// All bytes pass here.
    fn through(Way { stream, hold }: Way, first: Bytes, said: Streaming<TunnelRequest>) -> Self {
        let (from, to) = tokio::io::split(stream);
        Self::new(Some(from), hold, inward(to, first, said))
    }

    /// None does: it lasts as long as the caller's requests.
    fn beside(hold: Hold, mut said: Streaming<TunnelRequest>) -> Self {
        let inward = async move {
            while let Ok(Some(_)) = said.message().await {}
            false
        };
        Self::new(None, hold, inward)
    }

    fn new(
        from: Option<ReadHalf<Box<dyn Connection>>>,
        hold: Hold,
        inward: impl Future<Output = bool> + Send + 'static,
    ) -> Self {
        let hold = Arc::new(hold);
        let held = Arc::clone(&hold);
        let inward = tokio::spawn(async move {
            tokio::select! {
                goes_on = inward => goes_on,
                // A caller that takes no response is cut off all the same.
                _why = held.ended() => true,
            }
        });
        Self {
            from,
            data: BytesMut::new(),
            inward: Some(AbortOnDropHandle::new(inward)),
            ended: Box::pin(async move { hold.ended().await }),
        }
    }

    async fn next(mut self) -> Option<(Response, State)> {
        loop {
            tokio::select! {
                read = read(self.from.as_mut(), &mut self.data) => {
                    let Some(data) = read else {
                        let after = self.inward.map_or(State::Over, State::Farewell);
                        return Some((Ok(says(Event::End(TunnelEnd {}))), after));
                    };
                    return Some((Ok(says(Event::Data(data))), State::Open(self)));
                }
                goes_on = heard(&mut self.inward) => {
                    if !goes_on {
                        return None;
                    }
                    self.inward = None;
                }
                why = &mut self.ended => return Some((Err(why.into()), State::Over)),
            }
        }
    }
}

fn says(event: Event) -> TunnelResponse {
    TunnelResponse { event: Some(event) }
}

/// What is read next; none = the last byte was.
async fn read<From>(from: Option<&mut From>, data: &mut BytesMut) -> Option<Bytes>
where
    From: AsyncRead + Unpin,
{
    let Some(from) = from else { return pending().await };
    data.reserve(PIECE);
    match from.read_buf(data).await {
        Ok(1..) => Some(data.split().freeze()),
        Ok(0) | Err(_) => None,
    }
}

/// Waits until the caller was heard out.
async fn heard(inward: &mut Option<Inward>) -> bool {
    match inward {
        Some(inward) => inward.await.unwrap_or(false),
        None => pending().await,
    }
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
