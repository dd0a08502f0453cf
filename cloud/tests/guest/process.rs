//! Processes: their output, input, terminals, ends, and what they leave in the guest.

use std::time::Duration;

use aloft_proto::guest::process_event::Event;
use aloft_proto::guest::{
    AttachRequest, ListRequest, Pty, ResizeRequest, SignalRequest, StartRequest, WriteRequest,
};
use tonic::Code;

use crate::harness::{Guest, PATIENCE, shell, start, until};

/// How much more memory than before the guest may take, in KiB, whatever passes through it.
const MORE_MEMORY: u64 = 8 * 1024;

#[tokio::test]
async fn a_flood_is_whole_and_costs_no_memory() {
    const SIZE: usize = 50_000_000;
    let guest = Guest::start();
    guest.shell("warm", "head -c 3000000 /dev/zero").await;
    guest.whole("warm").await;
    let before = guest.figure("VmRSS");
    // Binary, and different at every place.
    let script = format!(
        "i=0; while :; do i=$((i + 1)); printf '%07d\\0\\377%s' $i \"$fill\"; done | head -c {SIZE}"
    );
    let mut request = shell("flood", &script);
    request.env.insert("fill".into(), "x".repeat(1000));
    guest.processes().start(request).await.unwrap();

    let mut stream = guest.attach("flood", 0).await;
    let mut seen: Vec<u8> = Vec::with_capacity(SIZE);
    let mut most = 0;
    let read = async {
        loop {
            match stream.message().await.unwrap().unwrap().event.unwrap() {
                Event::Stdout(output) => {
                    assert_eq!(output.offset, seen.len() as u64);
                    seen.extend(&output.data);
                }
                Event::Stderr(output) => panic!("{output:?}"),
                Event::Ended(ended) => break assert_eq!(ended.exit_code, Some(0)),
            }
            if seen.len() % 7 == 0 {
                // A reader that is slow now and then.
                tokio::time::sleep(Duration::from_millis(1)).await;
                most = most.max(guest.figure("VmRSS"));
            }
        }
    };
    tokio::time::timeout(PATIENCE * 4, read).await.unwrap();

    assert!(most < before + MORE_MEMORY, "from {before} KiB to {most} KiB");
    assert_eq!(seen.len(), SIZE);
    let fill = "x".repeat(1000);
    let expected = (1..).flat_map(|number| {
        [format!("{number:07}").as_bytes(), b"\0\xff", fill.as_bytes()].concat()
    });
    assert!(expected.take(SIZE).eq(seen), "every byte is in its place");
}

#[tokio::test]
async fn nobody_reading_holds_a_process_up_and_loses_nothing() {
    let guest = Guest::start();
    let request = StartRequest {
        ring_bytes: 4096,
        ..shell("counter", "seq 1 100000; touch finished; echo done >&2")
    };
    guest.processes().start(request).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!guest.root().join("finished").exists(), "more than a pipe and the ring hold");
    let whole = guest.whole("counter").await;
    let expected: String = (1..=100_000).map(|number| format!("{number}\n")).collect();
    assert!(whole.stdout == expected.as_bytes());
    assert_eq!(whole.stderr, b"done\n");
}

#[tokio::test]
async fn a_reader_comes_back_where_it_was() {
    let guest = Guest::start();
    guest.shell("two", "printf hello; printf oops >&2; sleep 0.2; printf ' world'; exit 5").await;
    let mut first = guest.attach("two", 0).await;
    assert!(matches!(
        first.message().await.unwrap().unwrap().event,
        Some(Event::Stdout(_) | Event::Stderr(_))
    ));
    drop(first);
    let whole = guest.whole("two").await;
    assert_eq!((&whole.stdout[..], &whole.stderr[..]), (&b"hello world"[..], &b"oops"[..]));
    assert_eq!((whole.ended.exit_code, whole.ended.signal), (Some(5), 0));
    assert!(whole.ended.max_rss_bytes > 100_000);
    let mut tail = guest.attach("two", 6).await;
    let Some(Event::Stdout(output)) = tail.message().await.unwrap().unwrap().event else {
        panic!("not the tail")
    };
    assert_eq!((output.offset, &output.data[..]), (6, &b"world"[..]));
    let beyond = AttachRequest { id: "two".into(), stdout_offset: 12, stderr_offset: 0 };
    assert_eq!(guest.processes().attach(beyond).await.unwrap_err().code(), Code::OutOfRange);
}

#[tokio::test]
async fn a_lossy_process_is_never_held_up() {
    let guest = Guest::start();
    let request = StartRequest {
        ring_bytes: 4096,
        lossy: true,
        ..shell("lossy", "seq 1 100000; touch finished")
    };
    guest.processes().start(request).await.unwrap();
    until("it ends unread", || guest.root().join("finished").exists().then_some(())).await;
    let mut stream = guest.attach("lossy", 0).await;
    let mut last = Vec::new();
    while let Some(event) = stream.message().await.unwrap() {
        if let Some(Event::Stdout(output)) = event.event {
            assert!(output.offset > 100_000, "the gap shows");
            last.extend(&output.data);
        }
    }
    assert!(last.ends_with(b"\n99999\n100000\n") && last.len() <= 4096);
}

#[tokio::test]
async fn a_terminal_has_a_size_and_a_line_discipline() {
    let guest = Guest::start();
    let pty = Some(Pty { rows: 40, columns: 120, term: String::new() });
    let script = "stty size; echo $TERM; test -t 0 && test -t 2 && echo tty; read line; stty size; echo got $line; cat";
    guest.processes().start(StartRequest { pty, ..shell("terminal", script) }).await.unwrap();
    let mut stream = guest.attach("terminal", 0).await;
    let mut seen = String::new();
    while !seen.contains("tty\r\n") {
        let Some(Event::Stdout(output)) = stream.message().await.unwrap().unwrap().event else {
            panic!("{seen}")
        };
        seen.push_str(&String::from_utf8_lossy(&output.data));
    }
    assert_eq!(seen, "40 120\r\nxterm-256color\r\ntty\r\n");
    let resize = ResizeRequest { id: "terminal".into(), rows: 50, columns: 100 };
    guest.processes().resize(resize.clone()).await.unwrap();
    write(&guest, "terminal", "hi\n", false).await.unwrap();
    write(&guest, "terminal", "", true).await.unwrap();
    let whole = guest.whole("terminal").await;
    let all = String::from_utf8(whole.stdout).unwrap();
    assert!(all.ends_with("50 100\r\ngot hi\r\n"), "{all:?}");
    assert_eq!(whole.ended.exit_code, Some(0), "end of input reached cat");
    assert_eq!(
        guest.processes().resize(resize).await.unwrap_err().code(),
        Code::FailedPrecondition
    );
}

#[tokio::test]
async fn input_waits_for_the_process_and_ends_with_it() {
    let guest = Guest::start();
    let request = StartRequest { stdin: true, ..shell("reader", "read first; cat | wc -c") };
    guest.processes().start(request).await.unwrap();
    let piece = "y".repeat(500_000);
    write(&guest, "reader", "go\n", false).await.unwrap();
    for _ in 0..4 {
        write(&guest, "reader", &piece, false).await.unwrap();
    }
    write(&guest, "reader", "last", true).await.unwrap();
    assert_eq!(guest.whole("reader").await.stdout, b"2000004\n");
    assert_eq!(
        write(&guest, "reader", "late", false).await.unwrap_err().code(),
        Code::FailedPrecondition
    );

    guest
        .processes()
        .start(StartRequest { stdin: true, ..start("deaf", &["sleep", "1000"]) })
        .await
        .unwrap();
    let stuck = tokio::spawn({
        let (mut processes, data) = (guest.processes(), piece.clone().into());
        async move { processes.write(WriteRequest { id: "deaf".into(), data, eof: false }).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!stuck.is_finished(), "nobody takes more than a pipe holds");
    guest.kill("deaf", 0).await.unwrap();
    assert_eq!(stuck.await.unwrap().unwrap_err().code(), Code::FailedPrecondition);

    guest.shell("closed", "cat; sleep 1000").await;
    let closed = write(&guest, "closed", "x", false).await.unwrap_err();
    assert!(closed.message().contains("closed"), "{closed:?}");
    let large =
        WriteRequest { id: "closed".into(), data: vec![0; 1024 * 1024 + 1].into(), eof: false };
    assert_eq!(guest.processes().write(large).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_daemon_that_holds_the_pipe_does_not_hold_up_the_end() {
    let guest = Guest::start();
    let daemon = "setsid sh -c 'while :; do echo still here; sleep 0.05; done' & echo started";
    guest.shell("silent", "setsid sleep 1000 & echo started").await;
    guest.shell("noisy", daemon).await;
    guest.shell("flooding", "setsid yes & echo started").await;
    assert_eq!(guest.whole("silent").await.stdout, b"started\n");
    assert_eq!(guest.whole("noisy").await.ended.exit_code, Some(0));
    assert_eq!(guest.whole("flooding").await.ended.exit_code, Some(0));
    // It is read on, so that its writes do not end it.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let list = guest.processes().list(ListRequest {}).await.unwrap().into_inner();
    assert!(list.processes.iter().all(|process| !process.running));
    let others: Vec<String> = list.others.iter().map(|other| other.argv.join(" ")).collect();
    assert!(others.contains(&"sleep 1000".to_owned()), "{others:?}");
    assert!(others.iter().any(|other| other.contains("still here")), "{others:?}");
    assert!(others.contains(&"yes".to_owned()), "{others:?}");
}

#[tokio::test]
async fn a_signal_reaches_the_group() {
    let guest = Guest::start();
    guest.shell("group", "trap 'echo caught; exit 1' USR1; echo ready; (sleep 1000; echo never) & wait; sleep 1000").await;
    assert!(guest.attach("group", 0).await.message().await.unwrap().is_some());
    until("all three run", || (guest.descendants().len() == 3).then_some(())).await;
    let signal = |number| SignalRequest { id: "group".into(), signal: number };
    assert!(guest.processes().signal(signal(10)).await.unwrap().into_inner().sent);
    assert_eq!(guest.whole("group").await.stdout, b"ready\ncaught\n");
    assert!(!guest.processes().signal(signal(15)).await.unwrap().into_inner().sent);
    assert_eq!(
        guest.processes().signal(signal(999)).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    until("the whole group is gone", || guest.descendants().is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_start_that_cannot_be_names_what_is_missing() {
    let guest = Guest::start();
    std::fs::write(guest.root().join("plain"), "text").unwrap();
    let cases = [
        (
            start("a", &["no-such-program"]),
            Code::NotFound,
            "the program no-such-program was not found in PATH",
        ),
        (
            StartRequest { cwd: "/no/such".into(), ..start("a", &["true"]) },
            Code::NotFound,
            "/no/such",
        ),
        (start("a", &["./plain"]), Code::PermissionDenied, "./plain"),
        (start("a", &[]), Code::InvalidArgument, "argv"),
        (start("a", &["tr\0ue"]), Code::InvalidArgument, "could not be started"),
        (start("", &["true"]), Code::InvalidArgument, "id"),
    ];
    for (request, code, text) in cases {
        let status = guest.processes().start(request).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        assert!(status.message().contains(text), "{status:?}");
    }
    guest.processes().start(start("a", &["true"])).await.unwrap();
    let again = guest.processes().start(start("a", &["true"])).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);
    let unknown = AttachRequest { id: "b".into(), ..AttachRequest::default() };
    assert_eq!(guest.processes().attach(unknown).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn its_environment_and_descriptors_are_what_was_asked() {
    let guest = Guest::start();
    let mut request = shell(
        "env",
        "echo $ADDED-${PATH-none}-$ALOFT_PROCESS; ls /proc/self/fd | wc -l; pwd; ulimit -c",
    );
    request.argv[0] = "/bin/sh".into();
    request.env.insert("ADDED".into(), "1".into());
    request.env.insert("PATH".into(), "/usr/bin:/bin".into());
    request.env_remove = vec!["HOME".into()];
    request.argv[2]
        .push_str("; echo ${HOME-homeless}; cat /proc/self/stat | cut -d' ' -f6,5; echo $$");
    guest.processes().start(request).await.unwrap();
    let output = String::from_utf8(guest.whole("env").await.stdout).unwrap();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], "1-/usr/bin:/bin-env");
    assert_eq!(lines[1], "4", "standard three, and the folder that ls reads");
    assert_eq!(lines[2], guest.root().to_str().unwrap());
    assert_eq!(lines[4], "homeless");
    assert_eq!(lines[5], format!("{0} {0}", lines[6]), "it leads a group and a session");
}

#[tokio::test]
async fn two_hundred_processes_leave_nothing_behind() {
    let guest = Guest::start();
    let open = || std::fs::read_dir(format!("/proc/{}/fd", guest.child.id())).map(Iterator::count);
    let one = async |number: usize| {
        let id = format!("p{number}");
        let pty = (number % 4 == 0).then(Pty::default);
        let stdin = number % 3 == 0;
        guest
            .processes()
            .start(StartRequest { pty, stdin, ..shell(&id, "echo $ALOFT_PROCESS") })
            .await
            .unwrap();
        assert_eq!(guest.whole(&id).await.stdout.trim_ascii(), id.as_bytes());
    };
    for number in 0..20 {
        one(number).await;
    }
    let before = open();
    for number in 20..220 {
        one(number).await;
    }
    until("descriptors are closed", || {
        (open().ok() <= before.as_ref().ok().copied()).then_some(())
    })
    .await;
    assert_eq!(guest.descendants(), []);
    let kept = guest.processes().list(ListRequest {}).await.unwrap().into_inner();
    assert_eq!((kept.processes.len(), kept.others.len()), (64, 0));
    assert!(kept.processes.iter().all(|process| !process.running));
}

async fn write(guest: &Guest, id: &str, text: &str, eof: bool) -> Result<(), tonic::Status> {
    let request = WriteRequest { id: id.into(), data: text.to_owned().into(), eof };
    tokio::time::timeout(PATIENCE, guest.processes().write(request)).await.unwrap().map(|_| ())
}
