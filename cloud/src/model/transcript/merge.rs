//! Gathers neighboring appends, so that a flood of small pieces becomes few events.

use aloft_proto::v1::{Field, ItemAppended};
use bytes::BytesMut;

use crate::model::transcript::output::TAIL;

/// Most bytes of words in one append.
const TEXT: usize = 4 * 1024;

/// Adds `next` to `last` when it goes on where that ends and both together are small enough; gives it back otherwise.
pub fn merge(last: &mut ItemAppended, next: ItemAppended) -> Option<ItemAppended> {
    let most = if last.field() == Field::Output { TAIL } else { TEXT };
    let goes_on = last.item_id == next.item_id
        && last.field == next.field
        && last.offset + last.delta.len() as u64 == next.offset
        && last.delta.len() + next.delta.len() <= most;
    if !goes_on {
        return Some(next);
    }
    // The bytes are our own as long as nobody else holds them, and then grow in place.
    let mut delta = std::mem::take(&mut last.delta)
        .try_into_mut()
        .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    delta.extend_from_slice(&next.delta);
    last.delta = delta.freeze();
    None
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn append(item: &str, field: Field, offset: u64, delta: &[u8]) -> ItemAppended {
        let delta = Bytes::copy_from_slice(delta);
        ItemAppended { item_id: item.to_owned(), field: field.into(), delta, offset }
    }

    #[test]
    fn neighbors_become_one() {
        let mut last = append("i1", Field::Text, 3, b"ab");
        assert_eq!(merge(&mut last, append("i1", Field::Text, 5, b"c")), None);
        assert_eq!(last, append("i1", Field::Text, 3, b"abc"));
        for other in [
            append("i2", Field::Text, 6, b"x"),
            append("i1", Field::Output, 6, b"x"),
            append("i1", Field::Text, 7, b"x"),
            append("i1", Field::Text, 6, &[b'x'; TEXT]),
        ] {
            assert_eq!(merge(&mut last, other.clone()), Some(other));
        }
        let mut output = append("i1", Field::Output, 0, &[0; TEXT]);
        assert_eq!(merge(&mut output, append("i1", Field::Output, TEXT as u64, &[0; TEXT])), None);
        assert_eq!(output.delta.len(), 2 * TEXT);
    }
}
