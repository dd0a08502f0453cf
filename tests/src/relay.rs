//! A network between a bridge and its cloud that a test can break in the ways real ones break.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

/// How the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Everything passes.
    Up,
    /// Connections are closed, and so is each new one.
    Cut,
    /// Nothing passes and nobody is told; connections from before it never work again.
    Silent,
    /// What the bridge says arrives, and what the cloud answers does not.
    Deaf,
}

/// Relays TCP to a cloud; ends with the test.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    network: Network,
    /// Counts silences: what was connected before one is lost.
    lost: u64,
    open: Vec<TcpStream>,
    /// Bytes the bridges sent since the network last changed.
    heard: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while the network is silent; false for a connection that a silence cost.
    fn passes(&self, born: u64) -> bool {
        let mut state = self.state();
        while state.network == Network::Silent && state.lost == born {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.lost == born
    }
}

impl Relay {
    /// Relays to a port of this machine.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { network: Network::Up, lost: 0, open: Vec::new(), heard: 0 };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accept(&listener, port, &accepting));
        Self { address, shared }
    }

    /// The address a bridge is to use.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes the network like this.
    pub fn set(&self, network: Network) {
        let mut state = self.shared.state();
        state.network = network;
        state.heard = 0;
        match network {
            Network::Cut => close(&mut state.open),
            Network::Silent => state.lost += 1,
            // Whoever was not answered learns nothing of it.
            Network::Up | Network::Deaf => {}
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Bytes the bridges sent since the network last changed.
    pub fn heard(&self) -> u64 {
        self.shared.state().heard
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.set(Network::Cut);
    }
}

fn close(open: &mut Vec<TcpStream>) {
    for stream in open.drain(..) {
        let _gone = stream.shutdown(Shutdown::Both);
    }
}

fn accept(listener: &TcpListener, port: u16, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        let Ok(client) = client else { continue };
        let born = shared.state().lost;
        // What comes in a silence is heard when it is over.
        while !shared.passes(born) && shared.state().network == Network::Silent {
            let state = shared.state();
            drop(shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner));
        }
        let mut state = shared.state();
        let born = state.lost;
        if state.network == Network::Cut {
            let _gone = client.shutdown(Shutdown::Both);
            continue;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
        let clones = || Some((client.try_clone().ok()?, server.try_clone().ok()?));
        let (Some(one), Some(other)) = (clones(), clones()) else { continue };
        state.open.extend([one.0, one.1]);
        drop(state);
        let (to, from) = (Arc::clone(shared), Arc::clone(shared));
        std::thread::spawn(move || pass(client, server, &to, born, false));
        std::thread::spawn(move || pass(other.1, other.0, &from, born, true));
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, shared: &Shared, born: u64, answers: bool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !shared.passes(born) {
            // Lost without a word: the streams stay open, in the hands of the relay.
            return;
        }
        {
            let mut state = shared.state();
            if answers && state.network == Network::Deaf {
                continue;
            }
            if !answers {
                state.heard += count as u64;
            }
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _gone = to.shutdown(Shutdown::Both);
}
