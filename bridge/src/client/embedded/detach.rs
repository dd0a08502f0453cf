//! A process that outlives the one that started it, and the private folders it lives in.
#![expect(unsafe_code, reason = "a session of its own can only be made between fork and exec")]

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, getuid, setsid, test_kill_process};

use crate::client::embedded::Error;

/// Starts `aloft-cloud serve` in a session of its own, without a terminal, its words going to the log.
pub(crate) fn spawn(
    program: &Path,
    socket: &Path,
    data: &Path,
    output: File,
) -> Result<Child, Error> {
    let failed = |source| Error::Spawn { program: program.to_owned(), source };
    let mut listen = std::ffi::OsString::from("unix:");
    listen.push(socket);
    let mut command = Command::new(program);
    command
        .arg("serve")
        .arg("--listen")
        .arg(listen)
        .arg("--data")
        .arg(data)
        .current_dir(data)
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(failed)?)
        .stderr(output);
    // SAFETY: setsid is async-signal-safe and touches no memory of the parent.
    unsafe { command.pre_exec(|| setsid().map(drop).map_err(io::Error::from)) };
    command.spawn().map_err(failed)
}

/// Waits for the end of a started cloud, so that it does not stay a zombie of a bridge that lives long. The thread ends
/// with the cloud or with this process.
pub(crate) fn reap_later(mut child: Child) {
    let reaper = std::thread::Builder::new().name("cloud-reaper".into()).stack_size(64 << 10);
    if let Err(error) = reaper.spawn(move || drop(child.wait())) {
        tracing::debug!(%error, "no thread to wait for the embedded cloud");
    }
}

/// Kills a cloud that did not come up.
pub(crate) fn kill(child: &mut Child) {
    if let Err(error) = child.kill().and_then(|()| child.wait().map(drop)) {
        tracing::debug!(%error, "the embedded cloud was gone already");
    }
}

/// Tells whether a process of that number is there.
pub(crate) fn is_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

/// Makes a folder that only this user may use; refuses one that others may write into.
pub(crate) fn private_folder(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Folder { path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    let folder = std::fs::metadata(path).map_err(failed)?;
    let ours = folder.uid() == getuid().as_raw();
    if ours && folder.mode() & 0o022 == 0 {
        Ok(())
    } else {
        Err(Error::Unsafe { path: path.to_owned() })
    }
}
