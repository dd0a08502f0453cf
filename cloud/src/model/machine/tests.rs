//! The machine's ways one by one, and under any sequence of inputs.

use aloft_proto::v1::{
    DiffStat, Input as Part, ItemState, Level, Mode, OptionKind, PermissionOption, Problem,
    PullRequest, TextInput, Thread, ThreadState, TurnState, event::Payload, input, item,
};

use super::*;
use crate::model::{
    budget::{Account, Budget, Kind, Limits, Spent},
    update::{AgentUpdate, Question},
    usage::{Money, Tokens},
};

mod age;
mod budgets;
mod properties;
mod pull_request;
mod rest;
mod restart;
mod rewind;
mod turns;
mod words;

const DAY: Millis = 24 * 60 * 60 * 1000;
const IDLE: Resting =
    Resting { after_turn: AfterTurn::Freeze, idle: 600_000, remove_after: 30 * DAY };

fn machine() -> Machine {
    let mut thread = Thread { id: "abc".into(), title: "Work".into(), ..Thread::default() };
    thread.set_mode(Mode::Manual);
    Machine::new(thread, None, IDLE)
}

fn text(text: &str) -> Vec<Part> {
    vec![Part { kind: Some(input::Kind::Text(TextInput { text: text.into() })) }]
}

fn message(words: &str) -> Input {
    Input::Message { parts: text(words), queue: false, author: "me".into() }
}

fn queued(words: &str) -> Input {
    Input::Message { parts: text(words), queue: true, author: "me".into() }
}

fn steer(words: &str) -> Input {
    Input::Steer { expected_turn: String::new(), parts: text(words), author: "me".into() }
}

fn stop(turn: &str) -> Input {
    Input::Interrupt { expected_turn: turn.into(), finish: false, by: "me".into() }
}

fn problem(reason: &str) -> Problem {
    Problem { reason: reason.into(), ..Problem::default() }
}

fn agent_gone(given: &str) -> Fact {
    Fact::AgentGone { given: given.into(), problem: problem("X") }
}

fn pull_request(number: u64, state: i32) -> Fact {
    let url = format!("https://forge/{number}");
    Fact::PullRequest(PullRequest { number, url, state, ..PullRequest::default() })
}

fn sandbox_gone(given: &str) -> Fact {
    Fact::SandboxGone { given: given.into(), problem: problem("X") }
}

/// The machine of a cloud that begins anew.
fn again(machine: &Machine) -> Machine {
    let memory = machine.memory();
    let waiting = [&memory.messages, &memory.guides, &memory.queue].into_iter().flatten();
    let open = waiting.filter_map(|id| machine.transcript.message(id).cloned()).collect();
    let stored = Stored {
        thread: machine.thread().clone(),
        // As it is written down.
        memory: serde_json::from_slice(&serde_json::to_vec(memory).unwrap()).unwrap(),
        turn: machine.turn().cloned().or_else(|| machine.last.clone()),
        open,
    };
    Machine::restore(stored, IDLE)
}

fn session() -> Session {
    Session { id: "s".into(), steering: false, fresh: true }
}

fn started() -> Input {
    Input::Fact(Fact::Started { session: session(), unenforced: vec![] })
}

fn ended(turn: &str, ending: Ending) -> Input {
    Input::Fact(Fact::Ended { turn: turn.into(), ending })
}

fn snapshot(turn: &str) -> Input {
    Input::Fact(Fact::Snapshot { turn: turn.into(), commit: "c".into(), diff: DiffStat::default() })
}

fn rewind(turn: u32, force: bool) -> Input {
    Input::Rewind { to: Point::Turn(turn), commit: format!("c{turn}"), force }
}

fn looked(turn: &str, by_hand: bool) -> Input {
    let file = aloft_proto::v1::FileDiff { path: "a.rs".into(), ..Default::default() };
    let found = ByHand { commit: "hand".into(), diff: DiffStat::default(), files: vec![file] };
    Input::Fact(Fact::Looked { turn: turn.into(), found: by_hand.then(|| Box::new(found)) })
}

/// What is told to the agent with each prompt.
fn told(out: &Accepted) -> Vec<Vec<String>> {
    let prompts = out.effects.iter().filter_map(|effect| match effect {
        Effect::Prompt { tell, .. } => Some(tell.clone()),
        _ => None,
    });
    prompts.collect()
}

/// What the notices that ended say, with the reason of those that failed.
fn notices(out: &Accepted) -> Vec<(String, Option<String>)> {
    let ended = out.events.iter().filter_map(|record| match &record.payload {
        Payload::ItemCompleted(Item { kind: Some(item::Kind::Notice(notice)), .. }) => {
            Some((notice.text.clone(), notice.error.as_ref().map(|problem| problem.reason.clone())))
        }
        _ => None,
    });
    ended.collect()
}

fn question() -> Question {
    let mut option = PermissionOption { id: "yes".into(), ..PermissionOption::default() };
    option.set_kind(OptionKind::AllowOnce);
    Question { title: "May I?".into(), options: vec![option], ..Question::default() }
}

/// Gives the machine inputs that it must take, one a second; all events and effects.
fn take(machine: &mut Machine, inputs: Vec<Input>) -> Accepted {
    let mut all = Accepted::default();
    for (second, input) in inputs.into_iter().enumerate() {
        let shown = format!("{input:?}");
        let out = machine
            .accept(Millis::try_from(second).unwrap() * 1_000, input)
            .unwrap_or_else(|refused| panic!("{shown}: {refused}"));
        all.events.extend(out.events);
        all.effects.extend(out.effects);
        all.notices.extend(out.notices);
        all.usage.extend(out.usage);
        all.ledger.extend(out.ledger);
    }
    all
}

/// A model was used for so many tokens, at this price.
fn used(input: u64, cost: Option<u64>) -> Input {
    Input::Used(Used {
        model: "m".into(),
        tokens: Tokens { input, ..Tokens::default() },
        cost: cost.map(|micros| Money { micros, currency: "EUR".into() }),
    })
}

fn tokens(allowed: u64) -> Limits {
    Limits { tokens: Some(allowed), ..Limits::default() }
}

/// So many turns are allowed on each day to all threads, and none was used.
fn of_all(turns: u64) -> Account {
    let per_day = Limits { turns: Some(turns), ..Limits::default() };
    let default = Budget { per_day, ..Budget::default() };
    Account { default, spent: Spent::default(), ..Account::default() }
}

/// A machine whose first turn is with its agent.
fn prompted() -> Machine {
    let mut machine = machine();
    take(&mut machine, vec![message("go"), Input::Fact(Fact::WorkspaceMade), started()]);
    assert_eq!(machine.thread().state(), ThreadState::Running);
    machine
}

fn ends(out: &Accepted) -> Vec<(u32, TurnState)> {
    let ended = out.events.iter().filter_map(|record| match &record.payload {
        Payload::TurnCompleted(turn) => Some((turn.number, turn.state())),
        _ => None,
    });
    ended.collect()
}

fn prompts(out: &Accepted) -> Vec<String> {
    let words = |parts: &Vec<Part>| {
        let words = parts.iter().map(|part| match &part.kind {
            Some(input::Kind::Text(text)) => text.text.clone(),
            _ => String::new(),
        });
        words.collect::<Vec<_>>().join("+")
    };
    let given = out.effects.iter().filter_map(|effect| match effect {
        Effect::Prompt { parts, .. } | Effect::Steer { parts, .. } => Some(words(parts)),
        _ => None,
    });
    given.collect()
}

/// A machine that rests after its first turn, and the activity its deadlines carry.
fn resting(after_turn: AfterTurn) -> (Machine, u64) {
    let mut machine = prompted();
    machine.resting.after_turn = after_turn;
    take(&mut machine, vec![ended("t1", Ending::Completed), snapshot("t1")]);
    let activity = machine.activity;
    (machine, activity)
}

/// A machine that is idle after its first turn.
fn rested() -> Machine {
    let mut machine = prompted();
    take(&mut machine, vec![ended("t1", Ending::Completed), snapshot("t1")]);
    machine
}
