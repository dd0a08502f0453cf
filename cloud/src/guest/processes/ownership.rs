//! Which process of the sandbox belongs to which process the cloud started.
//!
//! Pure but for one question, the mark of a stray. The rules, in this order:
//! 1. what descends from a process of ours belongs to it;
//! 2. a stray, whose parents have ended and which therefore became a child of the guest, belongs to the running
//!    process whose session it is still in, else to the one whose mark is in its environment, else to the ended one
//!    whose session it is in;
//! 3. a stray with a session of its own and no mark belongs to nobody, so that every kill may end it.
//!
//! Only what descends from the guest is looked at: outside a sandbox everything else is none of our business.

use std::collections::HashMap;

use crate::guest::proc::Seen;

/// Whose a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// That of the process with this id.
    Process(String),
    /// It hides whose.
    Nobody,
}

/// What the rules need to know of a process the cloud started.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) id: String,
    pub(super) pid: i32,
    pub(super) running: bool,
}

/// What descends from the guest, itself left out.
pub(super) fn below_guest(all: &HashMap<i32, Seen>) -> impl Iterator<Item = Seen> {
    let guest = std::process::id().cast_signed();
    below(all, guest)
}

/// What descends from `guest`, itself left out.
pub(super) fn below(all: &HashMap<i32, Seen>, guest: i32) -> impl Iterator<Item = Seen> {
    all.values()
        .copied()
        .filter(move |seen| seen.pid != guest && ancestors(all, seen).any(|pid| pid == guest))
}

/// Whose `seen` is, which descends from `guest`. `mark` tells the mark of a process that has one.
pub(super) fn owner(
    all: &HashMap<i32, Seen>,
    guest: i32,
    heads: &[Head],
    seen: &Seen,
    mark: impl Fn(i32) -> Option<String>,
) -> Owner {
    let line: Vec<i32> = std::iter::once(seen.pid)
        .chain(ancestors(all, seen))
        .take_while(|pid| *pid != guest)
        .collect();
    let running = |number: i32| heads.iter().find(|head| head.running && head.pid == number);
    let process = |head: &Head| Owner::Process(head.id.clone());
    if let Some(head) = line.iter().find_map(|pid| running(*pid)) {
        return process(head);
    }
    // From the eldest: what a stray is decides for all that it started.
    let strays = || line.iter().rev().filter_map(|pid| all.get(pid));
    if let Some(head) = strays().find_map(|stray| running(stray.session)) {
        return process(head);
    }
    if let Some(id) = strays().find_map(|stray| mark(stray.pid)) {
        return Owner::Process(id);
    }
    let ended = |stray: &Seen| heads.iter().find(|head| head.pid == stray.session);
    strays().find_map(ended).map_or(Owner::Nobody, process)
}

/// The parents of a process up to the first; a parent that ended between two looks ends the line.
fn ancestors<'all>(
    all: &'all HashMap<i32, Seen>,
    seen: &Seen,
) -> impl Iterator<Item = i32> + use<'all> {
    // Numbers can be reused between two looks, so a line could close to a circle: no line is longer than all.
    std::iter::successors(Some(seen.parent), |pid| all.get(pid).map(|parent| parent.parent))
        .take(all.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUEST: i32 = 2;

    fn world(processes: &[(i32, i32, i32)]) -> HashMap<i32, Seen> {
        let seen = |&(pid, parent, session): &(i32, i32, i32)| Seen {
            pid,
            parent,
            group: session,
            session,
            zombie: false,
            started: 0,
        };
        processes.iter().map(|process| (process.0, seen(process))).collect()
    }

    fn heads() -> Vec<Head> {
        let head = |id: &str, pid, running| Head { id: id.into(), pid, running };
        vec![head("agent", 10, true), head("shell", 20, true), head("old", 30, false)]
    }

    #[test]
    fn each_rule_decides_where_the_ones_before_do_not() {
        let all = world(&[
            (1, 0, 1),
            (GUEST, 1, 1),
            (10, GUEST, 10),
            (11, 10, 11),
            (20, GUEST, 20),
            (21, GUEST, 20),
            (40, GUEST, 40),
            (41, 40, 41),
            (50, GUEST, 30),
            (60, GUEST, 60),
            (61, 60, 61),
        ]);
        let mark = |pid| (pid == 40 || pid == 11).then(|| "shell".to_owned());
        let cases = [
            (10, Some("agent"), "itself"),
            (11, Some("agent"), "a child, whatever it says"),
            (21, Some("shell"), "a stray in its session"),
            (40, Some("shell"), "a marked stray"),
            (41, Some("shell"), "a child of a marked stray"),
            (50, Some("old"), "a stray in the session of one that ended"),
            (60, None, "a stray that hides"),
            (61, None, "a child of one that hides"),
        ];
        for (pid, expected, why) in cases {
            let expected = expected.map_or(Owner::Nobody, |id| Owner::Process(id.into()));
            assert_eq!(owner(&all, GUEST, &heads(), &all[&pid], mark), expected, "{why}");
        }
    }

    #[test]
    fn only_what_descends_from_the_guest_is_looked_at() {
        let all = world(&[
            (1, 0, 1),
            (GUEST, 1, 1),
            (10, GUEST, 10),
            (11, 10, 10),
            (90, 1, 90),
            (91, 77, 91),
        ]);
        let mut found: Vec<i32> = below(&all, GUEST).map(|seen| seen.pid).collect();
        found.sort_unstable();
        assert_eq!(found, [10, 11]);
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let all = world(&[(5, 6, 5), (6, 5, 6)]);
        assert_eq!(below(&all, GUEST).count(), 0);
    }
}
