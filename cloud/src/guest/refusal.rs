//! Why a call was refused, and how that is said in gRPC.

use std::io;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Domain of the reasons in a status of the guest.
const DOMAIN: &str = "guest.aloft";

/// A call that could not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the cloud speaks protocol {theirs}, this guest {ours}")]
    Protocol { theirs: u32, ours: u32 },
    #[error("this is the guest of sandbox {ours}, not of {theirs}")]
    OtherSandbox { theirs: String, ours: String },
    #[error("{what} is not valid: {why}")]
    Invalid { what: &'static str, why: String },
    #[error("no process has the id {0}")]
    UnknownProcess(String),
    #[error("a process with the id {0} was already started")]
    ProcessExists(String),
    #[error("the program {program} was not found{hint}")]
    ProgramNotFound { program: String, hint: &'static str },
    #[error("the working directory {0} does not exist")]
    DirectoryNotFound(String),
    #[error("the program {program} could not be started")]
    Start { program: String, source: io::Error },
    #[error("output from offset {asked} does not exist yet: there are {end} bytes")]
    BeyondOutput { asked: u64, end: u64 },
    #[error("the process {0} has ended")]
    ProcessEnded(String),
    #[error("the standard input of process {0} is closed")]
    InputClosed(String),
    #[error("the process {0} has no terminal")]
    NoTerminal(String),
    #[error("{0} processes could not be ended in time")]
    StillAlive(usize),
    #[error("failed to read the processes of the sandbox")]
    Processes(#[source] io::Error),
    #[error("failed to {doing} {path}")]
    File { doing: &'static str, path: String, source: io::Error },
    #[error("{path} is not a regular file")]
    NotAFile { path: String },
    #[error("the folder {path} has more than {limit} entries")]
    TooManyEntries { path: String, limit: usize },
    #[error("failed to connect to {address}")]
    Connect { address: String, source: io::Error },
    #[error("the call was broken off")]
    BrokenOff(#[source] Box<Status>),
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let (code, reason) = classify(&refusal);
        let mut message = refusal.to_string();
        let mut cause = std::error::Error::source(&refusal);
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, DOMAIN, []))
    }
}

fn classify(refusal: &Refusal) -> (Code, &'static str) {
    match refusal {
        Refusal::Protocol { .. } => (Code::FailedPrecondition, "PROTOCOL_NEWER"),
        Refusal::OtherSandbox { .. } => (Code::FailedPrecondition, "OTHER_SANDBOX"),
        Refusal::Invalid { .. } => (Code::InvalidArgument, "INVALID_ARGUMENT"),
        Refusal::UnknownProcess(_) => (Code::NotFound, "PROCESS_NOT_FOUND"),
        Refusal::ProcessExists(_) => (Code::AlreadyExists, "PROCESS_EXISTS"),
        Refusal::ProgramNotFound { .. } => (Code::NotFound, "PROGRAM_NOT_FOUND"),
        Refusal::DirectoryNotFound(_) => (Code::NotFound, "DIRECTORY_NOT_FOUND"),
        Refusal::Start { source, .. } => (code_of(source), "START_FAILED"),
        Refusal::BeyondOutput { .. } => (Code::OutOfRange, "BEYOND_OUTPUT"),
        Refusal::ProcessEnded(_) => (Code::FailedPrecondition, "PROCESS_ENDED"),
        Refusal::InputClosed(_) => (Code::FailedPrecondition, "INPUT_CLOSED"),
        Refusal::NoTerminal(_) => (Code::FailedPrecondition, "NO_TERMINAL"),
        Refusal::StillAlive(_) => (Code::DeadlineExceeded, "STILL_ALIVE"),
        Refusal::Processes(_) => (Code::Internal, "PROCESSES_UNREADABLE"),
        Refusal::File { source, .. } => (code_of(source), "FILE_FAILED"),
        Refusal::NotAFile { .. } => (Code::FailedPrecondition, "NOT_A_FILE"),
        Refusal::TooManyEntries { .. } => (Code::ResourceExhausted, "TOO_MANY_ENTRIES"),
        Refusal::Connect { .. } => (Code::Unavailable, "CONNECT_FAILED"),
        Refusal::BrokenOff(status) => (status.code(), "BROKEN_OFF"),
    }
}

fn code_of(error: &io::Error) -> Code {
    match error.kind() {
        io::ErrorKind::NotFound => Code::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Code::PermissionDenied
        }
        io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::ArgumentListTooLong => Code::InvalidArgument,
        io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::ResourceBusy => Code::FailedPrecondition,
        io::ErrorKind::WouldBlock
        | io::ErrorKind::OutOfMemory
        | io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded => Code::ResourceExhausted,
        _ => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_names_what_failed_why_and_the_reason() {
        let source = io::Error::from(io::ErrorKind::NotFound);
        let status =
            Status::from(Refusal::File { doing: "read", path: "/workspace/a".into(), source });
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.message(), "failed to read /workspace/a: entity not found");
        let reason = status.get_error_details().error_info().map(|info| info.reason.clone());
        assert_eq!(reason.as_deref(), Some("FILE_FAILED"));
    }
}
