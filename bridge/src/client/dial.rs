//! A connection to a port over a network that may not be there: another try every second, until one is through.
//!
//! A packet that was lost is sent again by the kernel after ever longer pauses; when the network comes back in one of
//! them, a fresh try is through at once.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tonic::transport::Uri;

/// After this long, another try is made beside those that wait.
const AGAIN: Duration = Duration::from_secs(1);
/// Tries under way at most.
const TRIES: usize = 10;

/// Connects to the host and port of an address.
pub(crate) async fn dial(uri: &Uri) -> io::Result<TcpStream> {
    let missing = || io::Error::new(io::ErrorKind::InvalidInput, "the address has no host");
    let host = uri.host().ok_or_else(missing)?.trim_matches(['[', ']']).to_owned();
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(usual);
    let stream = first(AGAIN, || TcpStream::connect((host.clone(), port))).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The first of several tries that works, begun one after the other; the error of one that fails while no other waits.
async fn first<T, Try>(pause: Duration, mut begin: impl FnMut() -> Try) -> io::Result<T>
where
    Try: Future<Output = io::Result<T>>,
{
    let mut tries = FuturesUnordered::new();
    tries.push(begin());
    let mut again = tokio::time::interval_at(tokio::time::Instant::now() + pause, pause);
    loop {
        tokio::select! {
            Some(ended) = tries.next() => match ended {
                Err(error) if tries.is_empty() => return Err(error),
                Err(error) => tracing::debug!(%error, "one of several connections failed"),
                Ok(connected) => return Ok(connected),
            },
            _ = again.tick(), if tries.len() < TRIES => tries.push(begin()),
        }
    }
}

/// The address of this machine that packets to a peer would leave from; `None` where no network leads there. Sends nothing.
pub(crate) fn way_to(peer: SocketAddr) -> Option<std::net::IpAddr> {
    let any: SocketAddr =
        if peer.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = std::net::UdpSocket::bind(any).ok()?;
    socket.connect(peer).ok()?;
    socket.local_addr().ok().map(|own| own.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_try_that_hangs_is_overtaken_and_one_that_fails_alone_is_told() {
        let mut begun = 0;
        let pause = Duration::from_millis(5);
        let found = first(pause, || {
            begun += 1;
            let number = begun;
            async move {
                if number < 3 {
                    std::future::pending::<()>().await;
                }
                Ok(number)
            }
        });
        assert_eq!(found.await.unwrap(), 3);
        let refused = || async { Err::<(), _>(io::ErrorKind::ConnectionRefused.into()) };
        let refused = first(pause, refused).await;
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn the_way_to_this_machine_is_its_own_address() {
        let loopback: SocketAddr = ([127, 0, 0, 1], 9).into();
        assert_eq!(way_to(loopback), Some(loopback.ip()));
    }
}
