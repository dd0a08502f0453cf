//! Starts one program from a process with many threads: exact descriptors, no environment, another user.
//!
//! The standard library's `Command` cannot do it: it puts a pipe of its own at a number we may need, and closes nothing.
//! Between fork and exec the child makes system calls only; everything it needs is prepared before.

#![expect(unsafe_code, reason = "fork, exec and what lies between them have no safe form")]

use std::ffi::{CStr, CString, c_int, c_long};
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::ptr;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Descriptors of the child are first moved to this number and up, so that none is in the way of another.
const ASIDE: c_int = 64;

/// Most descriptors a program can be given.
const MOST_DESCRIPTORS: usize = 8;

/// What to start.
#[derive(Debug)]
pub(super) struct Launch {
    /// Absolute path.
    pub(super) program: CString,
    /// With the program's name as first.
    pub(super) arguments: Vec<CString>,
    /// Each with its number in the new program; at most eight. It gets no others.
    pub(super) descriptors: Vec<(OwnedFd, RawFd)>,
    /// `cgroup.procs` files opened for writing, to be joined before the program begins.
    pub(super) groups: Vec<OwnedFd>,
    /// Resource and its limit.
    pub(super) limits: Vec<(Resource, u64)>,
    /// User and group to become; `None` = stay.
    pub(super) identity: Option<(u32, u32)>,
}

/// What a process can be limited in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Resource {
    /// Size of a core dump.
    Core,
    /// Size of a file.
    File,
}

/// A started program.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: Pid,
    /// Readable when it has ended.
    pub(super) descriptor: OwnedFd,
}

/// The step of the child that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Step {
    Groups = 1,
    Descriptors = 2,
    Limits = 3,
    Identity = 4,
    Execute = 5,
}

/// Starts a program in a session of its own and with an empty environment; returns when it runs, or says why not.
pub(super) fn spawn(launch: Launch) -> io::Result<Child> {
    if launch.descriptors.len() > MOST_DESCRIPTORS {
        return Err(io::Error::other("too many descriptors"));
    }
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut arguments: Vec<*const libc::c_char> =
        launch.arguments.iter().map(|argument| argument.as_ptr()).collect();
    arguments.push(ptr::null());
    let plan = Plan {
        program: &launch.program,
        arguments: &arguments,
        descriptors: &launch.descriptors,
        groups: &launch.groups,
        limits: &launch.limits,
        identity: launch.identity,
    };
    // SAFETY: the child only makes system calls on prepared data, then execs or exits.
    let pid = match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => plan.run(write.as_raw_fd()),
        pid => pid,
    };
    drop(write);
    drop(launch);
    let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("fork gave no pid"))?;
    let mut failure = [0; 5];
    if std::fs::File::from(read).read(&mut failure)? == 0 {
        return Ok(Child { pid, descriptor: pidfd_open(pid, PidfdFlags::empty())? });
    }
    rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty())?;
    let [step, code @ ..] = failure;
    let source = io::Error::from_raw_os_error(i32::from_ne_bytes(code));
    Err(io::Error::new(source.kind(), format!("{} ({source})", step_name(step))))
}

/// Makes the end of a process something to await.
pub(super) fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned and moves along, so it stays open for as long as it is registered.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?)
}

fn step_name(step: u8) -> &'static str {
    match step {
        step if step == Step::Groups as u8 => "join control groups",
        step if step == Step::Descriptors as u8 => "arrange descriptors",
        step if step == Step::Limits as u8 => "set limits",
        step if step == Step::Identity as u8 => "become the sandbox's user",
        _ => "execute the program",
    }
}

struct Plan<'a> {
    program: &'a CStr,
    arguments: &'a [*const libc::c_char],
    descriptors: &'a [(OwnedFd, RawFd)],
    groups: &'a [OwnedFd],
    limits: &'a [(Resource, u64)],
    identity: Option<(u32, u32)>,
}

impl Plan<'_> {
    /// Runs in the child.
    fn run(&self, failures: RawFd) -> ! {
        // SAFETY: plain system calls; every pointer is to data that outlives them.
        unsafe {
            let failures = libc::fcntl(failures, libc::F_DUPFD_CLOEXEC, ASIDE);
            let step = self.steps();
            let code = *libc::__errno_location();
            let mut message = [step as u8; 5];
            message[1..].copy_from_slice(&code.to_ne_bytes());
            libc::write(failures, message.as_ptr().cast(), message.len());
            libc::_exit(127)
        }
    }

    /// Returns only when one of them failed, with `errno` set.
    unsafe fn steps(&self) -> Step {
        // SAFETY: as in `run`.
        unsafe {
            for group in self.groups {
                if libc::write(group.as_raw_fd(), b"0".as_ptr().cast(), 1) != 1 {
                    return Step::Groups;
                }
            }
            libc::setsid();
            libc::umask(0o022);
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            let mut none = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
            if !self.arrange() {
                return Step::Descriptors;
            }
            for (resource, limit) in self.limits {
                let both = libc::rlimit { rlim_cur: *limit, rlim_max: *limit };
                if libc::setrlimit(resource.number(), &raw const both) != 0 {
                    return Step::Limits;
                }
            }
            if let Some((user, group)) = self.identity {
                // Raw calls: those of the C library would speak to threads that this process no longer has.
                let (user, group) = (c_long::from(user), c_long::from(group));
                if libc::syscall(libc::SYS_setgroups, 0, ptr::null::<libc::gid_t>()) != 0
                    || libc::syscall(libc::SYS_setresgid, group, group, group) != 0
                    || libc::syscall(libc::SYS_setresuid, user, user, user) != 0
                {
                    return Step::Identity;
                }
            }
            let environment = [ptr::null()];
            libc::execve(self.program.as_ptr(), self.arguments.as_ptr(), environment.as_ptr());
            Step::Execute
        }
    }

    unsafe fn arrange(&self) -> bool {
        let mut aside = [0; MOST_DESCRIPTORS];
        // SAFETY: as in `run`.
        unsafe {
            for (place, (source, _)) in aside.iter_mut().zip(self.descriptors) {
                *place = libc::fcntl(source.as_raw_fd(), libc::F_DUPFD_CLOEXEC, ASIDE);
                if *place < 0 {
                    return false;
                }
            }
            let flags = c_long::from(libc::CLOSE_RANGE_CLOEXEC);
            if libc::syscall(libc::SYS_close_range, 3 as c_long, c_long::from(u32::MAX), flags) != 0
            {
                return false;
            }
            for (source, (_, target)) in aside.iter().zip(self.descriptors) {
                if libc::dup2(*source, *target) < 0 {
                    return false;
                }
            }
        }
        true
    }
}

impl Resource {
    #[cfg(target_env = "gnu")]
    fn number(self) -> libc::__rlimit_resource_t {
        match self {
            Self::Core => libc::RLIMIT_CORE,
            Self::File => libc::RLIMIT_FSIZE,
        }
    }

    #[cfg(not(target_env = "gnu"))]
    fn number(self) -> c_int {
        match self {
            Self::Core => libc::RLIMIT_CORE,
            Self::File => libc::RLIMIT_FSIZE,
        }
    }
}
