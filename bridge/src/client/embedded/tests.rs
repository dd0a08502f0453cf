//! The start of the embedded cloud with a small cloud of this test, run as a process of its own: this test binary.

use super::*;

#[test]
fn versions_are_compared_by_number() {
    let cases = [
        ("0.1.0", "0.1.0", false),
        ("0.1.0", "0.2.0", true),
        ("0.9.0", "0.10.0", true),
        ("1.0.0-rc1", "1.0.0", false),
        ("0.2.0", "0.1.9", false),
        ("nonsense", "0.1.0", false),
    ];
    for (version, own, older) in cases {
        assert_eq!(is_older(version, own), older, "{version} {own}");
    }
}

#[tokio::test]
async fn the_lock_is_held_by_one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let held = Lock::take(&path, Duration::ZERO).await.unwrap();
    assert!(matches!(Lock::take(&path, Duration::ZERO).await, Err(Error::Locked { .. })));
    drop(held);
    Lock::take(&path, Duration::ZERO).await.unwrap();
}

fn embedded(folder: &Path, program: &Path) -> Embedded {
    Embedded {
        socket: folder.join("run/cloud.sock"),
        data: folder.join("cloud"),
        program: Some(program.to_owned()),
        version: "0.1.0".into(),
        patience: END,
    }
}

fn program(folder: &Path, script: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("aloft-cloud");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn a_cloud_that_ends_at_once_is_an_error_with_its_last_words() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "echo old words; echo \"no namespaces here\" >&2; exit 7");
    let cloud = embedded(folder.path(), &program);
    for _ in 0..2 {
        let error = crate::protocol::error::Error::from(cloud.ensure().await.unwrap_err());
        assert_eq!(
            (error.reason.as_str(), error.code.exit(), error.retryable),
            ("CLOUD_START_FAILED", 4, false)
        );
        assert_eq!(error.message.matches("no namespaces here").count(), 1, "{}", error.message);
        assert!(error.message.contains("exit status: 7"), "{}", error.message);
    }
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = embedded(folder.path(), Path::new("/nowhere/aloft-cloud"));
    let error = crate::protocol::error::Error::from(cloud.ensure().await.unwrap_err());
    assert_eq!(error.reason, "CLOUD_NOT_INSTALLED");
    assert!(cloud.status().await.unwrap().is_none());
    assert!(!cloud.stop().await.unwrap());
}

#[tokio::test]
async fn a_folder_open_to_others_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let cloud = embedded(folder.path(), &program(folder.path(), "exit 0"));
    std::fs::create_dir(folder.path().join("run")).unwrap();
    std::fs::set_permissions(folder.path().join("run"), std::fs::Permissions::from_mode(0o777))
        .unwrap();
    assert!(matches!(cloud.ensure().await, Err(Error::Unsafe { .. })));
}

#[tokio::test]
async fn a_cloud_that_does_not_answer_is_not_taken_for_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut cloud = embedded(folder.path(), &program(folder.path(), "exit 0"));
    cloud.patience = Duration::ZERO;
    std::fs::create_dir_all(cloud.socket().parent().unwrap()).unwrap();
    let _deaf = tokio::net::UnixListener::bind(cloud.socket()).unwrap();
    assert!(matches!(cloud.stop().await, Err(Error::Silent { .. })));
}

/// Where the small cloud's process listens; absent in an ordinary run of the tests.
const LISTEN: &str = "ALOFT_TEST_SMALL_CLOUD";

/// A cloud that only says how it is and ends when asked.
struct SmallCloud {
    version: String,
    running_turns: u32,
    end: tokio::sync::mpsc::Sender<()>,
}

#[tonic::async_trait]
impl v1::cloud_service_server::CloudService for SmallCloud {
    async fn get_status(
        &self,
        _: tonic::Request<v1::GetStatusRequest>,
    ) -> Result<tonic::Response<v1::GetStatusResponse>, tonic::Status> {
        Ok(tonic::Response::new(v1::GetStatusResponse {
            version: self.version.clone(),
            pid: std::process::id(),
            running_turns: self.running_turns,
            ..Default::default()
        }))
    }

    async fn shutdown(
        &self,
        request: tonic::Request<v1::ShutdownRequest>,
    ) -> Result<tonic::Response<v1::ShutdownResponse>, tonic::Status> {
        use tonic_types::StatusExt as _;
        if request.get_ref().only_when_idle && self.running_turns > 0 {
            let details = tonic_types::ErrorDetails::with_error_info(
                "TURN_ACTIVE",
                "aloft",
                [("retryable".to_owned(), "true".to_owned())],
            );
            let message = "a turn runs";
            return Err(tonic::Status::with_error_details(
                tonic::Code::FailedPrecondition,
                message,
                details,
            ));
        }
        self.end.send(()).await.ok();
        Ok(tonic::Response::new(v1::ShutdownResponse {}))
    }

    async fn list_agents(
        &self,
        _: tonic::Request<v1::ListAgentsRequest>,
    ) -> Result<tonic::Response<v1::ListAgentsResponse>, tonic::Status> {
        Err(tonic::Status::unimplemented(""))
    }

    async fn set_key(
        &self,
        _: tonic::Request<v1::SetKeyRequest>,
    ) -> Result<tonic::Response<v1::Key>, tonic::Status> {
        Err(tonic::Status::unimplemented(""))
    }

    async fn list_keys(
        &self,
        _: tonic::Request<v1::ListKeysRequest>,
    ) -> Result<tonic::Response<v1::ListKeysResponse>, tonic::Status> {
        Err(tonic::Status::unimplemented(""))
    }

    async fn delete_key(
        &self,
        _: tonic::Request<v1::DeleteKeyRequest>,
    ) -> Result<tonic::Response<v1::DeleteKeyResponse>, tonic::Status> {
        Err(tonic::Status::unimplemented(""))
    }

    async fn test_key(
        &self,
        _: tonic::Request<v1::TestKeyRequest>,
    ) -> Result<tonic::Response<v1::TestKeyResponse>, tonic::Status> {
        Err(tonic::Status::unimplemented(""))
    }
}

/// The process of the small cloud: this test, run again by [`small_cloud`]'s script. Does nothing in an ordinary run.
#[tokio::test]
async fn small_cloud_process() {
    let Ok(listen) = std::env::var(LISTEN) else { return };
    let [socket, version, turns] = listen.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{listen}")
    };
    let listener = tokio::net::UnixListener::bind(socket.trim_start_matches("unix:")).unwrap();
    let (end, mut ended) = tokio::sync::mpsc::channel(1);
    let cloud = SmallCloud { version: version.into(), running_turns: turns.parse().unwrap(), end };
    let service = v1::cloud_service_server::CloudServiceServer::new(cloud);
    let incoming = tokio_stream::wrappers::UnixListenerStream::new(listener);
    let serving =
        tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming);
    // A test that was killed leaves no cloud behind for long.
    let limit = tokio::time::sleep(Duration::from_secs(60));
    tokio::select! {
        _ = serving => {}
        _ = ended.recv() => {}
        () = limit => {}
    }
}

/// Makes a program that behaves as a cloud of this version and counts its starts in a file.
fn small_cloud(folder: &Path, version: &str, turns: u32) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let name = "client::embedded::tests::small_cloud_process";
    let script = format!(
        "echo started >> {}\nexport {LISTEN}=\"$3 {version} {turns}\"\nexec {} --exact {name} --nocapture",
        folder.join("starts").display(),
        test.display()
    );
    program(folder, &script)
}

fn starts(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("starts")).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn ten_at_once_start_one_cloud_that_ends_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = embedded(folder.path(), &small_cloud(folder.path(), "0.1.0", 0));
    let all = (0..10).map(|_| {
        let cloud = cloud.clone();
        tokio::spawn(async move { cloud.ensure().await.unwrap().pid })
    });
    let pids = futures_util::future::join_all(all)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect::<Vec<_>>();
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
    assert_eq!(starts(folder.path()), 1);
    let process = rustix::process::Pid::from_raw(i32::try_from(pids[0]).unwrap());
    assert_eq!(
        rustix::process::getsid(process).unwrap(),
        process.unwrap(),
        "it has a session of its own"
    );
    assert!(cloud.stop().await.unwrap());
    assert!(!detach::is_alive(pids[0]));
    assert!(!cloud.stop().await.unwrap());
}

#[tokio::test]
async fn the_socket_of_a_killed_cloud_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = embedded(folder.path(), &small_cloud(folder.path(), "0.1.0", 0));
    let first = cloud.ensure().await.unwrap().pid;
    let process = rustix::process::Pid::from_raw(i32::try_from(first).unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    assert!(cloud.socket.exists());
    let second = cloud.ensure().await.unwrap().pid;
    assert_ne!(first, second);
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn an_older_cloud_is_replaced_when_no_turn_runs() {
    for (turns, replaced) in [(0, true), (1, false)] {
        let folder = tempfile::tempdir().unwrap();
        let old = embedded(folder.path(), &small_cloud(folder.path(), "0.0.9", turns));
        let old = Embedded { version: "0.0.9".into(), ..old };
        let before = old.ensure().await.unwrap().pid;
        let new = embedded(folder.path(), &small_cloud(folder.path(), "0.1.0", 0));
        let after = new.ensure().await.unwrap();
        assert_eq!(after.pid != before, replaced);
        assert_eq!(after.version, if replaced { "0.1.0" } else { "0.0.9" });
        new.stop().await.unwrap();
    }
}
