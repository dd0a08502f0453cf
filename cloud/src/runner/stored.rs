//! What a thread is in the store: its machine with all that a machine must know again, and answers that are remembered.

use aloft_proto::v1::{Thread, ThreadResponse, ThreadState, TurnResponse};
use prost::Message as _;

use crate::{
    config::{self, Config},
    model::machine::{AfterTurn, Machine, Memory, Resting, Stored},
    runner::{Error, Parts, handle::Applied},
    store::{self, ThreadRow},
};

/// How threads rest.
pub(super) fn resting(config: &Config) -> Resting {
    Resting {
        after_turn: match config.after_turn {
            config::AfterTurn::Freeze => AfterTurn::Freeze,
            config::AfterTurn::Suspend => AfterTurn::Suspend,
            config::AfterTurn::Run => AfterTurn::Run,
        },
        idle: i64::try_from(config.idle().as_millis()).unwrap_or(i64::MAX),
        remove_after: i64::try_from(config.clean_up().as_millis()).unwrap_or(i64::MAX),
    }
}

/// A machine as the store has it.
pub(super) async fn restore(parts: &Parts, row: ThreadRow) -> Result<Machine, Error> {
    let memory = memory(&row);
    let turn = match memory.turns {
        0 => None,
        number => parts.store.turn_by_number(&row.thread.id, number).await?,
    };
    let open = parts.store.open_items(&row.thread.id).await?;
    let stored = Stored { thread: row.thread, memory, turn, open };
    Ok(Machine::restore(stored, resting(&parts.config)))
}

/// A machine without its turn and items: enough to tell its age.
pub(super) fn sketch(parts: &Parts, row: ThreadRow) -> Machine {
    let stored = Stored { memory: memory(&row), thread: row.thread, ..Stored::default() };
    Machine::restore(stored, resting(&parts.config))
}

/// What a machine knows beside its row.
pub(super) fn memory(row: &ThreadRow) -> Memory {
    serde_json::from_slice(&row.private).unwrap_or_else(|error| {
        tracing::error!(thread = row.thread.id, %error, "the thread's memory is not readable");
        Memory {
            items: 1 << 32,
            turns: row.thread.last_turn.as_ref().map_or(0, |turn| turn.number),
            ..Memory::default()
        }
    })
}

pub(super) fn encode_memory(memory: &Memory) -> Vec<u8> {
    serde_json::to_vec(memory).unwrap_or_default()
}

/// An answer as it is remembered, beside the cursor: thread, then turn and item, then the queue.
pub(super) fn encode_answer(applied: &Applied) -> Vec<u8> {
    // It outlives a deletion: then it holds nothing of what the thread was about.
    let deleting = applied.thread.state() == ThreadState::Deleting;
    let remembered = if deleting {
        let Thread { id, owner, state, .. } = applied.thread.clone();
        Thread { id, owner, state, ..Thread::default() }
    } else {
        applied.thread.clone()
    };
    let mut bytes = Vec::new();
    let thread = ThreadResponse { thread: Some(remembered), cursor: 0 };
    let turn = TurnResponse { turn: applied.turn.clone(), cursor: 0, item: applied.item.clone() };
    let queue = aloft_proto::v1::ListQueueResponse { items: applied.queue.clone() };
    bytes.extend(thread.encode_length_delimited_to_vec());
    bytes.extend(turn.encode_length_delimited_to_vec());
    bytes.extend(queue.encode_length_delimited_to_vec());
    bytes
}

pub(super) fn decode_answer(known: &store::Request) -> Result<Applied, Error> {
    let mut rest = known.answer.as_slice();
    let broken = |_| Error::Invalid { message: "the remembered answer is not readable".to_owned() };
    let thread = ThreadResponse::decode_length_delimited(&mut rest).map_err(broken)?;
    let turn = TurnResponse::decode_length_delimited(&mut rest).map_err(broken)?;
    let queue =
        aloft_proto::v1::ListQueueResponse::decode_length_delimited(&mut rest).map_err(broken)?;
    Ok(Applied {
        thread: thread.thread.unwrap_or_default(),
        cursor: known.cursor,
        turn: turn.turn,
        item: turn.item,
        queue: queue.items,
    })
}
