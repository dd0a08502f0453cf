//! Down and up again, a thousand times: nothing is left behind, and not a byte is another one.

use std::{collections::BTreeMap, time::Duration};

use aloft_proto::v1::ThreadState;
use aloft_tests::{
    footprint::{Footprint, Weight},
    home::{Home, items},
    poll,
    sender::Sender,
};

/// Of pauses and resumes: before anything is compared, in `make test`, and with `ALOFT_SOAK=1`.
const FIRST: u32 = 3;
const SLICE: u32 = 6;
const ALL: u32 = 1_000;

/// What all cycles together may add to the cloud's memory, in KiB: pages of its rows, of which the store keeps up to 16 MiB.
const MEMORY: u64 = 20 * 1_024;
/// What one cycle may add to rows and logs on disk, in KiB: it is an entry of the ledger and a few events.
const STORE: u64 = 4;
/// Rows and logs come to disk in pieces.
const PIECE: u64 = 16 * 1_024;

/// Between two looks.
const MOMENT: Duration = Duration::from_millis(100);

/// Files of every kind, in the workspace and in HOME.
const WORK: &str = "$ head -c 300000 /dev/urandom > binary; ln -s binary link; mkdir -p a/b; echo deep > a/b/deep
$ printf 'run\\r\\n' > run; chmod 750 run; echo secret > a/.hidden; chmod 600 a/.hidden; git add binary; git commit -qm kept; git branch side
$ mkdir -p $HOME/bin; printf '#!/bin/sh\\necho tool works\\n' > $HOME/bin/tool; chmod 755 $HOME/bin/tool; echo export KEPT=yes > $HOME/.profile";

#[test]
fn pauses_and_resumes_leave_everything_as_it_was() {
    let soak = std::env::var_os("ALOFT_SOAK").is_some();
    let cycles = if soak { ALL } else { SLICE };
    let home = Home::new();
    let id = home.begin(&home.repository(), "auto", WORK);
    assert_eq!(home.wait_turn(&id, 1)["state"], "completed");
    let cloud = home.cloud_pid();
    let mut sender = Sender::new(&home);
    paused(&mut sender, &id);
    for _ in 0..FIRST {
        cycle(&mut sender, &id);
    }
    // The kernel takes a moment for what has ended.
    let before = poll::until("everything to be at rest", || {
        let seen = Footprint::of(&home, cloud);
        std::thread::sleep(MOMENT);
        (Footprint::of(&home, cloud) == seen).then_some(seen)
    });
    assert!(before.groups.is_empty() && before.mounts.is_empty(), "{before:#?}");
    let light = Weight::of(&home, cloud);
    let began = std::time::Instant::now();
    for _ in 0..cycles {
        cycle(&mut sender, &id);
    }
    let took = began.elapsed();
    let mut after = Footprint::of(&home, cloud);
    for _ in 0..100 {
        if after == before {
            break;
        }
        std::thread::sleep(MOMENT);
        after = Footprint::of(&home, cloud);
    }
    assert_eq!(differs(&before.files, &after.files), Vec::<String>::new());
    assert_eq!(after, before);
    let heavy = Weight::of(&home, cloud);
    eprintln!("{cycles} cycles in {} s: {light:?}, then {heavy:?}", took.as_secs());
    assert!(heavy.memory <= light.memory + MEMORY, "{light:?}, then {heavy:?}");
    let most = light.store + PIECE + STORE * u64::from(cycles);
    assert!(heavy.store <= most, "{light:?}, then {heavy:?}");
    home.ok([
        "send",
        &id,
        "--wait",
        "$ . $HOME/.profile; echo $KEPT; $HOME/bin/tool; cat link | wc -c; git branch --list side",
    ]);
    let shown = home.show(&id);
    let output = &items(&shown, "commandExecution").last().unwrap()["output"];
    assert_eq!(output, "yes\ntool works\n300000\n  side\n");
}

/// One time up and down again.
fn cycle(sender: &mut Sender, id: &str) {
    sender.resume(id).unwrap();
    until(sender, id, ThreadState::Idle);
    paused(sender, id);
}

fn paused(sender: &mut Sender, id: &str) {
    sender.pause(id).unwrap();
    until(sender, id, ThreadState::Paused);
}

fn until(sender: &mut Sender, id: &str, state: ThreadState) {
    poll::until(&format!("the thread to be {state:?}"), || {
        (sender.state(id) == state).then_some(())
    });
}

/// Names of files that are there in one only, or hold something else.
fn differs<K: std::fmt::Debug + Ord, V: PartialEq + std::fmt::Debug>(
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
) -> Vec<String> {
    let names = before.keys().chain(after.keys()).collect::<std::collections::BTreeSet<_>>();
    names
        .into_iter()
        .filter(|name| before.get(name) != after.get(name))
        .map(|name| format!("{name:?}: {:?}, then {:?}", before.get(name), after.get(name)))
        .collect()
}
