//! Items, turns and output, as they are derived from the log.

use aloft_proto::v1::{Item, ItemState, Turn, TurnState, event::Payload, item::Kind};

use crate::store::{
    Error, Found, ITEM_OUTPUT, ItemPage, Store as _, Turns,
    sqlite::tests::{appended, command, command_of, create, event, fresh, message, write},
};

/// Bytes that are not UTF-8 and repeat nowhere near.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

#[tokio::test]
async fn output_is_paged_byte_for_byte() {
    let (_directory, store) = fresh();
    create(&store, "noisy").await;
    let output = noise(5_000_000);
    write(
        &store,
        "noisy",
        vec![event(Payload::ItemStarted(command("run", &[], 0, ItemState::InProgress)))],
    )
    .await;
    let mut rest = &output[..];
    let mut size = 1;
    while !rest.is_empty() {
        let (deltas, mut events) = (20, Vec::new());
        for _ in 0..deltas {
            size = (size * 7 + 11) % 9000 + 1;
            let (delta, after) = rest.split_at(size.min(rest.len()));
            events.push(appended("run", delta.to_vec()));
            rest = after;
        }
        write(&store, "noisy", events).await;
    }
    let read = async |limit: usize| {
        let (mut read, mut offset) = (Vec::new(), 0);
        loop {
            let page = store.output("noisy", "run", offset, limit).await.unwrap();
            assert_eq!(
                (page.total_bytes, page.next_offset),
                (output.len() as u64, offset + page.data.len() as u64)
            );
            if page.data.is_empty() {
                break read;
            }
            read.extend_from_slice(&page.data);
            offset = page.next_offset;
        }
    };
    assert!(read(65536).await == output);
    assert!(read(999_983).await == output);

    let open = store.open_items("noisy").await.unwrap();
    let shown = command_of(&open[0]);
    assert!(shown.output == output[output.len() - ITEM_OUTPUT..]);
    assert!(shown.truncated && shown.output_bytes == output.len() as u64);

    // Its end tells the last part again: the whole stays as it was.
    let tail = &output[output.len() - ITEM_OUTPUT..];
    let ended = command("run", tail, output.len() as u64, ItemState::Completed);
    write(&store, "noisy", vec![event(Payload::ItemCompleted(ended.clone()))]).await;
    assert!(read(70_001).await == output);
    assert_eq!(store.item("noisy", "run").await.unwrap(), Some(ended));
    assert_eq!(store.open_items("noisy").await.unwrap(), []);
}

#[tokio::test]
async fn an_item_told_as_a_whole_replaces_the_output_it_covers() {
    let (_directory, store) = fresh();
    create(&store, "told").await;
    let all = async || {
        let page = store.output("told", "run", 0, 1000).await.unwrap();
        assert_eq!(page.total_bytes, page.data.len() as u64);
        String::from_utf8(page.data.to_vec()).unwrap()
    };
    let told = |output: &str, size| {
        event(Payload::ItemStarted(command("run", output.as_bytes(), size, ItemState::InProgress)))
    };
    write(&store, "told", vec![told("ab", 2), appended("run", "cdef"), appended("run", "gh")])
        .await;
    assert_eq!(all().await, "abcdefgh");
    write(&store, "told", vec![told("GHIJ", 10)]).await;
    assert_eq!(all().await, "abcdefGHIJ");
    write(&store, "told", vec![appended("run", "kl"), told("DE", 5), appended("run", "F")]).await;
    assert_eq!(all().await, "abcDEF");
    assert_eq!(
        &command_of(&store.item("told", "run").await.unwrap().unwrap()).output[..],
        b"abcDEF"
    );
    write(&store, "told", vec![told("", 0), appended("run", "new")]).await;
    assert_eq!(all().await, "new");
    let events = store.events("told", 0, 100, false).await.unwrap();
    let offsets = events.iter().filter_map(|event| match &event.payload {
        Some(Payload::ItemAppended(appended)) => Some(appended.offset),
        _ => None,
    });
    assert!(offsets.eq([2, 6, 10, 5, 0]));
    assert_eq!(store.output("told", "run", u64::MAX, 10).await.unwrap().next_offset, 3);
    assert!(matches!(store.output("told", "other", 0, 10).await, Err(Error::UnknownItem { .. })));
}

#[tokio::test]
async fn the_text_of_an_open_item_is_what_was_told_and_what_came_after() {
    let (_directory, store) = fresh();
    create(&store, "texts").await;
    let text = async || match store.item("texts", "word").await.unwrap().unwrap().kind {
        Some(Kind::AgentMessage(message)) => message.text,
        other => panic!("{other:?}"),
    };
    let started = event(Payload::ItemStarted(message("word", "ü", ItemState::InProgress)));
    // A character split between two appends.
    write(
        &store,
        "texts",
        vec![started, appended("word", &b"\xc3"[..]), appended("word", &b"\xa4!"[..])],
    )
    .await;
    assert_eq!(text().await, "üä!");
    write(
        &store,
        "texts",
        vec![event(Payload::ItemStarted(message("word", "anew", ItemState::InProgress)))],
    )
    .await;
    assert_eq!(text().await, "anew");
    write(&store, "texts", vec![appended("word", " and on")]).await;
    assert_eq!(text().await, "anew and on");
    write(
        &store,
        "texts",
        vec![event(Payload::ItemCompleted(message("word", "the end", ItemState::Completed)))],
    )
    .await;
    assert_eq!(text().await, "the end");
}

#[tokio::test]
async fn items_are_paged_in_the_order_of_their_first_appearance() {
    let (_directory, store) = fresh();
    create(&store, "paged").await;
    let item = |number: u32, state| message(&format!("item-{number}"), &number.to_string(), state);
    let started = (0..10)
        .map(|number| event(Payload::ItemStarted(item(number, ItemState::InProgress))))
        .collect();
    write(&store, "paged", started).await;
    let cursor =
        write(&store, "paged", vec![event(Payload::ItemCompleted(item(3, ItemState::Completed)))])
            .await
            .cursor;

    let ids = |items: &[Item]| items.iter().map(|item| item.id.clone()).collect::<Vec<_>>();
    let newest = store.items("paged", None, 4).await.unwrap();
    assert_eq!(
        (ids(&newest.items), newest.has_more),
        (vec!["item-6".into(), "item-7".into(), "item-8".into(), "item-9".into()], true)
    );
    assert_eq!(newest.cursor, cursor);
    let before = store.items("paged", Some("item-6"), 4).await.unwrap();
    assert_eq!(
        (ids(&before.items)[1..].to_vec(), before.has_more),
        (vec!["item-3".into(), "item-4".into(), "item-5".into()], true)
    );
    assert_eq!(before.items[1].state, ItemState::Completed as i32);
    let first = store.items("paged", Some("item-2"), 4).await.unwrap();
    assert_eq!(
        (ids(&first.items), first.has_more),
        (vec!["item-0".into(), "item-1".into()], false)
    );
    assert_eq!(store.open_items("paged").await.unwrap().len(), 9);
    assert!(matches!(store.items("paged", Some("none"), 4).await, Err(Error::UnknownItem { .. })));
}

#[tokio::test]
async fn turns_are_as_their_newest_event_says() {
    let (_directory, store) = fresh();
    create(&store, "turned").await;
    let turn = |number: u32, state: TurnState| Turn {
        id: format!("turn-{number}"),
        number,
        state: state as i32,
        ..Turn::default()
    };
    for number in 1..=5 {
        write(
            &store,
            "turned",
            vec![event(Payload::TurnStarted(turn(number, TurnState::Running)))],
        )
        .await;
    }
    write(&store, "turned", vec![event(Payload::TurnCompleted(turn(2, TurnState::Failed)))]).await;
    let ids = ["turn-4", "turn-2", "turn-4", "none"].map(str::to_owned).to_vec();
    let expected = [turn(2, TurnState::Failed), turn(4, TurnState::Running)];
    assert_eq!(store.turns("turned", Turns::Ids(ids)).await.unwrap(), expected);
    let numbers = store.turns("turned", Turns::Numbers(2..=3)).await.unwrap();
    assert_eq!(numbers, [turn(2, TurnState::Failed), turn(3, TurnState::Running)]);
    assert_eq!(store.turn_by_number("turned", 5).await.unwrap(), Some(turn(5, TurnState::Running)));
    assert_eq!(store.turn_by_number("turned", 6).await.unwrap(), None);
}

#[tokio::test]
async fn a_page_holds_no_more_than_fits_into_a_message() {
    let (_directory, store) = fresh();
    create(&store, "large").await;
    let large = "x".repeat(7 << 20);
    for id in ["first", "second", "third"] {
        let item = message(id, &large, ItemState::Completed);
        write(&store, "large", vec![event(Payload::ItemCompleted(item))]).await;
    }
    let ids = |page: &ItemPage| page.items.iter().map(|item| item.id.clone()).collect::<Vec<_>>();
    let newest = store.items("large", None, 200).await.unwrap();
    assert_eq!((ids(&newest), newest.has_more), (vec!["second".into(), "third".into()], true));
    let before = store.items("large", Some("second"), 200).await.unwrap();
    assert_eq!((ids(&before), before.has_more), (vec!["first".into()], false));
    // One that is larger than a page still comes.
    let item = message("fourth", &"x".repeat(17 << 20), ItemState::Completed);
    write(&store, "large", vec![event(Payload::ItemCompleted(item))]).await;
    let newest = store.items("large", None, 200).await.unwrap();
    assert_eq!((ids(&newest), newest.has_more), (vec!["fourth".into()], true));
}

#[tokio::test]
async fn a_thread_is_read_with_its_items_and_their_turns_at_once() {
    let (_directory, store) = fresh();
    create(&store, "whole").await;
    for number in 1..=2_u32 {
        let turn = Turn { id: format!("turn-{number}"), number, ..Turn::default() };
        let item = Item {
            turn_id: turn.id.clone(),
            ..message(&format!("item-{number}"), "words", ItemState::Completed)
        };
        let events = [Payload::TurnStarted(turn), Payload::ItemCompleted(item)].map(event);
        write(&store, "whole", events.to_vec()).await;
    }
    let read = store.read_thread("local", "whole", None, 1).await.unwrap();
    let Found::One(row, cursor) = &read.found else { panic!("{read:?}") };
    assert_eq!((row.thread.id.as_str(), *cursor), ("whole", read.page.cursor));
    assert!(read.page.has_more);
    assert_eq!((read.page.items[0].id.as_str(), read.turns.len()), ("item-2", 1));
    assert_eq!(read.turns[0].id, "turn-2");
    let none = store.read_thread("other", "whole", None, 1).await.unwrap();
    assert_eq!((none.found, none.page.items.len()), (Found::None, 0));
}
