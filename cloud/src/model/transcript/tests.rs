//! Tables for single rules, and a property: any sequence of reports yields a well-formed log.

use std::collections::HashMap;

use aloft_proto::v1::{OptionKind, PermissionOption, PlanStepState};
use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::model::update::{OutputUpdate, ToolKind, ToolUpdate};

const NOW: Timestamp = Timestamp { seconds: 7, nanos: 0 };

fn message(id: &str, text: &str) -> AgentUpdate {
    let message = Some(id.to_owned()).filter(|id| !id.is_empty());
    AgentUpdate::Message { message, text: text.to_owned() }
}

fn tool(key: &str, change: impl FnOnce(&mut ToolUpdate)) -> AgentUpdate {
    let mut tool = ToolUpdate { key: key.to_owned(), ..ToolUpdate::default() };
    change(&mut tool);
    AgentUpdate::Tool(Box::new(tool))
}

fn command(key: &str, text: &str) -> AgentUpdate {
    tool(key, |tool| {
        tool.kind = Some(ToolKind::Execute);
        tool.command = Some(text.to_owned());
        tool.title = Some(text.to_owned());
        tool.state = Some(ItemState::InProgress);
    })
}

fn output(key: &str, output: OutputUpdate) -> AgentUpdate {
    tool(key, |tool| tool.output = Some(output))
}

fn ends(key: &str, state: ItemState) -> AgentUpdate {
    tool(key, |tool| tool.state = Some(state))
}

fn question(key: &str) -> Question {
    let option = |id: &str, kind: OptionKind| PermissionOption {
        id: id.to_owned(),
        label: id.to_owned(),
        kind: kind.into(),
    };
    Question {
        key: key.to_owned(),
        title: "May I?".to_owned(),
        detail: String::new(),
        options: vec![option("yes", OptionKind::AllowOnce), option("no", OptionKind::RejectOnce)],
        tool: ToolUpdate {
            key: key.to_owned(),
            kind: Some(ToolKind::Execute),
            ..ToolUpdate::default()
        },
    }
}

/// A line an event: `+` started, `.` appended, `-` completed.
fn told(events: &[Payload]) -> Vec<String> {
    let what = |item: &Item| match item.kind.as_ref().unwrap() {
        Kind::UserMessage(message) => format!("person {:?}", message.delivery()),
        Kind::AgentMessage(message) => format!("message {:?}", message.text),
        Kind::Reasoning(reasoning) => format!("reasoning {:?}", reasoning.text),
        Kind::Plan(plan) => format!("plan {}", plan.steps.len()),
        Kind::CommandExecution(c) => {
            format!("command {:?} {:?} {} {:?}", c.command, c.output, c.output_bytes, c.exit_code)
        }
        Kind::FileChange(change) => format!("edit {}", change.changes.len()),
        Kind::ToolCall(call) => format!("tool {} {:?}", call.kind, call.title),
        Kind::Permission(permission) => {
            format!("permission {:?} {}", permission.answer, permission.item_id)
        }
        Kind::Notice(notice) => format!("notice {:?}", notice.text),
    };
    let line = |event: &Payload| match event {
        Payload::ItemStarted(item) => format!("+{} {}", item.id, what(item)),
        Payload::ItemAppended(append) => {
            format!(".{} {:?} @{}", append.item_id, append.delta, append.offset)
        }
        Payload::ItemCompleted(item) => format!("-{} {} {:?}", item.id, what(item), item.state()),
        other => panic!("{other:?}"),
    };
    events.iter().map(line).collect()
}

#[test]
fn words_end_where_another_item_begins() {
    let mut transcript = Transcript::default();
    transcript.begin_turn("t1", NOW);
    let mut events = Vec::new();
    for update in [
        message("", "a"),
        message("", "b"),
        message("m2", "c"),
        AgentUpdate::Reasoning { message: None, text: "d".to_owned() },
        message("m2", ""),
        command("k", "ls"),
    ] {
        events.extend(transcript.apply(update, NOW));
    }
    assert_eq!(
        told(&events),
        [
            r#"+i1 message """#,
            r#".i1 b"a" @0"#,
            r#".i1 b"b" @1"#,
            r#"-i1 message "ab" Completed"#,
            r#"+i2 message """#,
            r#".i2 b"c" @0"#,
            r#"-i2 message "c" Completed"#,
            r#"+i3 reasoning """#,
            r#".i3 b"d" @0"#,
            r#"-i3 reasoning "d" Completed"#,
            r#"+i4 command "ls" b"" 0 None"#,
        ]
    );
}

#[test]
fn a_command_from_start_to_end() {
    let mut transcript = Transcript::default();
    transcript.begin_turn("t1", NOW);
    let mut events = transcript.apply(command("k", "make"), NOW);
    events.extend(transcript.apply(output("k", OutputUpdate::Append("ab".into())), NOW));
    events.extend(transcript.apply(output("k", OutputUpdate::Replace("abc".into())), NOW));
    events.extend(transcript.apply(output("k", OutputUpdate::Replace("abc".into())), NOW));
    events.extend(transcript.apply(output("k", OutputUpdate::Replace("xy".into())), NOW));
    let end = tool("k", |tool| {
        tool.exit_code = Some(3);
        tool.state = Some(ItemState::Failed);
    });
    events.extend(transcript.apply(end, NOW));
    events.extend(transcript.apply(output("k", OutputUpdate::Append("late".into())), NOW));
    events.extend(transcript.apply(ends("k", ItemState::Completed), NOW));
    assert_eq!(
        told(&events),
        [
            r#"+i1 command "make" b"" 0 None"#,
            r#".i1 b"ab" @0"#,
            r#".i1 b"c" @2"#,
            r#"+i1 command "make" b"" 0 None"#,
            r#".i1 b"xy" @0"#,
            r#"-i1 command "make" b"xy" 2 Some(3) Failed"#,
        ]
    );
}

#[test]
fn output_taken_back_at_the_end_begins_the_item_anew() {
    let mut transcript = Transcript::default();
    transcript.apply(command("k", "make"), NOW);
    transcript.apply(output("k", OutputUpdate::Append("ab".into())), NOW);
    let end = tool("k", |tool| {
        tool.output = Some(OutputUpdate::Replace(Bytes::new()));
        tool.state = Some(ItemState::Completed);
    });
    assert_eq!(
        told(&transcript.apply(end, NOW)),
        [r#"+i1 command "make" b"" 0 None"#, r#"-i1 command "make" b"" 0 None Completed"#]
    );
}

#[test]
fn an_action_told_at_once_is_started_and_completed() {
    let mut transcript = Transcript::default();
    let whole = tool("k", |tool| {
        tool.kind = Some(ToolKind::Execute);
        tool.output = Some(OutputUpdate::Replace("out".into()));
        tool.exit_code = Some(0);
        tool.state = Some(ItemState::Completed);
    });
    assert_eq!(
        told(&transcript.apply(whole, NOW)),
        [
            r#"+i1 command "" b"" 0 Some(0)"#,
            r#".i1 b"out" @0"#,
            r#"-i1 command "" b"out" 3 Some(0) Completed"#,
        ]
    );
}

#[test]
fn a_no_declines_the_action_however_the_agent_ends_it() {
    for (agent_says_failed, state) in [(true, ItemState::Declined), (false, ItemState::Declined)] {
        let mut transcript = Transcript::default();
        transcript.begin_turn("t1", NOW);
        transcript.apply(command("k", "rm"), NOW);
        let asked = transcript.ask("q1", question("k"), NOW);
        assert_eq!(told(&asked), [r#"+i2 permission "" i1"#]);
        let asked: Vec<_> =
            transcript.questions().map(|(question, item)| (question, item.id.as_str())).collect();
        assert_eq!(asked, [("q1", "i2")]);
        let answered = transcript.answer("q1", "no", "me", NOW);
        assert_eq!(told(&answered), [r#"-i2 permission "no" i1 Completed"#]);
        assert!(transcript.answer("q1", "yes", "me", NOW).is_empty());
        let end = if agent_says_failed {
            transcript.apply(ends("k", ItemState::Failed), NOW)
        } else {
            transcript.end_turn(ItemState::Failed, NOW)
        };
        let Payload::ItemCompleted(item) = &end[0] else { panic!("{end:?}") };
        assert_eq!(item.state(), state);
    }
}

#[test]
fn the_end_of_a_turn_closes_what_dangles() {
    let mut transcript = Transcript::default();
    let (queued, _) = transcript.user_message(vec![], "me", Delivery::Queued, NOW);
    transcript.begin_turn("t1", NOW);
    let (used, _) = transcript.user_message(vec![], "me", Delivery::Delivered, NOW);
    transcript.apply(
        AgentUpdate::Plan(vec![PlanStep {
            text: "p".to_owned(),
            state: PlanStepState::Pending.into(),
        }]),
        NOW,
    );
    transcript.ask("q1", question("k"), NOW);
    let events = transcript.end_turn(ItemState::Failed, NOW);
    assert_eq!(
        told(&events),
        [
            "-i2 person Used Completed",
            "-i3 plan 1 Completed",
            r#"-i4 command "" b"" 0 None Failed"#,
            r#"-i5 permission "cancelled" i4 Completed"#,
        ]
    );
    assert_eq!((queued.as_str(), used.as_str()), ("i1", "i2"));
    // Late words belong to no turn and end where the next begins.
    let late = transcript.apply(message("", "bye"), NOW);
    let Payload::ItemStarted(item) = &late[0] else { panic!("{late:?}") };
    assert_eq!(item.turn_id, "");
    assert_eq!(told(&transcript.begin_turn("t2", NOW)), [r#"-i6 message "bye" Completed"#]);
    let delivered = transcript.deliver("i1", Delivery::Delivered, NOW);
    let Payload::ItemStarted(item) = &delivered[0] else { panic!("{delivered:?}") };
    assert_eq!(item.turn_id, "t2");
    assert_eq!(told(&transcript.deliver("i1", Delivery::Used, NOW)), ["-i1 person Used Completed"]);
}

#[test]
fn a_restored_transcript_closes_what_a_crash_left() {
    let mut transcript = Transcript::default();
    transcript.begin_turn("t1", NOW);
    transcript.apply(command("k", "make"), NOW);
    transcript.apply(output("k", OutputUpdate::Append("half".into())), NOW);
    let open: Vec<Item> = transcript.open.iter().map(Entry::record).collect();
    let mut restored = Transcript::restore(open, transcript.last(), "");
    assert_eq!(
        told(&restored.close_all(ItemState::Failed, NOW)),
        [r#"-i1 command "make" b"half" 4 None Failed"#]
    );
    assert_eq!(told(&restored.notice(Level::Info, "n".to_owned(), NOW))[0], r#"+i2 notice "n""#);
}

#[test]
fn fifty_megabytes_keep_the_last_of_them() {
    let mut transcript = Transcript::default();
    transcript.apply(command("k", "yes"), NOW);
    let chunk = Bytes::from(vec![b'y'; 3 * output::TAIL / 2]);
    let mut total = 0;
    while total < 50_000_000 {
        for event in transcript.apply(output("k", OutputUpdate::Append(chunk.clone())), NOW) {
            let Payload::ItemAppended(append) = event else { panic!("{event:?}") };
            assert_eq!(append.offset, total);
            total += append.delta.len() as u64;
        }
    }
    let events = transcript.apply(ends("k", ItemState::Completed), NOW);
    let Payload::ItemCompleted(Item { kind: Some(Kind::CommandExecution(command)), .. }) =
        &events[0]
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (command.output_bytes, command.truncated, command.output.len()),
        (total, true, output::TAIL)
    );
}

/// What may happen to a transcript.
#[derive(Clone, Debug)]
enum Step {
    Update(AgentUpdate),
    Ask(String, String),
    Answer(String, &'static str),
    Begin,
    End,
    Say(Delivery),
    Deliver(u64, Delivery),
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["", "a", "b", "c"]
}

fn any_output() -> impl Strategy<Value = OutputUpdate> {
    let bytes =
        prop_oneof!["[xy]{0,4}".prop_map(Bytes::from), Just(Bytes::from(vec![b'z'; 70_000]))];
    (bytes, any::<bool>()).prop_map(|(bytes, append)| {
        if append { OutputUpdate::Append(bytes) } else { OutputUpdate::Replace(bytes) }
    })
}

fn any_state() -> impl Strategy<Value = ItemState> {
    prop_oneof![
        Just(ItemState::InProgress),
        Just(ItemState::InProgress),
        Just(ItemState::Completed),
        Just(ItemState::Failed),
        Just(ItemState::Declined)
    ]
}

fn any_tool() -> impl Strategy<Value = AgentUpdate> {
    let kind =
        prop_oneof![Just(ToolKind::Execute), Just(ToolKind::Edit), Just(ToolKind::Other("read"))];
    let parts = (
        key(),
        proptest::option::of(kind),
        proptest::option::of(any_state()),
        proptest::option::of(any_output()),
        proptest::option::of("[tu]"),
    );
    parts.prop_map(|(key, kind, state, output, title)| {
        let command = title.clone();
        AgentUpdate::Tool(Box::new(ToolUpdate {
            key,
            kind,
            title,
            state,
            command,
            output,
            ..ToolUpdate::default()
        }))
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let delivery =
        || prop_oneof![Just(Delivery::Queued), Just(Delivery::Delivered), Just(Delivery::Used)];
    let steps = (0..3_usize).prop_map(|count| vec![PlanStep::default(); count]);
    prop_oneof![
        4 => any_tool().prop_map(Step::Update),
        2 => (key(), "[pq]{0,3}").prop_map(|(id, text)| Step::Update(message(&id, &text))),
        1 => "[pq]{0,3}".prop_map(|text| Step::Update(AgentUpdate::Reasoning { message: None, text })),
        1 => steps.prop_map(|steps| Step::Update(AgentUpdate::Plan(steps))),
        1 => Just(Step::Update(AgentUpdate::Notice("n".to_owned()))),
        1 => ("[12]", key()).prop_map(|(id, key)| Step::Ask(id, key)),
        1 => ("[12]", prop_oneof![Just("yes"), Just("no"), Just(CANCELLED)]).prop_map(|(id, answer)| Step::Answer(id, answer)),
        1 => Just(Step::Begin),
        1 => Just(Step::End),
        1 => delivery().prop_map(Step::Say),
        1 => (1..20_u64, delivery()).prop_map(|(id, delivery)| Step::Deliver(id, delivery)),
    ]
}

/// What a reader of the log knows of an item.
#[derive(Default)]
struct Seen {
    item: Item,
    text: Vec<u8>,
    ended: bool,
}

fn check(log: &mut HashMap<String, Seen>, event: &Payload) {
    match event {
        Payload::ItemStarted(item) => {
            let is_new = !log.contains_key(&item.id);
            let seen = log.entry(item.id.clone()).or_default();
            assert!(!seen.ended, "{} began after its end", item.id);
            assert_eq!(item.state(), ItemState::InProgress);
            match &item.kind {
                Some(Kind::CommandExecution(command)) if command.output_bytes == 0 => {
                    seen.text.clear();
                }
                Some(Kind::CommandExecution(command)) => {
                    assert_eq!(command.output_bytes, seen.text.len() as u64);
                    assert!(seen.text.ends_with(&command.output));
                }
                Some(Kind::AgentMessage(_) | Kind::Reasoning(_)) => assert!(is_new),
                _ => {}
            }
            seen.item = item.clone();
        }
        Payload::ItemAppended(append) => {
            let seen = log.get_mut(&append.item_id).expect("appended before it began");
            assert!(!seen.ended && !append.delta.is_empty());
            assert_eq!(append.offset, seen.text.len() as u64);
            seen.text.extend_from_slice(&append.delta);
        }
        Payload::ItemCompleted(item) => {
            let seen = log.get_mut(&item.id).expect("completed before it began");
            assert!(!std::mem::replace(&mut seen.ended, true), "{} ended twice", item.id);
            assert_ne!(item.state(), ItemState::InProgress);
            assert!(item.end_time.is_some());
            match item.kind.as_ref().unwrap() {
                Kind::AgentMessage(AgentMessage { text }) | Kind::Reasoning(Reasoning { text }) => {
                    assert_eq!(text.as_bytes(), seen.text);
                }
                Kind::CommandExecution(command) => {
                    assert_eq!(command.output_bytes, seen.text.len() as u64);
                    let tail = &seen.text[seen.text.len().saturating_sub(output::TAIL)..];
                    assert_eq!(command.output, tail);
                    assert_eq!(command.truncated, seen.text.len() > output::TAIL);
                }
                Kind::Permission(permission) => assert!(!permission.answer.is_empty()),
                _ => assert!(seen.text.is_empty()),
            }
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn any_reports_yield_a_well_formed_log(steps in proptest::collection::vec(any_step(), 0..60)) {
        let mut transcript = Transcript::default();
        let mut log = HashMap::new();
        let mut asked = 0;
        for step in steps {
            let events = match step {
                Step::Update(update) => transcript.apply(update, NOW),
                Step::Ask(id, key) => {
                    asked += 1;
                    transcript.ask(&format!("{id}-{asked}"), question(&key), NOW)
                }
                Step::Answer(id, answer) => transcript.answer(&format!("{id}-{asked}"), answer, "me", NOW),
                Step::Begin => transcript.begin_turn("t", NOW),
                Step::End => transcript.end_turn(ItemState::Failed, NOW),
                Step::Say(delivery) => transcript.user_message(vec![], "me", delivery, NOW).1,
                Step::Deliver(id, delivery) => transcript.deliver(&format!("i{id}"), delivery, NOW),
            };
            for event in &events {
                check(&mut log, event);
            }
        }
        for event in &transcript.end_turn(ItemState::Failed, NOW) {
            check(&mut log, event);
        }
        for seen in log.values() {
            let waits = matches!(&seen.item.kind, Some(Kind::UserMessage(message)) if message.delivery() == Delivery::Queued);
            prop_assert!(seen.ended || waits, "{:?} is still open", seen.item);
        }
    }
}
