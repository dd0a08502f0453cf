//! Whoever follows the log, folded or not, ends with the items that the store shows.

use std::collections::BTreeMap;

use aloft_proto::v1::{Event, Item, ItemState, event::Payload, item::Kind};
use proptest::prelude::*;

use crate::store::{
    ITEM_OUTPUT, Store as _,
    sqlite::{
        Sqlite,
        tests::{appended, command, create, event, fresh, message, write},
    },
};

/// One change of one of the items: two messages and two commands.
#[derive(Clone, Debug)]
struct Change {
    item: usize,
    kind: ChangeKind,
}

#[derive(Clone, Debug)]
enum ChangeKind {
    Start(String),
    Append(usize),
    /// Ends the item with what it has.
    End,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let kind = prop_oneof![
        2 => "[a-zäö]{0,12}".prop_map(ChangeKind::Start),
        6 => prop_oneof![4 => 0_usize..20, 1 => 30_000_usize..70_000].prop_map(ChangeKind::Append),
        2 => Just(ChangeKind::End),
    ];
    proptest::collection::vec(
        (0_usize..4, kind).prop_map(|(item, kind)| Change { item, kind }),
        1..60,
    )
}

/// What a follower does with an event.
fn follow(items: &mut BTreeMap<String, Item>, event: &Event) {
    match &event.payload {
        Some(Payload::ItemStarted(item) | Payload::ItemCompleted(item)) => {
            items.insert(item.id.clone(), item.clone());
        }
        Some(Payload::ItemAppended(appended)) => {
            match &mut items.get_mut(&appended.item_id).unwrap().kind {
                Some(Kind::AgentMessage(message)) => {
                    assert_eq!(message.text.len() as u64, appended.offset);
                    message.text.push_str(std::str::from_utf8(&appended.delta).unwrap());
                }
                Some(Kind::CommandExecution(command)) => {
                    assert_eq!(command.output_bytes, appended.offset);
                    let output = [&command.output[..], &appended.delta[..]].concat();
                    command.output_bytes += appended.delta.len() as u64;
                    command.output =
                        output[output.len().saturating_sub(ITEM_OUTPUT)..].to_vec().into();
                    command.truncated = command.output_bytes > command.output.len() as u64;
                }
                other => panic!("{other:?}"),
            }
        }
        _ => {}
    }
}

async fn followed(store: &Sqlite, fold: bool) -> BTreeMap<String, Item> {
    let (mut items, mut after, mut counted) = (BTreeMap::new(), 0, 0);
    loop {
        let events = store.events("replay", after, 7, fold).await.unwrap();
        let Some(last) = events.last() else { break };
        after = last.cursor;
        for event in &events {
            counted += event.folded + 1;
            follow(&mut items, event);
        }
    }
    assert_eq!(counted, after);
    items
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn following_ends_where_reading_does(changes in changes()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_directory, store) = fresh();
            create(&store, "replay").await;
            let mut model = BTreeMap::<String, Item>::new();
            let mut outputs = BTreeMap::<String, Vec<u8>>::new();
            for Change { item, kind } in changes {
                let id = format!("item-{item}");
                let is_command = item >= 2;
                let told = match kind {
                    ChangeKind::Start(text) if is_command => {
                        outputs.insert(id.clone(), text.clone().into_bytes());
                        event(Payload::ItemStarted(command(&id, text.as_bytes(), text.len() as u64, ItemState::InProgress)))
                    }
                    ChangeKind::Start(text) => event(Payload::ItemStarted(message(&id, &text, ItemState::InProgress))),
                    ChangeKind::Append(_) | ChangeKind::End if !model.contains_key(&id) => continue,
                    ChangeKind::Append(size) => {
                        let delta: Vec<u8> = (b'a'..=b'z').cycle().skip(size % 7).take(size).collect();
                        outputs.entry(id.clone()).or_default().extend(&delta);
                        appended(&id, delta)
                    }
                    ChangeKind::End => {
                        event(Payload::ItemCompleted(Item { state: ItemState::Completed as i32, ..model[&id].clone() }))
                    }
                };
                write(&store, "replay", vec![told]).await;
                let newest = store.thread("replay").await.unwrap().unwrap().1;
                follow(&mut model, &store.events("replay", newest - 1, 1, false).await.unwrap()[0]);
            }
            let shown = store.items("replay", None, 10).await.unwrap().items;
            let shown: BTreeMap<_, _> = shown.into_iter().map(|item| (item.id.clone(), item)).collect();
            assert_eq!(shown, model);
            assert_eq!(followed(&store, false).await, model);
            assert_eq!(followed(&store, true).await, model);
            for id in model.keys().filter(|id| ["item-2", "item-3"].contains(&id.as_str())) {
                let page = store.output("replay", id, 0, usize::MAX).await.unwrap();
                assert!(page.data == outputs[id] && page.total_bytes == outputs[id].len() as u64);
            }
            store.integrity_check().await.unwrap();
        });
    }
}
