//! A network that can be cut: passes bytes on between a port of its own and another one, or holds all of them back.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// The network; its threads end with the test's process.
pub(super) struct Relay {
    port: u16,
    cut: Arc<AtomicBool>,
}

impl Relay {
    /// One that leads to this port.
    pub(super) fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(AtomicBool::new(false));
        let network = Arc::clone(&cut);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let network = Arc::clone(&network);
                std::thread::spawn(move || {
                    wait(&network);
                    let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else { return };
                    let pairs =
                        [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)];
                    for (from, to) in pairs {
                        let network = Arc::clone(&network);
                        std::thread::spawn(move || pass(from, to, &network));
                    }
                });
            }
        });
        Self { port, cut }
    }

    /// Where it begins.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Cuts it, or mends it.
    pub(super) fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let mut piece = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        wait(cut);
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    wait(cut);
    let _gone = to.shutdown(Shutdown::Write);
}

fn wait(cut: &AtomicBool) {
    while cut.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(5));
    }
}
