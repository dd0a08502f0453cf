//! Calls to the guest: commands, streams, files and connections.

use std::path::Path;
use std::time::{Duration, Instant};

use aloft_cloud::sandbox::guest::{Command, Error, Event, Guest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::host::{Host, LIMIT, says, shell};

#[tokio::test]
async fn commands_end_as_they_ended() {
    let host = Host::new();
    let sandbox = host.start("run").await;
    let output = shell(&sandbox, "echo out; echo err >&2; exit 3").await;
    assert_eq!((output.exit_code, output.signal), (Some(3), 0));
    assert_eq!(
        (output.stdout.as_slice(), output.stderr.as_slice()),
        (&b"out\n"[..], &b"err\n"[..])
    );
    let output = shell(&sandbox, "kill -9 $$").await;
    assert_eq!((output.exit_code, output.signal), (None, 9));

    let input = vec![b'x'; 3_000_000];
    let count = Command::new(["wc", "-c"]);
    let output = sandbox.guest.run(&count, &input, LIMIT, 1000).await.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "3000000");
    let mut command =
        Command::new(["sh", "-c", "pwd; echo $ALOFT_TEST$HOME; head -c 5000000 /dev/zero"]);
    command.cwd = "/tmp".to_owned();
    command.env.0.insert("ALOFT_TEST".to_owned(), "secret".to_owned());
    assert!(!format!("{command:?}").contains("secret"));
    let output = sandbox.guest.run(&command, b"", LIMIT, 1000).await.unwrap();
    assert!(output.truncated && output.success());
    assert!(output.stdout.starts_with(b"/tmp\nsecret/home/agent\n") && output.stdout.len() == 1000);
    let missing =
        sandbox.guest.run(&Command::new(["no-such-program"]), b"", LIMIT, 10).await.unwrap_err();
    assert!(missing.to_string().contains("no-such-program"), "{missing}");
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_gone() {
    let host = Host::new();
    let sandbox = host.start("slow").await;
    let command = Command::new(["sh", "-c", "setsid sleep 1000 & sleep 1000"]);
    let error = sandbox.guest.run(&command, b"", Duration::from_millis(300), 10).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    assert!(
        sandbox
            .guest
            .list_processes()
            .await
            .unwrap()
            .others
            .iter()
            .all(|one| !one.argv.contains(&"sleep".to_owned()))
    );

    let begun = Instant::now();
    let given_up =
        tokio::time::timeout(Duration::from_millis(300), shell(&sandbox, "exec sleep 1000")).await;
    assert!(given_up.is_err());
    loop {
        let list = sandbox.guest.list_processes().await.unwrap();
        if list.processes.iter().all(|process| !process.running)
            && list.others.iter().all(|one| !one.argv.contains(&"sleep".to_owned()))
        {
            break;
        }
        assert!(begun.elapsed() < LIMIT);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_process_is_a_pair_of_byte_streams() {
    let host = Host::new();
    let sandbox = host.start("streams").await;
    let script = "echo started >&2; while read -r line; do echo \"<$line>\"; done; exit 7";
    let process = sandbox.guest.spawn("echo", &Command::new(["sh", "-c", script])).await.unwrap();
    let mut streams = process.into_streams();
    for line in ["one", "two"] {
        streams.stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        let mut answer = [0; 6];
        streams.stdout.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, *format!("<{line}>\n").as_bytes());
    }
    let ended = streams.flow.ended();
    drop(std::mem::replace(&mut streams.stdin, tokio::io::duplex(1).0));
    let mut rest = Vec::new();
    streams.stdout.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
    assert_eq!(ended.await.unwrap().exit_code, Some(7));
    assert_eq!(streams.stderr.text(), "started\n");
}

#[tokio::test]
async fn output_is_whole_over_broken_connections() {
    let host = Host::new();
    let _sandbox = host.start("cut").await;
    let way = host.path("way");
    let cutter = cut_now_and_then(&way, &host.runtime.directory("cut").unwrap().join("guest/sock"));
    let guest = Guest::new(&way, "cut", 1);
    guest.hello(LIMIT).await.unwrap();
    let count =
        Command::new(["sh", "-c", "seq 1 400000; seq 1 1000 >&2; read -r word; echo $word"]);
    let mut streams = guest.spawn("count", &count).await.unwrap().into_streams();
    let expected: Vec<u8> =
        (1..=400_000).flat_map(|number| format!("{number}\n").into_bytes()).collect();
    let mut seen = vec![0; expected.len()];
    streams.stdout.read_exact(&mut seen).await.unwrap();
    assert!(seen == expected);
    // All of it came, and the way did break.
    cutter.await.unwrap();
    streams.stdin.write_all(b"last\n").await.unwrap();
    let mut rest = String::new();
    streams.stdout.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "last\n");
    assert_eq!(streams.flow.ended().await.unwrap().exit_code, Some(0));
    assert!(streams.stderr.text().ends_with("999\n1000\n"));
}

/// A way to the guest that breaks four times, each after some output, and then holds.
fn cut_now_and_then(way: &Path, guest: &Path) -> tokio::task::JoinHandle<()> {
    let listener = tokio::net::UnixListener::bind(way).unwrap();
    let guest = guest.to_owned();
    tokio::spawn(async move {
        for cuts in 0..4 {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = tokio::net::UnixStream::connect(&guest).await.unwrap();
            let (mut requests, near_write) = near.split();
            let (answers, mut far_write) = far.split();
            // Not at the border of a message.
            let mut answers = answers.take(100_000 + 33_333 * cuts);
            let mut near_write = near_write;
            tokio::select! {
                _ = tokio::io::copy(&mut answers, &mut near_write) => {}
                _ = tokio::io::copy(&mut requests, &mut far_write) => {}
            }
        }
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut far = tokio::net::UnixStream::connect(&guest).await.unwrap();
                tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
            }
        });
    })
}

#[tokio::test]
async fn output_that_nobody_reads_holds_up_nothing_else() {
    let host = Host::new();
    let sandbox = host.start("stalled").await;
    let flood = Command::new(["sh", "-c", "head -c 20000000 /dev/zero; echo end"]);
    let mut stalled = Vec::new();
    for number in 0..5 {
        stalled.push(sandbox.guest.spawn(&format!("flood{number}"), &flood).await.unwrap());
    }
    for _ in 0..20 {
        assert_eq!(says(&sandbox, "head -c 300000 /dev/zero | wc -c").await.trim(), "300000");
    }
    let mut length = 0;
    let process = &mut stalled[0];
    loop {
        match process.events.recv().await.unwrap().unwrap() {
            Event::Stdout(bytes) => length += bytes.len(),
            Event::Ended(ended) => break assert_eq!(ended.exit_code, Some(0)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(length, 20_000_004);
}

#[tokio::test]
async fn kill_ends_what_left_its_group() {
    let host = Host::new();
    let sandbox = host.start("kill").await;
    let script = "setsid setsid sleep 1000 & (trap '' TERM; sleep 1000) & echo ready; wait";
    let mut process =
        sandbox.guest.spawn("stubborn", &Command::new(["sh", "-c", script])).await.unwrap();
    assert!(matches!(process.events.recv().await.unwrap().unwrap(), Event::Stdout(_)));
    assert!(sandbox.guest.kill("stubborn", Duration::from_millis(200)).await.unwrap() >= 3);
    let list = sandbox.guest.list_processes().await.unwrap();
    assert!(list.others.iter().all(|one| !one.argv.contains(&"sleep".to_owned())), "{list:?}");
    assert!(!sandbox.guest.signal("stubborn", 15).await.unwrap());
}

#[tokio::test]
async fn files_come_and_go_whole() {
    let host = Host::new();
    let sandbox = host.start("files").await;
    let guest = &sandbox.guest;
    let content: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    says(&sandbox, "mkdir data").await;
    let whole = std::io::Cursor::new(content.clone());
    let size = guest.write_file("data/large", 0o640, whole).await.unwrap();
    assert_eq!(size, 3_000_000);
    let entry = guest.stat("/workspace/data/large").await.unwrap().unwrap();
    assert_eq!((entry.size, entry.mode & 0o777, entry.kind.as_str()), (3_000_000, 0o640, "file"));
    assert!(guest.stat("missing").await.unwrap().is_none());

    let copy = host.path("copy");
    assert_eq!(guest.read_file_to("data/large", &copy).await.unwrap(), 3_000_000);
    assert_eq!(std::fs::read(&copy).unwrap(), content);
    assert!(matches!(guest.read_file_to("data/large", &copy).await, Err(Error::Local { .. })));
    let mut part = Vec::new();
    assert_eq!(guest.read_file("data/large", 1_000_000, 10, &mut part).await.unwrap(), 10);
    assert_eq!(part, content[1_000_000..1_000_010]);
    assert!(guest.read_file("missing", 0, 0, &mut part).await.unwrap_err().is_not_found());

    assert_eq!(guest.list_dir("data").await.unwrap().len(), 1);
    guest.remove("data").await.unwrap();
    assert!(guest.stat("data").await.unwrap().is_none());
}

#[tokio::test]
async fn half_a_file_is_never_put_in_place() {
    let host = Host::new();
    let sandbox = host.start("half").await;
    let broken = reader_of(vec![Ok(b"half".to_vec()), Err(std::io::Error::other("unplugged"))]);
    let error = sandbox.guest.write_file("file", 0, broken).await.unwrap_err();
    assert!(matches!(error, Error::Local { .. }), "{error}");
    assert!(sandbox.guest.stat("file").await.unwrap().is_none());
}

#[tokio::test]
async fn listeners_inside_are_reached() {
    let host = Host::new();
    let sandbox = host.start("dial").await;
    let server = "import socket\ns = socket.create_server(('127.0.0.1', 8080))\nprint('up', flush=True)\nc, _ = s.accept()\n\
        data = b''\nwhile part := c.recv(65536): data += part\nc.sendall(data[::-1])\n";
    let mut process =
        sandbox.guest.spawn("server", &Command::new(["python3", "-c", server])).await.unwrap();
    let up = process.events.recv().await.unwrap().unwrap();
    assert_eq!(up, Event::Stdout("up\n".into()));
    assert!(sandbox.guest.list_ports().await.unwrap().iter().any(|port| port.port == 8080));
    let mut connection = sandbox.guest.dial("tcp:8080").await.unwrap();
    connection.write_all(b"abc").await.unwrap();
    connection.shutdown().await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"cba");
    assert!(sandbox.guest.dial("tcp:8081").await.is_err());
}

fn reader_of(
    parts: Vec<std::io::Result<Vec<u8>>>,
) -> impl tokio::io::AsyncRead + Send + Unpin + 'static {
    let parts = parts.into_iter().map(|part| part.map(std::io::Cursor::new));
    tokio_util::io::StreamReader::new(tokio_stream::iter(parts))
}
