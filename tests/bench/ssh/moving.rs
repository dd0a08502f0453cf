//! Ways to move bytes through a connection, each to its end and timed by the client.

use std::{
    fs::File,
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use aloft_tests::{poll, remote::free_port};
use anyhow::ensure;

use crate::ssh::side::{Side, timed};

/// What one transfer moves.
pub(super) const BYTES: u64 = 96 << 20;
const MEBIBYTE: f64 = 1_048_576.0;

/// Speaks on a port: what it is asked for, or it listens to the last byte and says so. Ends after an hour.
pub(super) const PEER: &str = "import socket, sys, threading, os
threading.Timer(3600, lambda: os._exit(0)).start()
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen(16)
with open('port.new', 'w') as file:
    file.write(str(listener.getsockname()[1]))
os.rename('port.new', sys.argv[1])
piece = bytes(1 << 18)
def attend(stream):
    with stream:
        if stream.recv(1) == b'd':
            for _ in range(int(sys.argv[2]) >> 18):
                stream.sendall(piece)
            return
        room = bytearray(1 << 18)
        while stream.recv_into(room):
            pass
        stream.sendall(b'k')
while True:
    threading.Thread(target=attend, args=(listener.accept()[0],), daemon=True).start()
";

/// One way.
#[derive(Debug)]
pub(super) struct Move {
    pub(super) name: &'static str,
    run: fn(&Side, &str) -> anyhow::Result<Duration>,
}

pub(super) const MOVES: &[Move] = &[
    Move { name: "exec, down", run: exec_down },
    Move { name: "exec, up", run: exec_up },
    Move { name: "forward, down", run: forward_down },
    Move { name: "forward, up", run: forward_up },
    Move { name: "sftp, down", run: get },
    Move { name: "sftp, up", run: put },
];

impl Move {
    /// Moves the bytes once; in MiB/s.
    pub(super) fn speed(&self, side: &Side, cipher: &str) -> anyhow::Result<f64> {
        let took = (self.run)(side, cipher)?;
        #[expect(clippy::cast_precision_loss, reason = "a round number")]
        Ok(BYTES as f64 / MEBIBYTE / took.as_secs_f64())
    }
}

fn exec_down(side: &Side, cipher: &str) -> anyhow::Result<Duration> {
    side.run(&["-c", cipher], &format!("head -c {BYTES} /dev/zero"))
}

fn exec_up(side: &Side, cipher: &str) -> anyhow::Result<Duration> {
    let zeros = zeros(side)?;
    let mut command = side.command(&["-c", cipher], Some("cat > /dev/null"));
    command.stdin(zeros);
    timed(command)
}

fn forward_down(side: &Side, cipher: &str) -> anyhow::Result<Duration> {
    forwarded(side, cipher, |mut stream| {
        stream.write_all(b"d")?;
        let (mut room, mut total) = (vec![0; 1 << 18], 0);
        while let count @ 1.. = stream.read(&mut room)? {
            total += count as u64;
        }
        ensure!(total == BYTES, "{total} bytes came through the forward");
        Ok(())
    })
}

fn forward_up(side: &Side, cipher: &str) -> anyhow::Result<Duration> {
    forwarded(side, cipher, |mut stream| {
        stream.write_all(b"u")?;
        let piece = vec![0; 1 << 18];
        for _ in 0..BYTES >> 18 {
            stream.write_all(&piece)?;
        }
        stream.shutdown(std::net::Shutdown::Write)?;
        stream.read_exact(&mut [0; 1])?;
        Ok(())
    })
}

/// Times what is done with a connection through a forward that stands.
fn forwarded(
    side: &Side,
    cipher: &str,
    work: impl FnOnce(TcpStream) -> anyhow::Result<()>,
) -> anyhow::Result<Duration> {
    let (port, peer) = (free_port(), side.peer()?);
    let forward = format!("{port}:127.0.0.1:{peer}");
    let mut client = side.command(&["-c", cipher, "-N", "-L", &forward], None).spawn()?;
    let connect = || TcpStream::connect(("127.0.0.1", port)).ok();
    // The first one also waits for the login.
    drop(poll::until("the forward", connect));
    let stream = poll::until("the forward", connect);
    let began = Instant::now();
    let done = work(stream);
    let took = began.elapsed();
    client.kill()?;
    client.wait()?;
    done.map(|()| took)
}

fn get(side: &Side, cipher: &str) -> anyhow::Result<Duration> {
    let (from, to) = (side.folder(), side.config().with_extension("got"));
    batch(side, cipher, &format!("get {from}/file {}", to.display()))
}

fn put(side: &Side, cipher: &str) -> anyhow::Result<Duration> {
    let (from, to) = (zeros_path(side), side.folder());
    zeros(side)?;
    batch(side, cipher, &format!("put {} {to}/put", from.display()))
}

fn batch(side: &Side, cipher: &str, line: &str) -> anyhow::Result<Duration> {
    let file = side.config().with_extension("batch");
    std::fs::write(&file, format!("{line}\n"))?;
    let mut command = Command::new("sftp");
    command.args(["-q", "-c", cipher, "-F"]).arg(side.config());
    command.arg("-b").arg(&file).arg("h");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    timed(command)
}

fn zeros_path(side: &Side) -> std::path::PathBuf {
    side.config().with_file_name("zeros")
}

/// A file of as many zeros as are moved.
fn zeros(side: &Side) -> anyhow::Result<File> {
    let path = zeros_path(side);
    if !path.exists() {
        File::create(&path)?.set_len(BYTES)?;
    }
    Ok(File::open(path)?)
}
