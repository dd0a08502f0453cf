//! The guest where it belongs: inside a sandbox, as an ordinary user, with a network of its own that leads nowhere.

use aloft_proto::guest::process_event::Event;
use aloft_proto::guest::{
    DialRequest, ListPortsRequest, ListRequest, Pty, ShutdownRequest, StartRequest,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use crate::harness::{Guest, PATIENCE, shell, start, until};

#[tokio::test]
async fn it_sees_only_its_own_world_and_is_hidden_from_it() {
    let guest = Guest::in_sandbox();
    guest.hello().await;
    let pid = guest
        .shell("look", "id -u; ls /proc | grep -c '^[0-9]'; cat /proc/$PPID/environ || echo hidden")
        .await;
    assert!(pid < 10, "{pid} is a number of the sandbox's own");
    let look = guest.whole("look").await;
    let lines = String::from_utf8(look.stdout).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!((lines[0], lines[2]), ("1000", "hidden"), "{lines:?}");
    assert!(lines[1].parse::<u32>().unwrap() < 8, "{lines:?}");

    let script = "env -i setsid sleep 1000 & sleep 1001 & exec sleep 1002";
    guest
        .processes()
        .start(StartRequest { pty: Some(Pty::default()), ..shell("agent", script) })
        .await
        .unwrap();
    guest.processes().start(start("other", &["sleep", "1003"])).await.unwrap();
    until("all run", || (guest.descendants().len() == 6).then_some(())).await;
    assert_eq!(guest.kill("agent", 0).await.unwrap(), 3);
    let list = guest.processes().list(ListRequest {}).await.unwrap().into_inner();
    let running: Vec<&str> = list
        .processes
        .iter()
        .filter(|process| process.running)
        .map(|process| &*process.id)
        .collect();
    assert_eq!((running, list.others), (vec!["other"], vec![]));
}

#[tokio::test]
async fn its_port_leads_to_the_cloud_and_the_cloud_dials_in() {
    let guest = Guest::in_sandbox();
    let cloud = UnixListener::bind(guest.home.path().join("cloud.sock")).unwrap();
    let port = guest.hello().await.port;
    let perl = format!(
        "use IO::Socket::INET; $s = IO::Socket::INET->new('127.0.0.1:{port}') or die $!; print $s 'ping'; \
         $s->shutdown(1); print <$s>; $l = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 3000, Listen => 1) \
         or die $!; $c = $l->accept; print $c uc(<$c>); close $c;"
    );
    guest.processes().start(start("web", &["perl", "-e", &perl])).await.unwrap();
    let serve = async {
        let (mut stream, _) = cloud.accept().await.unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "ping");
        stream.write_all(b"pong").await.unwrap();
    };
    tokio::time::timeout(PATIENCE, serve).await.unwrap();
    let ports = loop {
        let ports = guest.dial().list_ports(ListPortsRequest {}).await.unwrap().into_inner().ports;
        if !ports.is_empty() {
            break ports;
        }
    };
    let shown: Vec<(u32, &str, bool)> =
        ports.iter().map(|port| (port.port, &*port.process, port.loopback_only)).collect();
    assert_eq!(shown, [(3000, "perl", true)]);
    let said = DialRequest { address: "tcp:3000".into(), data: "hello".into() };
    let mut stream = guest.dial().dial(tokio_stream::iter([said])).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().data, "HELLO");
    assert_eq!(guest.whole("web").await.stdout, b"pong");
}

#[tokio::test]
async fn its_end_is_the_sandboxs_end() {
    let mut guest = Guest::in_sandbox();
    guest.shell("stubborn", "trap '' TERM; setsid sleep 1000 & sleep 1001").await;
    guest.control().shutdown(ShutdownRequest {}).await.unwrap();
    assert_eq!(guest.exit_code().await, Some(0));
    assert_eq!(guest.descendants(), []);
}

#[tokio::test]
async fn a_crowd_is_stopped_at_one_stroke_and_the_others_go_on() {
    let guest = Guest::in_sandbox();
    guest.shell("other", "while :; do echo $((i += 1)); sleep 0.01; done").await;
    let crowd = "setsid() { (exec /usr/bin/setsid sh -c 'while :; do :; done') & }; \
                 i=0; while [ $i -lt 100 ]; do i=$((i + 1)); setsid; done; echo all; wait";
    guest.shell("crowd", crowd).await;
    assert!(guest.attach("crowd", 0).await.message().await.unwrap().is_some());
    until("all run", || (guest.descendants().len() >= 104).then_some(())).await;
    assert_eq!(guest.kill("crowd", 0).await.unwrap(), 101);
    assert!(guest.descendants().iter().all(|(_, state)| *state != 'T'), "nobody is left stopped");
    let mut counts = guest.attach("other", 0).await;
    let mut seen = 0;
    while seen < 500 {
        seen += match counts.message().await.unwrap().unwrap().event.unwrap() {
            Event::Stdout(output) => output.data.len(),
            event => panic!("{event:?}"),
        };
    }
}
