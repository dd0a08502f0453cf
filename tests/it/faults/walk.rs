//! The crash walk: every journey, with a death at every step that it passes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use aloft_fault::POINTS;
use aloft_tests::{
    cloud::Watcher,
    random::{self, Random},
    sender::Sender,
};

use crate::faults::{
    after::everything_is_well,
    journeys::{JOURNEYS, Journey},
    stage::{Stage, Victim},
};

/// Deaths that a run without `ALOFT_SOAK` takes, the same each time, so that a red one is the doing of what was changed: of whoever
/// comes to a step, and of others.
const SLICE: [usize; 2] = [10, 4];
/// The seed that chooses them where none is given.
const SEED: u64 = 7;

/// Names some of all deaths by a part of how they are printed, to look at these alone.
const ONLY: &str = "ALOFT_DEATHS";

/// Machines on which journeys are walked side by side: most of each is waiting.
const STAGES: usize = 4;

/// A death: of whom, where, and when somebody comes there for which time.
#[derive(Clone, Debug)]
struct Death {
    victim: Victim,
    point: String,
    count: u32,
}

impl std::fmt::Display for Death {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {} {}", self.victim, self.point, self.count)
    }
}

#[test]
fn every_step_of_every_journey_survives_a_kill() {
    let soak = std::env::var_os("ALOFT_SOAK").is_some();
    let seed = if soak { random::seed() } else { random::given().unwrap_or(SEED) };
    eprintln!("crash walk: ALOFT_SEED={seed}");
    let mut random = Random::new(seed);
    let mut deaths = Vec::new();
    let mut passed = BTreeSet::new();
    let walked = side_by_side(JOURNEYS, |stage, journey| run(stage, journey, None).0);
    for (journey, steps) in JOURNEYS.iter().zip(walked) {
        for (point, times) in &steps {
            // The first and the last time it is come to.
            for count in BTreeSet::from([1, *times]) {
                let at = |victim| Death { victim, point: point.clone(), count };
                deaths.push((journey, at(Victim::Itself)));
                if count == 1 && !point.starts_with("bridge.") {
                    deaths.push((journey, at(Victim::Guest)));
                    deaths.push((journey, at(Victim::Agent)));
                }
            }
        }
        passed.extend(steps.into_keys());
    }
    // Nobody can be killed at a step that no journey comes to.
    let missed: Vec<_> = POINTS.iter().filter(|point| !passed.contains(**point)).collect();
    assert!(missed.is_empty(), "no journey passes {missed:?}");
    random.shuffle(&mut deaths);
    if let Ok(only) = std::env::var(ONLY) {
        deaths.retain(|(journey, death)| format!("{} {death}", journey.name).contains(&only));
    } else if !soak {
        let (mut own, mut others): (Vec<_>, Vec<_>) =
            deaths.into_iter().partition(|(_, death)| death.victim == Victim::Itself);
        own.truncate(SLICE[0]);
        others.truncate(SLICE[1]);
        deaths = [own, others].concat();
    }
    eprintln!("{} deaths at {} points", deaths.len(), POINTS.len());
    let died = side_by_side(&deaths, |stage, (journey, death)| run(stage, journey, Some(death)).1);
    let struck = deaths.iter().zip(died).filter(|(_, died)| *died);
    let struck: BTreeSet<&str> = struck.map(|((_, death), _)| death.point.as_str()).collect();
    eprintln!("somebody died at {} points", struck.len());
    if soak {
        let missed: Vec<_> = POINTS.iter().filter(|point| !struck.contains(**point)).collect();
        assert!(missed.is_empty(), "nobody died at {missed:?}");
    }
}

/// Walks each of these on one of some machines; what came of them, in their order. Where one is red, no other begins.
fn side_by_side<Work: Sync, Outcome: Send>(
    work: &[Work],
    walk: impl Fn(&Stage, &Work) -> Outcome + Sync,
) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let outcomes: Mutex<BTreeMap<usize, Outcome>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..STAGES.min(work.len()) {
            scope.spawn(|| {
                let stage = Stage::new();
                let _red = Red { next: &next, end: work.len() };
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = work.get(at) else { return };
                    let outcome = walk(&stage, one);
                    outcomes.lock().unwrap().insert(at, outcome);
                }
            });
        }
    });
    outcomes.into_inner().unwrap().into_values().collect()
}

/// Lets nothing more begin after a panic.
struct Red<'a> {
    next: &'a AtomicUsize,
    end: usize,
}

impl Drop for Red<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.next.store(self.end, Ordering::Relaxed);
        }
    }
}

/// Runs a journey, with a death in it, and looks at everything afterwards; tells how often each point was passed, and
/// whether somebody died.
fn run(stage: &Stage, journey: &Journey, death: Option<&Death>) -> (BTreeMap<String, u32>, bool) {
    let title = format!("{} {}", journey.name, death.map(Death::to_string).unwrap_or_default());
    eprintln!("{title}");
    let began = Instant::now();
    let mut sender = Sender::new(&stage.home);
    let thread = journey.prepare.map(|prepare| prepare(stage, &mut sender)).unwrap_or_default();
    let watcher = (!thread.is_empty()).then(|| Watcher::new(&stage.home, &thread));
    stage.forget();
    if let Some(Death { victim, point, count }) = death {
        stage.arm(if *victim == Victim::Itself { "kill" } else { "hold" }, point, *count);
    }
    let victim = death.map_or(Victim::Itself, |death| death.victim);
    stage.killing(victim, || (journey.act)(stage, &mut sender, &thread));
    let died = stage.disarm();
    let passed = stage.passed();
    everything_is_well(stage, &mut sender, &watcher.iter().collect::<Vec<_>>());
    eprintln!("{title}: well after {:.1} s", began.elapsed().as_secs_f64());
    (passed, died)
}
