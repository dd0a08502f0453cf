//! The one way from an error to a status: its kind is the code, its reason, hint and retryability travel as `ErrorInfo`.

use std::collections::HashMap;

use aloft_proto::v1::Problem;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::runner::{Error, ErrorKind};

/// Name space of the reasons.
const DOMAIN: &str = "aloft";

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let (kind, problem) = error.explain();
        if kind == ErrorKind::Internal {
            tracing::error!(error = problem.message, "a request failed");
        }
        with_details(kind, problem, error.details())
    }
}

/// A status that says this.
pub(super) fn status(kind: ErrorKind, problem: Problem) -> Status {
    with_details(kind, problem, None)
}

fn with_details(
    kind: ErrorKind,
    problem: Problem,
    details: impl IntoIterator<Item = (&'static str, String)>,
) -> Status {
    let code = match kind {
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Precondition => Code::FailedPrecondition,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Exhausted => Code::ResourceExhausted,
        ErrorKind::Internal => Code::Internal,
    };
    let common = [("hint", problem.hint), ("retryable", problem.retryable.to_string())];
    let metadata: HashMap<String, String> =
        common.into_iter().chain(details).map(|(name, value)| (name.to_owned(), value)).collect();
    let details = ErrorDetails::with_error_info(problem.reason, DOMAIN, metadata);
    Status::with_error_details(code, problem.message, details)
}
