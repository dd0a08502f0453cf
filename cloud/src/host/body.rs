//! Bodies that are passed on as they come, but not without end and not without movement.

use std::{io, time::Duration};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};

/// How long a sender may pause within a body.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Why the body of a request was given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It is longer than allowed.
    #[error("read the request: it is larger than {0} bytes")]
    TooLarge(u64),
    /// Its sender pauses for too long.
    #[error("read the request: its sender has stopped sending")]
    Stalled,
    /// The connection broke.
    #[error("read the request")]
    Broken(#[source] axum::Error),
}

/// The bytes of a body, piece by piece, up to `limit` and with no pause longer than [`STALL_TIMEOUT`].
pub(crate) fn limited(body: Body, limit: u64) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    let start = Some((body.into_data_stream(), limit));
    stream::unfold(start, move |state| async move {
        let (mut pieces, left) = state?;
        match next(&mut pieces).await? {
            Ok(piece) => match left.checked_sub(piece.len() as u64) {
                Some(left) => Some((Ok(piece), Some((pieces, left)))),
                None => Some((Err(Error::TooLarge(limit)), None)),
            },
            Err(error) => Some((Err(error), None)),
        }
    })
    // Whoever reads it may ask again after its end.
    .fuse()
}

async fn next(pieces: &mut BodyDataStream) -> Option<Result<Bytes, Error>> {
    match tokio::time::timeout(STALL_TIMEOUT, pieces.next()).await {
        Ok(piece) => Some(piece?.map_err(Error::Broken)),
        Err(_) => Some(Err(Error::Stalled)),
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

/// Reads a body to its end and forgets it: whoever is still sending would not see an answer before that.
pub(super) async fn drain(body: Body, limit: u64) {
    let mut pieces = std::pin::pin!(limited(body, limit));
    while let Some(Ok(_)) = pieces.next().await {}
}
