//! Limits: each one holds, or the host's report says that it does not.

use aloft_cloud::sandbox::{Limits, Runtime as _, Spec};

use crate::host::{Host, shell, spec};

#[expect(
    clippy::print_stdout,
    reason = "what a host cannot do is to be seen in the report of the tests"
)]
async fn enforced(host: &Host, limit: &str) -> bool {
    let report = host.runtime.probe().await.unwrap();
    let missing = report.unenforced.iter().any(|line| line.starts_with(limit));
    println!("{limit}: {}", if missing { "not enforced here, and reported" } else { "enforced" });
    !missing
}

#[tokio::test]
async fn memory_is_limited() {
    let host = Host::new();
    let limits = Limits { memory_bytes: 64 << 20, ..Limits::default() };
    let small = host.start_with(Spec { limits, ..spec("small") }).await;
    let large = host.start("large").await;
    // Keeps all of its input, since there is no end of a line in it.
    let script = "head -c 200000000 /dev/zero | tail -n 1 > /dev/null";
    if enforced(&host, "memory").await {
        assert_eq!(shell(&small, script).await.exit_code, Some(137));
    }
    assert!(shell(&large, script).await.success());
    assert!(shell(&small, "true").await.success(), "the guest was hit too");
}

#[tokio::test]
async fn processes_are_limited() {
    let host = Host::new();
    let limits = Limits { processes: 30, ..Limits::default() };
    let few = host.start_with(Spec { limits, ..spec("few") }).await;
    let many = host.start("many").await;
    let script =
        "i=0; while [ $i -lt 60 ]; do sleep 30 & i=$((i+1)); done; echo all; kill $(jobs -p)";
    if enforced(&host, "processes").await {
        let output = shell(&few, script).await;
        assert!(
            String::from_utf8_lossy(&output.stderr).to_lowercase().contains("fork"),
            "{output:?}"
        );
    }
    assert_eq!(shell(&many, script).await.stdout, b"all\n");
}

#[tokio::test]
async fn files_are_limited() {
    let host = Host::new();
    let limits = Limits { file_bytes: 1 << 20, ..Limits::default() };
    let sandbox = host.start_with(Spec { limits, ..spec("files") }).await;
    assert!(shell(&sandbox, "head -c 1000000 /dev/zero > /workspace/fits").await.success());
    assert!(!shell(&sandbox, "head -c 2000000 /dev/zero > /workspace/large").await.success());
    let memory =
        shell(&sandbox, "df -P /tmp /run /dev/shm | awk 'NR > 1 { print $2 }' && ulimit -c").await;
    assert_eq!(memory.stdout, b"1048576\n16384\n65536\n0\n", "{memory:?}");
}
