//! A cloud that is no part of a bridge: it listens on a port, and can go and come back with everything it had.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::{
    home::{Home, kill, program},
    poll,
};

/// What callers must show.
pub const TOKEN: &str = "token-of-the-tests";

/// A cloud on a port of this machine.
#[derive(Debug)]
pub struct Remote {
    port: u16,
    log: PathBuf,
    child: Option<Child>,
}

impl Remote {
    /// Starts one whose data lie on this machine.
    pub fn start(home: &Home) -> Self {
        let port = free_port();
        let mut remote = Self { port, log: home.path("remote.log"), child: None };
        remote.run(home);
        remote
    }

    /// Starts it again.
    pub fn run(&mut self, home: &Home) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut command = Command::new(program("aloft-cloud"));
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{}", self.port), "--data"])
            .arg(home.path("remote"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0);
        home.dress(&mut command);
        command.env("ALOFT_TOKEN", TOKEN);
        self.child = Some(command.spawn().unwrap());
        poll::until("the cloud to listen", || {
            TcpStream::connect(("127.0.0.1", self.port)).ok().map(drop)
        });
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address, past any relay.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) {
        self.end(libc::SIGKILL);
    }

    fn end(&mut self, signal: i32) {
        if let Some(mut child) = self.child.take() {
            kill(i32::try_from(child.id()).unwrap(), signal);
            child.wait().unwrap();
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "-- remote.log --\n{}",
                std::fs::read_to_string(&self.log).unwrap_or_default()
            );
        }
        self.end(libc::SIGTERM);
    }
}

/// A port below those the kernel gives to whoever connects somewhere: it is still free when the cloud comes back to it.
pub fn free_port() -> u16 {
    loop {
        let random = RandomState::new().build_hasher().finish();
        let port = 20_000 + u16::try_from(random % 12_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
