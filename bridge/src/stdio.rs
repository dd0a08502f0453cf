//! Standard input and output without a thread of their own for each piece, where they are pipes or sockets, as editors and
//! ssh make them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

/// Standard input. To be called within a runtime.
pub(crate) fn input() -> Box<dyn AsyncRead + Send + Unpin> {
    if let Ok(pipe) = duplicate(&io::stdin()).and_then(pipe::Receiver::from_owned_fd) {
        return Box::new(pipe);
    }
    match duplicate(&io::stdin()).and_then(socket) {
        Ok(socket) => Box::new(socket),
        Err(_) => Box::new(tokio::io::stdin()),
    }
}

/// Standard output, the same way. It ends when this is let go of, so the process keeps none of its own.
pub(crate) fn output() -> Box<dyn AsyncWrite + Send + Unpin> {
    let pipe = duplicate(&io::stdout()).and_then(pipe::Sender::from_owned_fd);
    let direct: io::Result<Box<dyn AsyncWrite + Send + Unpin>> = match pipe {
        Ok(pipe) => Ok(Box::new(pipe)),
        Err(_) => duplicate(&io::stdout()).and_then(socket).map(|socket| Box::new(socket) as _),
    };
    let nothing = File::options().write(true).open("/dev/null");
    match (direct, nothing) {
        (Ok(direct), Ok(nothing)) if rustix::stdio::dup2_stdout(&nothing).is_ok() => direct,
        _ => Box::new(tokio::io::stdout()),
    }
}

/// Lets much be on its way in the pipes that the standard streams are, so that who writes and who reads take turns less often.
/// The kernel gives what it allows.
pub(crate) fn widen() {
    #[cfg(target_os = "linux")]
    {
        /// A person has some hundred of them before the kernel makes them all small.
        const WIDE: usize = 512 << 10;
        let _only_slower = rustix::pipe::fcntl_setpipe_size(io::stdin(), WIDE);
        let _only_slower = rustix::pipe::fcntl_setpipe_size(io::stdout(), WIDE);
    }
}

/// Standard input and output, where both are pipes.
pub(crate) fn pipes() -> Option<[OwnedFd; 2]> {
    let of = |stream: OwnedFd| {
        let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&stream).ok()?.st_mode);
        kind.is_fifo().then_some(stream)
    };
    Some([of(duplicate(&io::stdin()).ok()?)?, of(duplicate(&io::stdout()).ok()?)?])
}

/// Lets whoever shares the standard streams wait in them again, as they could before.
pub(crate) fn restore() {
    let _as_it_was = rustix::io::ioctl_fionbio(io::stdin(), false);
    let _as_it_was = rustix::io::ioctl_fionbio(io::stdout(), false);
}

fn duplicate(stream: &impl AsFd) -> io::Result<OwnedFd> {
    stream.as_fd().try_clone_to_owned()
}

fn socket(fd: OwnedFd) -> io::Result<UnixStream> {
    let socket = net::UnixStream::from(fd);
    // Fails where it is none.
    socket.local_addr()?;
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}
