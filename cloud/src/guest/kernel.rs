//! Kernel calls that no safe wrapper offers; the guest's only unsafe code.
//!
//! Each function states what makes it sound. What is decided with them is decided elsewhere.
#![expect(
    unsafe_code,
    reason = "inherited descriptors, code between fork and exec, and wait4 have no safe wrapper"
)]

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::FdFlags;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, setrlimit};

/// A child that ended and has been reaped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reaped {
    pub(super) pid: Pid,
    /// Absent after a signal.
    pub(super) exit_code: Option<i32>,
    /// 0 = none.
    pub(super) signal: i32,
    pub(super) user_micros: u64,
    pub(super) system_micros: u64,
    pub(super) max_rss_bytes: u64,
}

/// Takes over the listening unix socket that this program inherited as `fd`.
pub(super) fn inherited_listener(fd: RawFd) -> io::Result<UnixListener> {
    if fd < 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a file descriptor is not negative",
        ));
    }
    // SAFETY: the number is the caller's word that this descriptor was inherited for us alone; whether it is one at all
    // and a listening unix socket is asked of the kernel before anything else is done with it.
    let listener = unsafe { OwnedFd::from_raw_fd(fd) };
    let listens = rustix::net::sockopt::socket_acceptconn(&listener).and_then(|listens| {
        rustix::net::sockopt::socket_domain(&listener)
            .map(|domain| listens && domain == rustix::net::AddressFamily::UNIX)
    });
    match listens {
        Ok(true) => {}
        Ok(false) => {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a listening unix socket"));
        }
        Err(error) => {
            // Closing what may not be ours, or not be open, would be wrong.
            std::mem::forget(listener);
            return Err(error.into());
        }
    }
    rustix::io::fcntl_setfd(&listener, FdFlags::CLOEXEC)?;
    let listener = UnixListener::from(listener);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Waits for one byte on the pipe that this program inherited as `fd`; false where the other end is closed without.
pub(super) fn said_to_go(fd: RawFd) -> io::Result<bool> {
    if fd < 3 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a descriptor of its own"));
    }
    // SAFETY: the number is the caller's word that this descriptor was inherited for us alone; nobody else uses it.
    let gate = unsafe { OwnedFd::from_raw_fd(fd) };
    let length = rustix::io::retry_on_intr(|| rustix::io::read(&gate, &mut [0_u8; 1]))?;
    Ok(length > 0)
}

/// Makes what `command` starts the head of a new session, with its standard input as terminal if `terminal`, and with
/// no descriptor of ours but the standard three.
pub(super) fn in_new_session(command: &mut Command, terminal: bool) {
    let between_fork_and_exec = move || {
        rustix::process::setsid()?;
        // SAFETY: takes no pointer; the standard input of the new process is in place by now.
        if terminal && unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) } != 0 {
            return Err(io::Error::last_os_error());
        }
        restore_descriptor_limit()?;
        // SAFETY: only sets a flag on descriptors of the new process; a failure leaves them as they were.
        unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed()) };
        Ok(())
    };
    // SAFETY: the closure makes system calls only: it neither allocates nor takes a lock.
    unsafe { command.pre_exec(between_fork_and_exec) };
}

/// The soft limit of descriptors that this program was started with; 0 = it still has it.
static DESCRIPTORS: AtomicU64 = AtomicU64::new(0);

/// What this program starts is to have this limit, not the one it raises for itself: old programs cannot count on.
pub(super) fn remember_descriptor_limit(limit: Option<u64>) {
    DESCRIPTORS.store(limit.unwrap_or(0), Ordering::Relaxed);
}

fn restore_descriptor_limit() -> io::Result<()> {
    let limit = DESCRIPTORS.load(Ordering::Relaxed);
    if limit == 0 {
        return Ok(());
    }
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(limit), maximum })?)
}

/// Reaps one child that has ended, whoever's it was before it became ours.
pub(super) fn reap() -> Option<Reaped> {
    let mut status = 0;
    // SAFETY: `rusage` is plain integers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of the right type.
    let pid =
        unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG | libc::__WALL, &raw mut usage) };
    let pid = Pid::from_raw(pid.max(0))?;
    let signal = if libc::WIFSIGNALED(status) { libc::WTERMSIG(status) } else { 0 };
    Some(Reaped {
        pid,
        exit_code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal,
        user_micros: micros(usage.ru_utime),
        system_micros: micros(usage.ru_stime),
        max_rss_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    })
}

/// Signals everything that this program may signal, but itself and the first process of its namespace, at one stroke.
pub(super) fn signal_all(signal: Signal) {
    // SAFETY: takes no pointer. That nothing there may be signalled is no error to anyone.
    unsafe { libc::kill(-1, signal.as_raw()) };
}

fn micros(time: libc::timeval) -> u64 {
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
}
