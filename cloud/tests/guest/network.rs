//! Connections from outside to the inside, and the one port that leads from the inside to the cloud.

use aloft_proto::guest::{DialRequest, ListPortsRequest};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::harness::{Guest, PATIENCE};

#[tokio::test]
async fn bytes_pass_both_ways_and_each_side_ends_by_itself() {
    let guest = Guest::start();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp:{}", tcp.local_addr().unwrap().port());
    let path = guest.home.path().join("service.sock");
    let unix = UnixListener::bind(&path).unwrap();
    // Answers only when it has heard everything.
    let answer = async |mut stream: Box<dyn Both>| {
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        stream.write_all(&heard).await.unwrap();
        stream.shutdown().await.unwrap();
    };
    let serve = async {
        answer(Box::new(tcp.accept().await.unwrap().0)).await;
        answer(Box::new(unix.accept().await.unwrap().0)).await;
    };
    let call = async {
        for address in [address, format!("unix:{}", path.display())] {
            let first = DialRequest { address, data: "first ".into() };
            let more = (0..100)
                .map(|_| DialRequest { address: String::new(), data: vec![7; 10_000].into() });
            let said: Vec<DialRequest> = std::iter::once(first).chain(more).collect();
            let mut stream =
                guest.dial().dial(tokio_stream::iter(said)).await.unwrap().into_inner();
            let mut heard = Vec::new();
            while let Some(piece) = stream.message().await.unwrap() {
                heard.extend(piece.data);
            }
            assert_eq!(heard.len(), 1_000_006);
            assert!(heard.starts_with(b"first \x07"));
        }
    };
    tokio::time::timeout(PATIENCE, async { tokio::join!(serve, call) }).await.unwrap();
}

#[tokio::test]
async fn the_other_sides_last_byte_is_told_and_the_caller_may_go_on() {
    let guest = Guest::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp:{}", listener.local_addr().unwrap().port());
    let (say, said) = mpsc::channel(1);
    say.send(DialRequest { address, data: Bytes::new() }).await.unwrap();
    let mut stream = guest.dial().dial(ReceiverStream::new(said)).await.unwrap().into_inner();
    let (mut service, _) = listener.accept().await.unwrap();
    service.write_all(b"that is all").await.unwrap();
    service.shutdown().await.unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap().data, "that is all");
    assert!(stream.message().await.unwrap().unwrap().data.is_empty(), "its last byte");
    say.send(DialRequest { address: String::new(), data: "I go on".into() }).await.unwrap();
    drop(say);
    let mut heard = String::new();
    service.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "I go on");
    assert!(stream.message().await.unwrap().is_none());
}

#[tokio::test]
async fn what_cannot_be_dialled_is_named() {
    let guest = Guest::start();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let cases = [
        (format!("tcp:{free}"), Code::Unavailable),
        ("unix:/no/such".into(), Code::Unavailable),
        ("tcp:70000".into(), Code::InvalidArgument),
        ("udp:1".into(), Code::InvalidArgument),
        (String::new(), Code::InvalidArgument),
    ];
    for (address, code) in cases {
        let request = DialRequest { address: address.clone(), data: Bytes::new() };
        let status = guest.dial().dial(tokio_stream::iter([request])).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        assert!(status.message().contains(&address), "{status:?}");
    }
}

#[tokio::test]
async fn listening_ports_are_listed_with_their_process() {
    let guest = Guest::start();
    let own = guest.hello().await.port;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let everywhere = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let (one, other) =
        (listener.local_addr().unwrap().port(), everywhere.local_addr().unwrap().port());
    let ports = guest.dial().list_ports(ListPortsRequest {}).await.unwrap().into_inner().ports;
    let find = |number: u16| ports.iter().find(|port| port.port == u32::from(number)).unwrap();
    assert!(find(one).loopback_only && !find(other).loopback_only);
    assert!(!find(one).process.is_empty());
    assert!(!ports.iter().any(|port| port.port == own), "the guest's own is no service");
    assert!(ports.is_sorted_by_key(|port| port.port));
}

#[tokio::test]
async fn the_port_leads_to_the_cloud() {
    let guest = Guest::start();
    let port = u16::try_from(guest.hello().await.port).unwrap();
    let mut refused = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    refused.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    refused.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("Try again"), "{answer}");

    let cloud = UnixListener::bind(guest.home.path().join("cloud.sock")).unwrap();
    let serve = async {
        let (mut stream, _) = cloud.accept().await.unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        stream.write_all(&heard).await.unwrap();
    };
    let call = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (mut from, mut to) = stream.split();
        let mut heard = Vec::new();
        let said = vec![9; 3_000_000];
        to.write_all(&said).await.unwrap();
        to.shutdown().await.unwrap();
        from.read_to_end(&mut heard).await.unwrap();
        assert!(heard == said);
    };
    tokio::time::timeout(PATIENCE, async { tokio::join!(serve, call) }).await.unwrap();
}

trait Both: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Both for T {}
