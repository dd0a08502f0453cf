//! Hosts that do not let sandboxes be made: each gets one clear error with its mend, and nothing runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use aloft_cloud::sandbox::Runtime as _;
use aloft_cloud::sandbox::bubblewrap::{Bubblewrap, Options};

use crate::host::{directory, spec};

/// A bubblewrap that knows all options and then says this.
fn failing(says: &str) -> (tempfile::TempDir, Bubblewrap) {
    let place = directory();
    let program = place.path().join("bwrap");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = --help ]; then exec /usr/bin/bwrap --help; fi\necho \"bwrap: {says}\" >&2\nexit 1\n"
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let options = Options {
        bubblewrap: Some(program),
        program: Some(env!("CARGO_BIN_EXE_aloft-cloud").into()),
        ..Options::new(place.path().join("s"))
    };
    let runtime = Bubblewrap::open(options).unwrap();
    (place, runtime)
}

#[tokio::test]
async fn what_bubblewrap_says_becomes_a_mend() {
    for (says, code, fix) in [
        ("setting up uid map: Permission denied", "USER_NAMESPACES_REFUSED", "apparmor"),
        ("Can't mount proc on /newroot/proc: Operation not permitted", "PROC_MASKED", "unmask=ALL"),
        ("Failed to make / slave: Permission denied", "MOUNTS_REFUSED", "container"),
        ("something new", "SANDBOX_ENDED", "doctor"),
    ] {
        let (_place, runtime) = failing(says);
        let error = runtime.probe().await.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.hint().unwrap().contains(fix), "{:?}", error.hint());
        assert!(error.to_string().contains(says), "{error}");
        let error = runtime.start(&spec("a")).await.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(runtime.list().await.unwrap().iter().all(|listed| !listed.running));
        runtime.destroy("a").await.unwrap();
    }
}

#[tokio::test]
async fn without_bubblewrap_its_package_is_named() {
    let place = directory();
    let options = Options {
        bubblewrap: Some(place.path().join("bwrap")),
        program: Some(env!("CARGO_BIN_EXE_aloft-cloud").into()),
        ..Options::new(place.path().join("s"))
    };
    let runtime = Bubblewrap::open(options).unwrap();
    let error = runtime.probe().await.unwrap_err();
    assert_eq!(error.code(), "BUBBLEWRAP_MISSING");
    assert!(error.hint().unwrap().contains("apt-get install bubblewrap"));
}

#[tokio::test]
async fn a_guest_that_cannot_run_is_an_error_with_its_words() {
    let place = directory();
    let options =
        Options { program: Some("/bin/false".into()), ..Options::new(place.path().join("s")) };
    let runtime = Bubblewrap::open(options).unwrap();
    let error = runtime.start(&spec("a")).await.unwrap_err();
    assert_eq!(error.code(), "SANDBOX_ENDED");
    assert!(runtime.list().await.unwrap().iter().all(|listed| !listed.running));
    runtime.destroy("a").await.unwrap();
}

#[tokio::test]
async fn a_mirror_out_of_reach_is_named() {
    let host = crate::host::Host::new();
    let mut spec = spec("a");
    spec.mirror = Some(host.path("missing.git"));
    let error = host.runtime.start(&spec).await.unwrap_err();
    assert_eq!(error.code(), "SANDBOX_SOURCE_CLOSED");
    assert!(error.to_string().contains("missing.git"), "{error}");
}
