//! How a guest greets, what it outlives, and how it ends.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aloft_proto::guest::{HelloRequest, KeepAliveRequest, ShutdownRequest};
use rustix::process::{Pid, Signal};
use tonic::Code;

use crate::harness::{Guest, SANDBOX, until};

#[tokio::test]
async fn it_says_who_it_is_and_refuses_who_is_not_meant() {
    let guest = Guest::start();
    let hello = guest.hello().await;
    assert_eq!((hello.protocol, hello.incarnation), (1, 7));
    assert_eq!(hello.version, env!("CARGO_PKG_VERSION"));
    for (protocol, sandbox) in [(2, SANDBOX), (1, "another")] {
        let request = HelloRequest { protocol, sandbox_id: sandbox.into() };
        assert_eq!(
            guest.control().hello(request).await.unwrap_err().code(),
            Code::FailedPrecondition
        );
    }
}

#[tokio::test]
async fn it_ends_with_everything_when_told() {
    let mut guest = Guest::start();
    guest.shell("stubborn", "trap '' TERM HUP; setsid sleep 1000 & sleep 1001").await;
    let mut open = guest.attach("stubborn", 0).await;
    assert_eq!(
        guest.control().keep_alive(KeepAliveRequest {}).await.unwrap().into_inner().processes,
        1
    );
    until("both run", || (guest.descendants().len() >= 2).then_some(())).await;
    let below = guest.descendants();
    guest.control().shutdown(ShutdownRequest {}).await.unwrap();
    assert_eq!(guest.exit_code().await, Some(0));
    for (pid, _) in below {
        assert!(
            rustix::process::test_kill_process(Pid::from_raw(pid).unwrap()).is_err(),
            "{pid} is gone"
        );
    }
    assert!(open.message().await.is_ok(), "the end was told before the guest ended");
}

#[tokio::test]
async fn it_ends_when_no_cloud_is_heard() {
    let mut guest = Guest::with(&["--lonely-seconds", "1"]);
    guest.shell("forgotten", "sleep 1000").await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        guest.control().keep_alive(KeepAliveRequest {}).await.unwrap();
    }
    let below = guest.descendants();
    assert!(!below.is_empty());
    let begin = Instant::now();
    guest.exit_code().await;
    assert!(begin.elapsed() > Duration::from_millis(700), "{:?}", begin.elapsed());
    for (pid, _) in below {
        assert!(
            rustix::process::test_kill_process(Pid::from_raw(pid).unwrap()).is_err(),
            "{pid} is gone"
        );
    }
}

#[tokio::test]
async fn it_outlives_what_an_agent_signals_to_everything() {
    let guest = Guest::start();
    guest.hello().await;
    let pid = Pid::from_raw(guest.child.id().cast_signed()).unwrap();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::PIPE] {
        rustix::process::kill_process(pid, signal).unwrap();
    }
    guest.hello().await;
    guest.shell("child", "kill -TERM $$").await;
    assert_eq!(guest.whole("child").await.ended.signal, 15, "what it starts does not inherit that");
}

#[tokio::test]
async fn it_refuses_to_start_without_a_listener() {
    for descriptor in ["0", "77", "-1"] {
        let argument = format!("--listen-fd={descriptor}");
        let output = Command::new(env!("CARGO_BIN_EXE_aloft-cloud"))
            .args([
                "guest",
                &argument,
                "--relay",
                "/none",
                "--port",
                "0",
                "--sandbox",
                "s",
                "--incarnation",
                "1",
            ])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.starts_with("error: failed to take over the listener"), "{told}");
    }
}
