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
    assert!(cloud.status().await.is_none());
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
