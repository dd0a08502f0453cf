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
        status(kind, problem)
    }
}

/// A status that says this.
pub(super) fn status(kind: ErrorKind, problem: Problem) -> Status {
    let code = match kind {
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Precondition => Code::FailedPrecondition,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Exhausted => Code::ResourceExhausted,
        ErrorKind::Internal => Code::Internal,
    };
    let metadata = HashMap::from([
        ("hint".to_owned(), problem.hint),
        ("retryable".to_owned(), problem.retryable.to_string()),
    ]);
    let details = ErrorDetails::with_error_info(problem.reason, DOMAIN, metadata);
    Status::with_error_details(code, problem.message, details)
}
