//! What went wrong, as every way out tells it: JSON-RPC errors, the CLI's JSON, exit codes.
//!
//! The cloud sends a status with `google.rpc.ErrorInfo{reason, domain: "aloft", metadata{hint, retryable, …}}`; further
//! metadata is passed on as it is.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fmt, io};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tonic_types::StatusExt as _;

/// What kind of failure it is; decides the JSON-RPC code and the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request makes no sense, whatever the state of things.
    InvalidParams,
    /// A fault of ours.
    Internal,
    /// The client took the request back.
    Cancelled,
    /// Not signed in.
    Unauthenticated,
    /// Signed in, but not allowed.
    Denied,
    /// There is no such thing.
    NotFound,
    /// Not possible in the state things are in.
    FailedPrecondition,
    /// The cloud cannot be reached now.
    Unavailable,
    /// A limit is reached.
    Exhausted,
}

impl Code {
    /// Returns the JSON-RPC error code.
    pub fn json_rpc(self) -> i64 {
        match self {
            Self::InvalidParams => -32602,
            Self::Internal => -32603,
            Self::Cancelled => -32800,
            Self::Unauthenticated => -32010,
            Self::Denied => -32011,
            Self::NotFound => -32012,
            Self::FailedPrecondition => -32013,
            Self::Unavailable => -32014,
            Self::Exhausted => -32015,
        }
    }

    /// Returns the exit code of the CLI.
    pub fn exit(self) -> u8 {
        match self {
            Self::InvalidParams => 2,
            Self::Unauthenticated | Self::Denied => 3,
            Self::Unavailable => 4,
            Self::Internal
            | Self::Cancelled
            | Self::NotFound
            | Self::FailedPrecondition
            | Self::Exhausted => 1,
        }
    }

    fn of(code: tonic::Code) -> Self {
        match code {
            tonic::Code::InvalidArgument | tonic::Code::OutOfRange => Self::InvalidParams,
            tonic::Code::Cancelled => Self::Cancelled,
            tonic::Code::Unauthenticated => Self::Unauthenticated,
            tonic::Code::PermissionDenied => Self::Denied,
            tonic::Code::NotFound => Self::NotFound,
            tonic::Code::FailedPrecondition | tonic::Code::AlreadyExists | tonic::Code::Aborted => {
                Self::FailedPrecondition
            }
            tonic::Code::Unavailable | tonic::Code::DeadlineExceeded => Self::Unavailable,
            tonic::Code::ResourceExhausted => Self::Exhausted,
            tonic::Code::Ok
            | tonic::Code::Unknown
            | tonic::Code::Unimplemented
            | tonic::Code::Internal
            | tonic::Code::DataLoss => Self::Internal,
        }
    }

    /// Returns the reason told where the sender gave none.
    fn reason(self) -> &'static str {
        match self {
            Self::InvalidParams => "INVALID_ARGUMENT",
            Self::Internal => "INTERNAL",
            Self::Cancelled => "CANCELLED",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Denied => "PERMISSION_DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Unavailable => "CLOUD_UNREACHABLE",
            Self::Exhausted => "RESOURCE_EXHAUSTED",
        }
    }
}

/// Something that went wrong, with what a person needs to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure it is.
    pub code: Code,
    /// `UPPER_SNAKE`, listed in docs/errors.md.
    pub reason: String,
    /// What happened, to what.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The same request may work later.
    pub retryable: bool,
    /// More for programs, for example the `answer` of `ALREADY_ANSWERED`.
    pub details: BTreeMap<String, String>,
}

impl Error {
    /// Returns an error without a hint, retryable where its kind is.
    pub fn new(code: Code, reason: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.to_owned(),
            message: message.into(),
            hint: None,
            retryable: matches!(code, Code::Unavailable | Code::Exhausted),
            details: BTreeMap::new(),
        }
    }

    /// Returns the error of a file or stream of this machine that cannot be used.
    pub fn local(attempt: &str, path: &Path, error: &io::Error) -> Self {
        let message = format!("failed to {attempt} {}: {error}", path.display());
        let told = Self::new(Code::FailedPrecondition, "LOCAL_IO", message);
        Self { hint: local_hint(error).map(str::to_owned), ..told }
    }

    /// Returns the error of a file or folder that is there already and is not written over.
    pub fn exists(path: &Path) -> Self {
        let message = format!("{} exists", path.display());
        Self::new(Code::FailedPrecondition, "FILE_EXISTS", message)
            .with_hint("choose another name, or remove it first")
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Tells whether no cloud was there to answer; any other error is an answer.
    pub fn is_offline(&self) -> bool {
        let ours = [
            "CLOUD_FOLDER",
            "CLOUD_NOT_INSTALLED",
            "CLOUD_SILENT",
            "CLOUD_START_FAILED",
            "CLOUD_STOPPING",
            "CLOUD_UNREACHABLE",
            "DEADLINE_EXCEEDED",
        ];
        self.code == Code::Unavailable && ours.contains(&self.reason.as_str())
    }

    /// Returns what a JSON-RPC error carries as `data`.
    pub fn data(&self) -> ErrorData {
        ErrorData {
            reason: self.reason.clone(),
            hint: self.hint.clone(),
            retryable: self.retryable,
            details: self.details.clone(),
        }
    }

    /// Returns what the CLI prints with `--json`.
    pub fn report(&self) -> ErrorReport {
        ErrorReport {
            error: ErrorBody {
                reason: self.reason.clone(),
                message: self.message.clone(),
                hint: self.hint.clone(),
                retryable: self.retryable,
            },
        }
    }
}

/// Returns what to do about a file of this machine that cannot be used.
pub fn local_hint(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::NotFound => Some("check that the path is there"),
        io::ErrorKind::PermissionDenied => {
            Some("see who may use it, and the folders above: ls -ld")
        }
        io::ErrorKind::StorageFull => Some("free space on that disk"),
        _ => None,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Self {
        let code = Code::of(status.code());
        let message = if status.message().is_empty() {
            status.code().description()
        } else {
            status.message()
        };
        let mut error = Self::new(code, code.reason(), message);
        if let Some(info) = status.get_details_error_info() {
            error.reason = info.reason;
            let mut metadata: BTreeMap<_, _> = info.metadata.into_iter().collect();
            error.hint = metadata.remove("hint").filter(|hint| !hint.is_empty());
            if let Some(retryable) = metadata.remove("retryable") {
                error.retryable = retryable == "true";
            }
            error.details = metadata;
        }
        error
    }
}

/// `data` of a JSON-RPC error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorData {
    /// `UPPER_SNAKE`, listed in docs/errors.md.
    pub reason: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The same request may work later.
    pub retryable: bool,
    /// More for programs, for example the `answer` of `ALREADY_ANSWERED`.
    #[serde(flatten)]
    pub details: BTreeMap<String, String>,
}

/// What the CLI prints on stdout with `--json` when it fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorReport {
    /// What went wrong.
    pub error: ErrorBody,
}

/// An error for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// `UPPER_SNAKE`, listed in docs/errors.md.
    pub reason: String,
    /// What happened, to what.
    pub message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The same request may work later.
    pub retryable: bool,
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn a_status_with_details_keeps_reason_hint_and_the_rest() {
        let metadata = [("hint", "look again"), ("retryable", "false"), ("answer", "allow")];
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let details = ErrorDetails::with_error_info("ALREADY_ANSWERED", "aloft", metadata);
        let status = tonic::Status::with_error_details(
            tonic::Code::FailedPrecondition,
            "answered already",
            details,
        );
        let error = Error::from(status);
        assert_eq!(error.code.json_rpc(), -32013);
        let data = serde_json::json!(
            {"reason": "ALREADY_ANSWERED", "hint": "look again", "retryable": false, "answer": "allow"}
        );
        assert_eq!(serde_json::to_value(error.data()).unwrap(), data);
        let report = serde_json::json!({"error": {
            "reason": "ALREADY_ANSWERED", "message": "answered already", "hint": "look again", "retryable": false}});
        assert_eq!(serde_json::to_value(error.report()).unwrap(), report);
    }

    #[test]
    fn every_status_has_its_codes() {
        let cases = [
            (tonic::Code::InvalidArgument, -32602, 2, false),
            (tonic::Code::Internal, -32603, 1, false),
            (tonic::Code::Unknown, -32603, 1, false),
            (tonic::Code::Cancelled, -32800, 1, false),
            (tonic::Code::Unauthenticated, -32010, 3, false),
            (tonic::Code::PermissionDenied, -32011, 3, false),
            (tonic::Code::NotFound, -32012, 1, false),
            (tonic::Code::FailedPrecondition, -32013, 1, false),
            (tonic::Code::Unavailable, -32014, 4, true),
            (tonic::Code::DeadlineExceeded, -32014, 4, true),
            (tonic::Code::ResourceExhausted, -32015, 1, true),
        ];
        for (code, json_rpc, exit, retryable) in cases {
            let error = Error::from(tonic::Status::new(code, ""));
            assert_eq!(
                (error.code.json_rpc(), error.code.exit(), error.retryable),
                (json_rpc, exit, retryable)
            );
            assert!(!error.message.is_empty() && !error.reason.is_empty());
        }
    }
}
