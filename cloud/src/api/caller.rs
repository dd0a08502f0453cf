//! Who calls.

use tonic::Request;

/// The user of an embedded cloud: whoever may open its socket.
const LOCAL: &str = "local";

/// The owner in whose name a request acts.
///
/// A cloud on a unix socket has one user, the one who may open it. Tokens of other users come with accounts.
pub(super) fn owner<T>(_request: &Request<T>) -> String {
    LOCAL.to_owned()
}
