//! The life of a sandbox: start, freeze, thaw, suspend, find again, remove.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use aloft_cloud::sandbox::guest::{Command, Error as GuestError, Event};
use aloft_cloud::sandbox::{Error, Listed, Runtime as _, Spec};

use crate::host::{Host, LIMIT, says, shell, spec, until};
use crate::isolation::processes_of;

#[tokio::test]
async fn a_probe_finds_everything_closed() {
    let host = Host::new();
    let report = host.runtime.probe().await.unwrap();
    let bad: Vec<_> = report.checks.iter().filter(|check| !check.ok).collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert!(report.checks.len() >= 9);
    // No host limits the sum of all files here, and it is said.
    assert!(report.unenforced.iter().any(|limit| limit.starts_with("disk")));
    assert!(host.runtime.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn suspend_keeps_files_and_leaves_nothing_else() {
    let host = Host::new();
    let sandbox = host.start("kept").await;
    says(&sandbox, "echo work > /workspace/file; echo home > ~/file; echo gone > /tmp/file").await;
    sandbox.guest.spawn("background", &Command::new(["sleep", "1000"])).await.unwrap();
    let processes = processes_of(&host, "kept");
    // The control of what is looked for below, wherever groups can be made at all.
    let groups = groups_of("-kept").len();
    println!("control groups: {groups}");
    assert!(groups > 0 || !rustix::process::geteuid().is_root());
    assert_eq!(
        host.runtime.list().await.unwrap(),
        [Listed { id: "kept".to_owned(), running: true }]
    );

    host.runtime.suspend("kept").await.unwrap();
    assert!(sandbox.has_ended());
    sandbox.ended().await;
    for process in &processes {
        assert!(!fs::exists(format!("/proc/{process}")).unwrap(), "{process}");
    }
    assert_eq!(groups_of("-kept"), Vec::<String>::new());
    let directory = host.runtime.directory("kept").unwrap();
    assert!(
        !fs::read_to_string("/proc/self/mounts").unwrap().contains(directory.to_str().unwrap())
    );
    assert_eq!(
        host.runtime.list().await.unwrap(),
        [Listed { id: "kept".to_owned(), running: false }]
    );
    assert!(host.runtime.attach("kept").await.unwrap().is_none());
    host.runtime.suspend("kept").await.unwrap();
    assert!(matches!(host.runtime.freeze("kept").await, Err(Error::NotRunning { .. })));

    let again = host.start_with(Spec { incarnation: 2, ..spec("kept") }).await;
    assert_eq!(says(&again, "cat /workspace/file ~/file; ls /tmp").await, "work\nhome");
    // The handle of the first start does not take the second for its own.
    assert!(matches!(
        sandbox.guest.hello(LIMIT).await,
        Err(GuestError::Stale { expected: 1, found: 2 })
    ));
}

#[tokio::test]
async fn destroy_removes_also_what_was_made_unreadable() {
    let host = Host::new();
    let sandbox = host.start("hostile").await;
    let script = "mkdir -p /workspace/a/b/c ~/d; touch /workspace/a/b/f; ln -s /etc /workspace/a/link; chmod 000 /workspace/a/b /workspace/a ~/d";
    says(&sandbox, script).await;
    let directory = host.runtime.directory("hostile").unwrap();
    host.runtime.destroy("hostile").await.unwrap();
    assert!(!directory.exists());
    assert!(fs::read_dir(host.path("s/users")).unwrap().next().is_none());
    assert!(host.runtime.list().await.unwrap().is_empty());
    host.runtime.destroy("hostile").await.unwrap();
    host.runtime.destroy("never-was").await.unwrap();
    assert!(fs::exists("/etc/passwd").unwrap());
}

#[tokio::test]
async fn a_frozen_sandbox_stands_still_and_says_so() {
    let host = Host::new();
    let sandbox = host.start("frozen").await;
    let counter = "i=0; while :; do i=$((i+1)); echo $i > /workspace/.new; mv /workspace/.new /workspace/count; done";
    sandbox.guest.spawn("counter", &Command::new(["sh", "-c", counter])).await.unwrap();
    let file = host.runtime.directory("frozen").unwrap().join("workspace/count");
    let count =
        || fs::read_to_string(&file).unwrap_or_default().trim().parse::<u64>().unwrap_or_default();
    until("the counter runs", || count() > 0).await;
    for _ in 0..20 {
        host.runtime.freeze("frozen").await.unwrap();
        let before = count();
        assert!(matches!(sandbox.guest.still_here().await, Err(GuestError::Frozen { .. })));
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(count(), before);
        host.runtime.thaw("frozen").await.unwrap();
        until("the counter goes on", || count() > before).await;
    }
    sandbox.guest.still_here().await.unwrap();
    host.runtime.freeze("frozen").await.unwrap();
    host.runtime.suspend("frozen").await.unwrap();
    assert!(sandbox.has_ended());
}

#[tokio::test]
async fn a_new_cloud_finds_what_the_old_one_started() {
    let host = Host::new();
    let sandbox = host.start("found").await;
    let script = "for i in 1 2 3; do echo line $i; done; read answer; echo got $answer";
    let mut process =
        sandbox.guest.spawn("shell", &Command::new(["sh", "-c", script])).await.unwrap();
    let mut seen = 0;
    while seen < 7 {
        if let Some(Ok(Event::Stdout(bytes))) = process.events.recv().await {
            seen += bytes.len();
        }
    }
    // Frozen by a cloud that then went away: it must answer the next one all the same.
    host.runtime.freeze("found").await.unwrap();
    let other = host.restarted();
    assert!(other.attach("unknown").await.unwrap().is_none());
    let found = other.attach("found").await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.incarnation), ("found", 1));
    assert!(matches!(other.start(&spec("found")).await, Err(Error::Running { .. })));

    // From the eighth byte on, not from the first.
    let mut rest = found.guest.attach("shell", 7, 0);
    let mut text = Vec::new();
    while text.len() < 14 {
        if let Some(Ok(Event::Stdout(bytes))) = rest.events.recv().await {
            text.extend_from_slice(&bytes);
        }
    }
    assert_eq!(text, b"line 2\nline 3\n");
    found.guest.kill("shell", Duration::ZERO).await.unwrap();
    other.suspend("found").await.unwrap();
    assert!(found.has_ended());
    sandbox.ended().await;
}

#[tokio::test]
async fn a_second_start_or_operation_is_refused() {
    let host = Host::new();
    let _sandbox = host.start("twice").await;
    assert!(matches!(host.runtime.start(&spec("twice")).await, Err(Error::Running { .. })));
    let (one, two) = (host.runtime.suspend("twice"), host.runtime.suspend("twice"));
    let both = tokio::join!(one, two);
    assert!(matches!(both, (Ok(()), Err(Error::Busy { .. }))), "{both:?}");
    assert!(matches!(host.runtime.start(&spec("../x")).await, Err(Error::Invalid { .. })));
}

#[tokio::test]
async fn the_end_of_a_sandbox_is_heard() {
    let host = Host::new();
    let sandbox = host.start("ends").await;
    let init = rustix::process::Pid::from_raw(processes_of(&host, "ends")[0]).unwrap();
    assert!(!sandbox.has_ended());
    rustix::process::kill_process(init, rustix::process::Signal::KILL).unwrap();
    tokio::time::timeout(LIMIT, sandbox.ended()).await.unwrap();
    assert!(sandbox.guest.still_here().await.unwrap_err().is_gone());
    assert_eq!(
        host.runtime.list().await.unwrap(),
        [Listed { id: "ends".to_owned(), running: false }]
    );
    host.start_with(Spec { incarnation: 2, ..spec("ends") }).await;
}

#[tokio::test]
async fn the_way_to_the_cloud_survives_a_new_socket() {
    let host = Host::new();
    let spec = crate::inside::spec_with_program(&host, "relay");
    let sandbox = host.start_with(spec).await;
    assert_eq!(crate::inside::look_from(&sandbox).await["relay"], "ENOENT");
    let first = host.runtime.listen("relay").await.unwrap();
    assert_eq!(crate::inside::look_from(&sandbox).await["relay"], "ok");
    // The other tests of this process fork: until a child of theirs becomes its program it holds the socket too, so closing
    // ours is not enough for it to be gone.
    rustix::net::shutdown(&first, rustix::net::Shutdown::Both).unwrap();
    drop(first);
    assert_ne!(crate::inside::look_from(&sandbox).await["relay"], "ok");
    let _second = host.runtime.listen("relay").await.unwrap();
    assert_eq!(crate::inside::look_from(&sandbox).await["relay"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_start_at_once() {
    let host = Host::new();
    let mut alone = Vec::new();
    for number in 0..10 {
        let begun = Instant::now();
        let sandbox = host.start(&format!("alone{number}")).await;
        assert!(shell(&sandbox, "true").await.success());
        alone.push(begun.elapsed());
    }
    alone.sort_unstable();
    println!("start to first command, one by one: p50 {:?}, longest {:?}", alone[5], alone[9]);

    let begun = Instant::now();
    let ids: Vec<_> = (0..20).map(|number| format!("crowd{number}")).collect();
    let started = futures_util::future::join_all(ids.iter().map(|id| async {
        let sandbox = host.start(id).await;
        (says(&sandbox, "readlink /proc/self/ns/pid").await, sandbox)
    }));
    let started = started.await;
    println!("twenty at once until each ran a command: {:?}", begun.elapsed());
    let namespaces: BTreeSet<_> = started.iter().map(|(namespace, _)| namespace).collect();
    assert_eq!(namespaces.len(), 20);
    let begun = Instant::now();
    futures_util::future::join_all(ids.iter().map(|id| host.runtime.destroy(id)))
        .await
        .into_iter()
        .for_each(Result::unwrap);
    println!("twenty removed at once: {:?}", begun.elapsed());
}

/// Control groups of Aloft whose name ends so.
fn groups_of(id: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![std::path::PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let name = entry.file_name().into_string().unwrap_or_default();
                if name.starts_with("aloft-") && name.ends_with(id) {
                    found.push(entry.path().display().to_string());
                }
                waiting.push(entry.path());
            }
        }
    }
    found
}
