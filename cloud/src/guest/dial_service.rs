//! Connections from outside to what listens inside.
//!
//! Each side may say its last byte while the other goes on. The caller says it by ending its stream of requests. The
//! other side's last byte is followed by an empty response: the stream of responses cannot end yet, because that would
//! end the call and with it the requests. It ends when the caller has said its last byte too, or shortly after.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use aloft_proto::guest::guest_dial_server::GuestDial;
use aloft_proto::guest::{DialRequest, DialResponse, ListPortsRequest, ListPortsResponse};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tonic::{Request, Response, Status, Streaming};

use crate::guest::ports;
use crate::guest::refusal::Refusal;

/// How long what listens may take to accept.
const CONNECT: Duration = Duration::from_secs(5);

/// Most that one response brings.
const PIECE_BYTES: usize = 32 * 1024;

/// How long a caller that was told of the other side's last byte may take to say its own.
const FAREWELL: Duration = Duration::from_secs(2);

type ReadHalf = Box<dyn AsyncRead + Send + Unpin>;
type WriteHalf = Box<dyn AsyncWrite + Send + Unpin>;

/// Answers calls about connections.
#[derive(Debug)]
pub(super) struct DialService {
    /// The guest's own port, which is nobody's service.
    pub(super) own_port: u16,
}

/// The way from the inside out.
struct Outward {
    from: ReadHalf,
    state: State,
    /// The way in.
    inward: Inward,
}

enum State {
    Open,
    LastByteRead,
    Over,
}

/// The task that writes what the caller says; ends with the call.
struct Inward(JoinHandle<()>);

#[tonic::async_trait]
impl GuestDial for DialService {
    type DialStream = Pin<Box<dyn Stream<Item = Result<DialResponse, Status>> + Send>>;

    async fn dial(
        &self,
        request: Request<Streaming<DialRequest>>,
    ) -> Result<Response<Self::DialStream>, Status> {
        let mut said = request.into_inner();
        let first = said.message().await?.unwrap_or_default();
        let (from, to) = connect(&first.address).await?;
        let inward = Inward(tokio::spawn(inward(to, first.data, said)));
        let outward = Outward { from, state: State::Open, inward };
        Ok(Response::new(Box::pin(unfold(outward, Outward::next))))
    }

    async fn list_ports(
        &self,
        _request: Request<ListPortsRequest>,
    ) -> Result<Response<ListPortsResponse>, Status> {
        Ok(Response::new(ListPortsResponse { ports: ports::listening(self.own_port) }))
    }
}

impl Outward {
    async fn next(mut self) -> Option<(Result<DialResponse, Status>, Self)> {
        match self.state {
            State::Open => {
                let mut data = BytesMut::with_capacity(PIECE_BYTES);
                match self.from.read_buf(&mut data).await {
                    Ok(0) => self.state = State::LastByteRead,
                    Ok(_) => {}
                    Err(error) => {
                        self.state = State::Over;
                        return Some((
                            Err(Status::unavailable(format!("the connection broke: {error}"))),
                            self,
                        ));
                    }
                }
                Some((Ok(DialResponse { data: data.freeze() }), self))
            }
            State::LastByteRead => {
                let _lingers = tokio::time::timeout(FAREWELL, &mut self.inward.0).await;
                None
            }
            State::Over => None,
        }
    }
}

impl Drop for Inward {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn inward(mut to: WriteHalf, first: Bytes, mut said: Streaming<DialRequest>) {
    let mut data = first;
    loop {
        if to.write_all(&data).await.is_err() {
            return;
        }
        match said.message().await {
            Ok(Some(more)) => data = more.data,
            Ok(None) => {
                let _other_side_left = to.shutdown().await;
                return;
            }
            Err(_) => return,
        }
    }
}

async fn connect(address: &str) -> Result<(ReadHalf, WriteHalf), Refusal> {
    let connect = async {
        match address.split_once(':') {
            Some(("tcp", port)) => {
                let port: u16 = port.parse().map_err(|_| invalid(address))?;
                let stream = loopback(port).await.map_err(|source| refused(address, source))?;
                // Interactive bytes must not wait for more.
                let _only_slower = stream.set_nodelay(true);
                let (from, to) = stream.into_split();
                Ok((Box::new(from) as ReadHalf, Box::new(to) as WriteHalf))
            }
            Some(("unix", path)) if path.starts_with('/') => {
                let stream =
                    UnixStream::connect(path).await.map_err(|source| refused(address, source))?;
                let (from, to) = stream.into_split();
                Ok((Box::new(from) as ReadHalf, Box::new(to) as WriteHalf))
            }
            _ => Err(invalid(address)),
        }
    };
    tokio::time::timeout(CONNECT, connect)
        .await
        .unwrap_or_else(|_| Err(refused(address, io::Error::from(io::ErrorKind::TimedOut))))
}

async fn loopback(port: u16) -> io::Result<TcpStream> {
    match TcpStream::connect(("127.0.0.1", port)).await {
        Ok(stream) => Ok(stream),
        // What listens on IPv6 only; if nothing does, the first answer is the one to tell.
        Err(error) => TcpStream::connect(("::1", port)).await.map_err(|_| error),
    }
}

fn invalid(address: &str) -> Refusal {
    Refusal::Invalid {
        what: "address",
        why: format!("{address:?} is neither tcp:PORT nor unix:/PATH"),
    }
}

fn refused(address: &str, source: io::Error) -> Refusal {
    Refusal::Connect { address: address.into(), source }
}
