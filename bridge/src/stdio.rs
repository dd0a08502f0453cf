//! Standard input and output without a thread of their own for each piece, where they are pipes or sockets, as editors and
//! ssh make them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

/// Most bytes that [`exchange`] moves at once.
const PIECE: usize = 256 << 10;

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

/// Carries bytes between the standard streams and a server on this machine, until it has said its last or nobody listens any
/// more. A thread for each direction that waits in the kernel is what costs least; they may outlive this.
pub(crate) async fn exchange(server: net::UnixStream) -> io::Result<()> {
    let (mut from, mut to) = (server.try_clone()?, server);
    let (mut input, mut output) = (waiting(&io::stdin())?, waiting(&io::stdout())?);
    let (over, end) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new;
    let up = move || {
        pass(&mut input, &mut to);
        to.shutdown(Shutdown::Write).ok();
    };
    let down = move || {
        pass(&mut from, &mut output);
        drop(over);
    };
    thread().spawn(up).and(thread().spawn(down))?;
    // It says nothing, but is gone.
    end.await.ok();
    Ok(())
}

/// Passes bytes on to the last one.
fn pass(from: &mut impl Read, to: &mut impl Write) {
    let mut data = vec![0; PIECE];
    loop {
        let passed = match from.read(&mut data) {
            Ok(0) => return,
            Ok(count) => to.write_all(&data[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        if let Err(error) = passed {
            tracing::debug!(%error, "bytes cannot be passed on any more");
            return;
        }
    }
}

/// One of the standard streams, for a thread that waits for it.
fn waiting(stream: &impl AsFd) -> io::Result<File> {
    let stream = duplicate(stream)?;
    rustix::io::ioctl_fionbio(&stream, false)?;
    Ok(File::from(stream))
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
