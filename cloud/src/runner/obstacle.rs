//! What may stand between a thread and the remote its repository came from.

/// Why a thread's work does not get there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// The thread changed nothing.
    #[error("the thread has changed nothing, so there is nothing to propose")]
    NothingToPropose,
    /// Nobody knows where the branch could go.
    #[error("the repository {path} has no remote to push to")]
    NoRemote {
        /// The checkout.
        path: String,
        /// The thread's.
        slug: String,
    },
    /// What is needed is at a forge or tracker that nobody gave an account of.
    #[error("{host} opens it only to an account, and none of it is connected")]
    AccountMissing {
        /// The forge or tracker.
        host: String,
    },
    /// The thread's branch is the one it should be merged into.
    #[error("the thread's branch {branch} is the very branch a pull request would go to")]
    BranchIsBase {
        /// The branch.
        branch: String,
    },
    /// Not a number of an issue, nor the address of one that an account reaches.
    #[error("{issue:?} is no issue that an account reaches")]
    IssueUnknown {
        /// As it was given.
        issue: String,
    },
    /// The thread began without an issue.
    #[error("{slug} did not begin with an issue")]
    NoIssue {
        /// The thread's.
        slug: String,
    },
    /// The agent has neither said nor planned anything.
    #[error("the agent of {slug} has said nothing yet that could be told")]
    NothingToTell {
        /// The thread's.
        slug: String,
    },
    /// The repository has no such branch.
    #[error("the repository {name} has no branch {branch}")]
    BaseMissing {
        /// As it was asked for.
        branch: String,
        /// The repository.
        name: String,
    },
    /// The repository takes nothing any more.
    #[error("the repository {name} is archived at {host}")]
    RepositoryArchived {
        /// The repository.
        name: String,
        /// The forge.
        host: String,
    },
    /// The account may only read.
    #[error("{login} may neither push to {name} at {host} nor fork it: failed to {why}")]
    PushDenied {
        /// The repository.
        name: String,
        /// The forge.
        host: String,
        /// The account.
        login: String,
        /// Why there is no fork.
        why: String,
    },
    /// The forge has not made the account's copy of the repository yet.
    #[error("the fork {name} is still being made")]
    ForkUnfinished {
        /// The copy.
        name: String,
    },
    /// The forge could not make the account's copy of the repository.
    #[error("{host} could not make the fork {name}")]
    ForkFailed {
        /// The copy.
        name: String,
        /// The forge.
        host: String,
    },
    /// A person stopped it.
    #[error("the pull request was stopped by {by} before it was made")]
    ProposalStopped {
        /// Who.
        by: String,
    },
    /// The thread has no open pull request.
    #[error("{slug} has no open pull request")]
    NoPullRequest {
        /// The thread's.
        slug: String,
    },
    /// Nothing stands against it that the agent was not told.
    #[error("no check of {url} fails and nobody said anything that the agent was not told already")]
    NothingToFix {
        /// The pull request.
        url: String,
    },
    /// It fails again and again.
    #[error("the checks of {url} still fail after {attempts} attempts of the agent")]
    FixGivenUp {
        /// How often it was told.
        attempts: u32,
        /// The pull request.
        url: String,
    },
    /// An address with a password or token in it.
    #[error(
        "the address of the repository holds a password or token; it was not used and not kept"
    )]
    SecretInAddress,
}
