//! Any sequence of inputs keeps the log well formed, and nothing is ever stuck.

use proptest::prelude::*;

use super::*;

/// Any input, sensible or not.
fn any_input() -> impl Strategy<Value = Input> {
    let turn = prop_oneof![Just(String::new()), (1..4_u32).prop_map(|n| format!("t{n}"))];
    let ending = prop_oneof![
        Just(Ending::Completed),
        Just(Ending::Cancelled),
        Just(Ending::Failed(problem("X")))
    ];
    let id = prop_oneof![Just("q1".to_owned()), Just("q2".to_owned())];
    let item = (1..8_u32).prop_map(|n| format!("i{n}"));
    prop_oneof![
        any::<bool>().prop_map(|queue| Input::Message {
            parts: text("m"),
            queue,
            author: "me".into()
        }),
        Just(Input::Message { parts: vec![], queue: false, author: "me".into() }),
        turn.clone().prop_map(|expected_turn| Input::Steer {
            expected_turn,
            parts: text("g"),
            author: "me".into()
        }),
        (turn.clone(), any::<bool>()).prop_map(|(expected_turn, finish)| Input::Interrupt {
            expected_turn,
            finish,
            by: "me".into()
        }),
        Just(Input::Retry { by: "me".into(), parts: text("r") }),
        Just(Input::Describe { parts: text("w"), author: "me".into() }),
        item.clone().prop_map(|item| Input::Answer {
            item,
            option: "allow".into(),
            by: "me".into()
        }),
        Just(Input::Answer { item: String::new(), option: "yes".into(), by: "me".into() }),
        Just(Input::Update(Update { mode: Some(Mode::Auto), ..Update::default() })),
        (item.clone(), 0..4_usize)
            .prop_map(|(item, position)| Input::MoveQueued { item, position }),
        item.clone().prop_map(|item| Input::RemoveQueued { item }),
        Just(Input::Halt(problem("DISK"))),
        Just(Input::Pause { by: "me".into() }),
        Just(Input::Resume),
        Just(Input::Review),
        Just(Input::Attach),
        Just(Input::Detach),
        (0..3_u32, any::<bool>()).prop_map(|(turn, force)| rewind(turn, force)),
        Just(Input::Fact(Fact::Kept)),
        Just(Input::Fact(Fact::Rewound { diff: DiffStat::default() })),
        Just(Input::Fact(Fact::NotRewound(problem("X")))),
        (turn.clone(), any::<bool>()).prop_map(|(turn, by_hand)| looked(&turn, by_hand)),
        Just(used(1, Some(1))),
        (0..3_u64).prop_map(|allowed| Input::Budget {
            per_day: false,
            set: tokens(allowed),
            clear: vec![]
        }),
        Just(Input::Budget { per_day: false, set: Limits::default(), clear: vec![Kind::Tokens] }),
        (0..2_u64).prop_map(|turns| Input::Account(of_all(turns))),
        turn.clone().prop_map(|t| Input::Fact(Fact::Deadline(Deadline::Budget(t)))),
        (1..3_u64, 1..5).prop_map(|(number, state)| Input::Fact(pull_request(number, state))),
        (1..3_u64, 0..3_u32).prop_map(|(number, times)| Input::Fix {
            parts: text("mend"),
            author: "me".into(),
            told: Against { number, times, unasked: "told".into(), ..Against::default() },
        }),
        any::<bool>().prop_map(|due| Input::Fact(Fact::FixSeen { due, text: String::new() })),
        Just(Input::Fact(Fact::BaseMoved {
            commit: "u".into(),
            level: Level::Info,
            text: "moved".into()
        })),
        Just(Input::Fact(Fact::Pushing { commit: "c".into() })),
        Just(Input::Fact(Fact::Pushed { remote: "r".into(), commit: "c".into() })),
        Just(Input::Fact(Fact::WorkspaceMade)),
        Just(started()),
        Just(Input::Fact(Fact::StartFailed(problem("X")))),
        any::<bool>()
            .prop_map(|steering| Input::Fact(Fact::AgentReady(Session { steering, ..session() }))),
        Just(Input::Fact(Fact::AgentFailed(problem("X")))),
        Just(Input::Fact(Fact::Agent(AgentUpdate::Message { message: None, text: "hi".into() }))),
        id.clone().prop_map(|question_id| Input::Fact(Fact::Asked {
            question_id,
            question: Box::new(question())
        })),
        id.prop_map(|question_id| Input::Fact(Fact::Withdrawn { question_id })),
        (turn.clone(), ending).prop_map(|(t, ending)| ended(&t, ending)),
        (item, any::<bool>()).prop_map(|(item, taken)| Input::Fact(Fact::Steered { item, taken })),
        Just(Input::Fact(agent_gone("t1"))),
        Just(Input::Fact(Fact::AgentKilled)),
        turn.clone().prop_map(|t| snapshot(&t)),
        turn.clone()
            .prop_map(|turn| Input::Fact(Fact::SnapshotFailed { turn, problem: problem("X") })),
        Just(Input::Fact(sandbox_gone("t1"))),
        Just(Input::Fact(Fact::Suspended)),
        turn.clone().prop_map(|t| Input::Fact(Fact::Deadline(Deadline::Stop(t)))),
        turn.clone().prop_map(|t| Input::Fact(Fact::Deadline(Deadline::Finish(t)))),
        turn.prop_map(|t| Input::Fact(Fact::Deadline(Deadline::Snapshot(t)))),
        (0..6_u64).prop_map(|n| Input::Fact(Fact::Deadline(Deadline::Idle(n)))),
        (0..9_u64).prop_map(|n| Input::Fact(Fact::Deadline(Deadline::Settle(n)))),
        (0..9_u64).prop_map(|n| Input::Fact(Fact::NotFrozen(n))),
        Just(Input::Fact(Fact::LeftRunning(vec!["job".into()]))),
    ]
}

/// What the log says, checked as it grows.
#[derive(Default)]
struct Reader {
    running: Option<u32>,
    turns: u32,
    ended: u32,
    open: std::collections::BTreeMap<String, bool>,
}

impl Reader {
    fn read(&mut self, record: &Record) {
        match &record.payload {
            Payload::TurnStarted(turn) => {
                assert_eq!(self.running, None, "one turn at a time");
                assert_eq!(turn.number, self.turns + 1);
                (self.turns, self.running) = (turn.number, Some(turn.number));
            }
            Payload::TurnCompleted(turn) => {
                assert_ne!(turn.state(), TurnState::Running);
                let explained = !turn.stopped_by.is_empty() || turn.error.is_some();
                assert!(turn.state() == TurnState::Completed || explained, "{turn:?} says not why");
                if self.running == Some(turn.number) {
                    (self.running, self.ended) = (None, turn.number);
                } else {
                    assert_eq!(
                        turn.number, self.turns,
                        "only the newest comes again, with its snapshot"
                    );
                }
            }
            Payload::ItemStarted(item) => {
                assert_ne!(
                    self.open.insert(item.id.clone(), true),
                    Some(false),
                    "{} began after its end",
                    item.id
                );
            }
            Payload::ItemAppended(more) => assert_eq!(self.open.get(&more.item_id), Some(&true)),
            Payload::ItemCompleted(item) => {
                assert_ne!(item.state(), ItemState::InProgress);
                assert_eq!(
                    self.open.insert(item.id.clone(), false),
                    Some(true),
                    "{} ended twice",
                    item.id
                );
            }
            Payload::ThreadChanged(thread) => assert_ne!(thread.state(), ThreadState::Unspecified),
            Payload::DiffChanged(_) => {}
        }
    }
}

/// Somebody says something to the agent.
fn says(input: &Input) -> bool {
    matches!(
        input,
        Input::Message { .. }
            | Input::Steer { .. }
            | Input::Retry { .. }
            | Input::Describe { .. }
            | Input::Fix { .. }
            | Input::Interrupt { finish: true, .. }
    )
}

/// Everything that a waiting turn is to give to its agent is still there.
fn has_its_messages(machine: &Machine) -> bool {
    let waits = machine.turn.as_ref().is_some_and(|running| running.phase == Phase::Waiting);
    let mut messages = machine.memory.messages.iter();
    !waits || messages.all(|id| machine.transcript.message(id).is_some())
}

fn begins(out: &Accepted) -> bool {
    out.events.iter().any(|record| matches!(record.payload, Payload::TurnStarted(_)))
}

/// Nothing else works on the files while they are brought back, and the agent has no turn.
fn files_are_safe(machine: &Machine, out: &Accepted) -> bool {
    let rewinding = machine.memory.rewind.is_some();
    out.effects.iter().all(|effect| match effect {
        Effect::Prompt { .. } | Effect::Snapshot { .. } | Effect::Look { .. } => !rewinding,
        Effect::Rewind(_) => {
            rewinding && machine.saving.is_none() && machine.sandbox == Sandbox::Up
        }
        _ => true,
    })
}

fn shown(machine: &Machine) -> String {
    format!("{machine:?}")
}

/// What was used, checked as it grows.
#[derive(Default)]
struct Book {
    tokens: u64,
    cost: u64,
    millis: u64,
    subjects: std::collections::BTreeSet<String>,
}

impl Book {
    fn read(&mut self, machine: &Machine, now: Millis, out: &Accepted) {
        for row in &out.usage {
            self.tokens += row.input_tokens + row.output_tokens;
            self.cost += row.cost_micros;
            self.millis += row.millis;
        }
        self.subjects.extend(out.ledger.iter().map(|entry| entry.subject.clone()));
        let (total, tally) = (machine.total(now), &machine.memory().tally);
        assert_eq!((total.tokens, total.cost), (self.tokens, self.cost));
        assert_eq!(tally.millis, self.millis, "the rows say what the thread says");
        assert_eq!(machine.today(now).millis, total.millis, "all of it was on the first day");
        let turns = self.subjects.iter().filter(|subject| subject.starts_with("turn/")).count();
        assert_eq!(usize::try_from(total.turns).unwrap(), turns, "a turn has one entry");
        if machine.is_at_limit() {
            assert_eq!(machine.thread().state(), ThreadState::RequiresAction);
            assert_eq!(machine.works_since(), None, "waiting is no work");
            let asked =
                machine.transcript.questions().filter(|(name, _)| *name == "budget").count();
            assert_eq!(asked, 1, "it says so");
        }
    }
}

/// What the world would report until nothing is under way any more.
fn settle(machine: &mut Machine) -> bool {
    for step in 0..40 {
        let fact = match (machine.sandbox, machine.turn.as_ref().map(|running| running.phase)) {
            (Sandbox::Starting, _) => Fact::StartFailed(problem("X")),
            (Sandbox::Stopping, _) => Fact::Suspended,
            (_, Some(Phase::Saving)) => {
                let turn = machine.turn.as_ref().unwrap().turn.id.clone();
                Fact::Snapshot { turn, commit: "c".into(), diff: DiffStat::default() }
            }
            (_, Some(Phase::Killing)) => Fact::AgentKilled,
            (_, Some(Phase::Waiting)) if machine.saving.is_some() => {
                let turn = machine.saving.clone().unwrap();
                Fact::SnapshotFailed { turn, problem: problem("X") }
            }
            (Sandbox::Up, _) if machine.killing => Fact::AgentKilled,
            (Sandbox::Up, _) if machine.memory.rewind.is_some() => Fact::NotRewound(problem("X")),
            // A person stops what waits at its budget.
            (_, Some(Phase::Waiting)) if machine.is_at_limit() => {
                machine.accept(1_000_000 + step, stop("")).unwrap();
                continue;
            }
            (_, Some(Phase::Waiting))
                if machine.turn.as_ref().unwrap().allowance.clearance != Clearance::Given =>
            {
                machine.accept(1_000_000 + step, Input::Account(Account::default())).unwrap();
                continue;
            }
            (_, Some(Phase::Waiting)) => Fact::AgentFailed(problem("X")),
            (_, Some(Phase::Prompted | Phase::Guided | Phase::Stopping)) => agent_gone("t1"),
            (_, None) => return true,
        };
        machine.accept(1_000_000 + step, Input::Fact(fact)).unwrap();
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_inputs_keep_the_log_well_formed(inputs in prop::collection::vec(any_input(), 1..60)) {
        let mut machine = machine();
        let mut reader = Reader::default();
        let mut book = Book::default();
        let (mut frozen, mut stopped) = (false, false);
        for (second, input) in inputs.into_iter().enumerate() {
            let before = shown(&machine);
            let said = says(&input);
            let stops = matches!(input, Input::Interrupt { finish: false, .. }) && machine.turn.is_some();
            let idle = matches!(input, Input::Fact(Fact::Deadline(Deadline::Idle(_))));
            let held = machine.attached > 0;
            let now = Millis::try_from(second).unwrap() * 1_000;
            let failed = matches!(input, Input::Fact(Fact::NotFrozen(n)) if n == machine.activity);
            if let Ok(out) = machine.accept(now, input) {
                prop_assert!(has_its_messages(&machine), "a message is lost");
                stopped = (stopped || stops) && !said;
                prop_assert!(!(stopped && begins(&out)), "a turn begins after a stop");
                prop_assert!(out.effects.iter().all(|effect| !matches!(effect, Effect::Prompt { parts, .. } if parts.is_empty())), "a message is lost");
                prop_assert!(!(idle && held && out.effects.contains(&Effect::Suspend)), "suspended under a connection");
                // What speaks to the inside never meets a sandbox that stands still.
                for effect in &out.effects {
                    match effect {
                        Effect::Freeze(_) => frozen = true,
                        Effect::Thaw | Effect::Start | Effect::Suspend | Effect::AbortStart => frozen = false,
                        _ => {}
                    }
                    prop_assert!(!(frozen && effect.needs_guest()), "{:?} meets a frozen sandbox", effect);
                }
                if machine.sandbox != Sandbox::Up || failed {
                    frozen = false;
                }
                prop_assert!(!(frozen && (machine.turn.is_some() || machine.attached > 0)), "in use and frozen");
                prop_assert_eq!(frozen, machine.frozen);
                out.events.iter().for_each(|record| reader.read(record));
                book.read(&machine, now, &out);
                prop_assert_eq!(machine.thread().state(), machine.state());
                prop_assert!(files_are_safe(&machine, &out), "{:?}", out.effects);
            } else {
                prop_assert_eq!(before, shown(&machine), "a refused input changed something");
            }
            prop_assert_eq!(reader.running, machine.turn().map(|turn| turn.number));
        }
        prop_assert!(settle(&mut machine), "stuck: {}", shown(&machine));
        let end = machine.state();
        prop_assert!(matches!(end, ThreadState::Idle | ThreadState::Paused | ThreadState::Failed), "{:?}", end);
        prop_assert_ne!(machine.access(), Access::Coming, "a connection would wait for ever");
        let rewind = machine.memory.rewind.as_ref();
        prop_assert!(rewind.is_none_or(|rewind| rewind.kept && machine.sandbox == Sandbox::Absent), "{:?}", rewind);
    }

    #[test]
    fn after_a_restart_at_any_point_nothing_is_stuck(
        inputs in prop::collection::vec(any_input(), 1..40),
        sandbox: bool,
    ) {
        let mut machine = machine();
        let mut open = std::collections::BTreeMap::new();
        let mut newest = None;
        for (second, input) in inputs.into_iter().enumerate() {
            let Ok(out) = machine.accept(Millis::try_from(second).unwrap(), input) else { continue };
            for record in out.events {
                match record.payload {
                    Payload::ItemStarted(item) => { open.insert(item.id.clone(), item); }
                    Payload::ItemCompleted(item) => { open.remove(&item.id); }
                    Payload::TurnStarted(turn) | Payload::TurnCompleted(turn) => newest = Some(turn),
                    _ => {}
                }
            }
        }
        let stored = Stored {
            thread: machine.thread().clone(),
            memory: machine.memory().clone(),
            turn: newest,
            open: open.into_values().collect(),
        };
        let waiting: Vec<String> = machine.queue().map(|item| item.id.clone()).collect();
        let mut again = Machine::restore(stored, IDLE);
        again.accept(0, Input::Restarted { sandbox }).unwrap();
        prop_assert!(has_its_messages(&again), "a message is lost");
        prop_assert!(settle(&mut again), "stuck: {}", shown(&again));
        let kept: Vec<String> = again.queue().map(|item| item.id.clone()).collect();
        let run = again.memory().turns - machine.memory().turns;
        prop_assert!(kept.len() + usize::try_from(run).unwrap() >= waiting.len(), "a queued message was lost");
        let questions = again.transcript.questions().count();
        prop_assert_eq!(questions, 0);
    }

    #[test]
    fn a_delete_is_final(inputs in prop::collection::vec(any_input(), 0..20), after in any_input()) {
        let mut machine = machine();
        for input in inputs {
            let _refused = machine.accept(0, input);
        }
        let out = machine.accept(0, Input::Delete).unwrap();
        prop_assert!(out.effects.contains(&Effect::Destroy));
        let late = machine.accept(0, after);
        prop_assert!(late.is_err() || late.unwrap().effects.is_empty());
        prop_assert_eq!(machine.thread().state(), ThreadState::Deleting);
    }
}
