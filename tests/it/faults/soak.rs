//! Many threads whose people stop, guide, queue, pause and lose their connection, while clouds, guests and agents die: afterwards
//! every thread is explained, and what was acknowledged is there once.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use aloft_proto::v1::Mode;
use aloft_tests::{
    cloud::Watcher,
    home::kill,
    random::{self, Random},
    sender::{Answered, Ask, Sender},
};

use crate::faults::{after::everything_is_well, stage::Stage};

/// How much of it is done.
struct Size {
    threads: usize,
    time: Duration,
    /// Between deaths.
    pause: Duration,
}

/// What `make test` does: a slice.
const SLICE: Size =
    Size { threads: 5, time: Duration::from_secs(90), pause: Duration::from_secs(6) };
/// What `ALOFT_SOAK=1` does.
const ALL: Size =
    Size { threads: 50, time: Duration::from_secs(600), pause: Duration::from_secs(5) };

#[test]
fn whoever_stops_guides_and_dies_every_thread_is_explained() {
    let seed = random::seed();
    let soak = std::env::var_os("ALOFT_SOAK").is_some();
    let size = if soak { ALL } else { SLICE };
    eprintln!("soak of {} threads: ALOFT_SEED={seed}", size.threads);
    let mut random = Random::new(seed);
    let stage = Stage::new();
    let mut first = Sender::new(&stage.home);
    let ids: Vec<String> = (0..size.threads)
        .map(|number| first.create(&stage.url, Mode::Auto, &format!("$ echo {number} > first")))
        .collect();
    let watchers: Vec<Watcher> = ids.iter().map(|id| Watcher::new(&stage.home, id)).collect();
    let ended = AtomicBool::new(false);
    let acknowledged: Vec<(Ask, Answered)> = std::thread::scope(|scope| {
        let people: Vec<_> = ids
            .iter()
            .map(|id| {
                let random = Random::new(seed ^ u64::try_from(random.below(usize::MAX)).unwrap());
                let (stage, ended) = (&stage, &ended);
                scope.spawn(move || person(stage, id, random, ended))
            })
            .collect();
        let began = Instant::now();
        let mut deaths = 0;
        while began.elapsed() < size.time {
            std::thread::sleep(size.pause);
            death(&stage, &mut random);
            deaths += 1;
        }
        ended.store(true, Ordering::Relaxed);
        eprintln!("{deaths} deaths");
        people.into_iter().flat_map(|person| person.join().unwrap()).collect()
    });
    eprintln!("{} requests were acknowledged", acknowledged.len());
    first.acknowledged.extend(acknowledged);
    everything_is_well(&stage, &mut first, &watchers.iter().collect::<Vec<_>>());
}

/// One person at one thread; gives what was acknowledged to them. What is refused was not possible then.
fn person(
    stage: &Stage,
    thread: &str,
    mut random: Random,
    ended: &AtomicBool,
) -> Vec<(Ask, Answered)> {
    let mut sender = Sender::new(&stage.home);
    let mut number = 0;
    while !ended.load(Ordering::Relaxed) {
        number += 1;
        let quick = format!("$ echo {number} >> said");
        let slow = format!("$ echo {number} >> said; sleep 0.{}; echo late >> said", number % 10);
        let _refused = match random.below(12) {
            0..=2 => sender.start(thread, &quick, false),
            3..=4 => sender.start(thread, &slow, false),
            5 => sender.start(thread, &quick, true),
            6..=7 => sender.steer(thread, &slow),
            8 => sender.interrupt(thread, ""),
            // It comes late.
            9 => sender.interrupt(thread, "t1"),
            10 if random.below(3) == 0 => sender.pause(thread),
            10 => sender.resume(thread),
            _ => {
                sender.reconnect();
                continue;
            }
        };
        std::thread::sleep(Duration::from_millis(u64::try_from(random.below(400)).unwrap()));
    }
    sender.acknowledged
}

/// The cloud dies, or a guest or an agent of somebody.
fn death(stage: &Stage, random: &mut Random) {
    let word = match random.below(3) {
        0 => {
            // It may be gone already, and nobody asked since.
            stage.home.start_cloud();
            return stage.home.kill_cloud();
        }
        1 => "guest",
        _ => "agent",
    };
    let living = stage.in_sandboxes(word);
    if !living.is_empty() {
        kill(living[random.below(living.len())], libc::SIGKILL);
    }
}
