//! Notices what no connection tells: that the machine slept, or that it has another way to the network.
//!
//! After either, a connection may be dead without a sign of it, and those who wait before they try again wait for nothing.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use aloft_proto::v1;
use tokio::time::{Instant, MissedTickBehavior};

use crate::client::Client;
use crate::client::dial::way_to;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(1);
/// A look that comes this much later than it should means that nobody was awake.
const SLEPT: Duration = Duration::from_secs(3);
/// How long a connection may take to prove itself.
const PROOF: Duration = Duration::from_secs(1);

impl Client {
    /// Keeps watch for as long as it is polled. Costs a look at a clock each second and, while a cloud elsewhere is in
    /// use, one at the routes; sends nothing unless something happened.
    pub async fn keep_watch(&self) {
        self.watch_over(|| self.way()).await;
    }

    async fn watch_over(&self, way_now: impl Fn() -> Way) {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut clocks = Clocks::now();
        let mut way = way_now();
        loop {
            looks.tick().await;
            let slept = clocks.slept(Clocks::now());
            let before = std::mem::replace(&mut way, way_now());
            if slept || way.leads_elsewhere(before) {
                tracing::debug!(slept, "the network may be another one");
                self.line.wake();
                self.prove().await;
            }
            // What the proof took is no sleep.
            clocks = Clocks::now();
        }
    }

    /// How packets to the cloud leave this machine now.
    fn way(&self) -> Way {
        match self.line.peer() {
            None => Way::Unknown,
            Some(peer) => way_to(peer).map_or(Way::None, Way::From),
        }
    }

    /// Gives the connection up unless it shows at once that it works. Nobody may be using it: then the next one will see.
    async fn prove(&self) {
        if !self.line.is_used() {
            return;
        }
        let mut cloud = self.cloud();
        let asked = cloud.get_status(v1::GetStatusRequest {});
        // Any answer is one, also a refusal.
        if tokio::time::timeout(PROOF, asked).await.is_err() {
            self.line.renew();
        }
    }
}

/// How packets leave this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Where to is not known yet.
    Unknown,
    /// No network leads there.
    None,
    /// From this address.
    From(IpAddr),
}

impl Way {
    /// Whether there is a way, and another one than before. That a network went away is no reason to do anything.
    fn leads_elsewhere(self, before: Self) -> bool {
        matches!(self, Self::From(_)) && before != Self::Unknown && before != self
    }
}

/// What both clocks say: one that goes on while the machine sleeps, and one that does not.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    wall: SystemTime,
    awake: Instant,
}

impl Clocks {
    fn now() -> Self {
        Self { wall: SystemTime::now(), awake: Instant::now() }
    }

    /// Whether the machine, or this process, was not awake for a while before `later`. A clock that was set looks the same,
    /// and costs one question to the cloud.
    fn slept(self, later: Self) -> bool {
        let wall = later.wall.duration_since(self.wall).unwrap_or_default();
        let awake = later.awake.duration_since(self.awake);
        wall.max(awake) > LOOK + SLEPT
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;
    use crate::config::{Config, Environment, Flags};

    /// How long the way may take to be noticed on a busy machine.
    const LIMIT: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn another_way_wakes_who_waits_and_gives_a_dead_connection_up() {
        // It takes connections and never answers.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment {
            config_dir: Some(folder.path().to_owned()),
            cloud: Some(format!("http://{}", silent.local_addr().unwrap())),
            ..Environment::default()
        };
        let config = Config::load(Flags::default(), environment).unwrap();
        let client = Client::new(&config).unwrap();
        let looks = AtomicU8::new(0);
        let way = || {
            let moved = looks.fetch_add(1, Ordering::Relaxed) > 1;
            Way::From([10, 0, 0, if moved { 7 } else { 2 }].into())
        };
        let mut renewals = client.line.renewals();
        let told = async {
            // Longer than anybody waits: only the other way ends it.
            assert!(client.line.rest(LIMIT * 2).await, "who waited was not woken");
            renewals.changed().await.unwrap();
        };
        tokio::select! {
            told = tokio::time::timeout(LIMIT, told) => told.expect("the dead connection to be given up"),
            () = client.watch_over(way) => {}
            // Somebody uses it all the time.
            () = async { loop { drop(client.get_status(v1::GetStatusRequest {}).await) } } => {}
        }
    }

    #[test]
    fn another_way_is_one_that_is_there_and_was_not() {
        let [wire, air] = [[10, 0, 0, 2], [10, 9, 0, 7]].map(|address| Way::From(address.into()));
        assert!(air.leads_elsewhere(wire) && wire.leads_elsewhere(Way::None));
        assert!(!wire.leads_elsewhere(wire) && !wire.leads_elsewhere(Way::Unknown));
        assert!(!Way::None.leads_elsewhere(wire));
    }

    #[test]
    fn a_sleep_is_seen_by_either_clock() {
        let before = Clocks::now();
        let later = |wall: u64, awake: u64| Clocks {
            wall: before.wall + Duration::from_secs(wall),
            awake: before.awake + Duration::from_secs(awake),
        };
        assert!(!before.slept(later(1, 1)) && !before.slept(later(3, 3)));
        // The machine slept; this process was stopped.
        assert!(before.slept(later(3_600, 1)) && before.slept(later(60, 60)));
        // The clock was set back.
        assert!(!later(3_600, 0).slept(later(0, 1)));
    }
}
