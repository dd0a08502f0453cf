//! The rows of the table that are about forges, accounts there and remotes.

use aloft_proto::v1::Problem;

use crate::{
    accounts::forges,
    forge,
    runner::{
        obstacle::Obstacle,
        problem::{Kind, problem},
    },
};

/// What a person is told of what stands between a thread and its remote.
pub(super) fn obstacle_problem(obstacle: &Obstacle, text: String) -> (Kind, Problem) {
    let (kind, reason, hint) = match obstacle {
        Obstacle::NothingToPropose => (
            Kind::Precondition,
            "NOTHING_TO_PROPOSE",
            "`aloft diff ID` shows what it changed; send a message for more".to_owned(),
        ),
        Obstacle::NoRemote { slug, .. } => (
            Kind::Precondition,
            "NO_REMOTE",
            format!(
                "take the branch with `aloft checkout {slug}` and push it yourself, or write it with `aloft pr {slug} --output DIR`; threads begun after `git remote add origin URL` and a commit know where to"
            ),
        ),
        Obstacle::AccountMissing { host } => {
            (Kind::Precondition, "FORGE_ACCOUNT_MISSING", connect(host))
        }
        Obstacle::BranchIsBase { .. } => (
            Kind::Precondition,
            "BRANCH_IS_BASE",
            "fork the thread with `aloft fork ID`: the fork has a branch of its own".to_owned(),
        ),
        Obstacle::IssueUnknown { .. } => (
            Kind::Invalid,
            "ISSUE_UNKNOWN",
            "give its number in the repository, its address in a browser, or its key at Linear or Jira; `aloft forge list` shows what is connected"
                .to_owned(),
        ),
        Obstacle::NoIssue { .. } => (
            Kind::Precondition,
            "NO_ISSUE",
            "begin a thread with one: `aloft new --issue URL|NUMBER|KEY`".to_owned(),
        ),
        Obstacle::NothingToTell { .. } => (
            Kind::Precondition,
            "NOTHING_TO_TELL",
            "send it a message with `aloft send ID`, then try again".to_owned(),
        ),
        Obstacle::BaseMissing { .. } => (
            Kind::NotFound,
            "BASE_UNKNOWN",
            "name a branch of the repository with `--base`".to_owned(),
        ),
        Obstacle::RepositoryArchived { .. } => (
            Kind::Precondition,
            "REPOSITORY_ARCHIVED",
            "its owner can open it again; `aloft pr ID --output DIR` takes the work along".to_owned(),
        ),
        Obstacle::PushDenied { .. } => (
            Kind::Precondition,
            "FORGE_PUSH_DENIED",
            "ask for the right to push, or take the work along with `aloft pr ID --output DIR`"
                .to_owned(),
        ),
        Obstacle::ForkUnfinished { .. } => {
            let hint = "try again in a few minutes".to_owned();
            return (Kind::Unavailable, problem("FORK_UNFINISHED", text, &hint, true));
        }
        Obstacle::ForkFailed { name, .. } => (
            Kind::Precondition,
            "FORK_FAILED",
            format!("remove {name} at the forge and try again; `aloft pr ID --output DIR` takes the work along"),
        ),
        Obstacle::ProposalStopped { .. } => (
            Kind::Precondition,
            "PULL_REQUEST_STOPPED",
            "`aloft pr ID` makes it after all; with `--title` and `--body` the agent is not asked for words"
                .to_owned(),
        ),
        Obstacle::NoPullRequest { slug } => (
            Kind::Precondition,
            "NO_PULL_REQUEST",
            format!("`aloft pr {slug}` opens one"),
        ),
        Obstacle::NothingToFix { .. } => (
            Kind::Precondition,
            "NOTHING_TO_FIX",
            "`aloft pr ID` pushes what the agent did since; checks may still run".to_owned(),
        ),
        Obstacle::FixGivenUp { .. } => (
            Kind::Precondition,
            "FIX_GIVEN_UP",
            "look at it, and tell the agent what to do with `aloft send ID` or a comment at the forge"
                .to_owned(),
        ),
        Obstacle::SecretInAddress => (
            Kind::Invalid,
            "SECRET_IN_ADDRESS",
            "leave it out, and give the token with `aloft forge connect github --url https://HOST --token-stdin`; revoke it if others saw it"
                .to_owned(),
        ),
    };
    (kind, problem(reason, text, &hint, false))
}

/// How an account of a forge or tracker is connected.
fn connect(host: &str) -> String {
    let all = [forge::Kind::GitHub, forge::Kind::GitLab, forge::Kind::Forgejo, forge::Kind::Linear];
    if let Some(kind) = all.into_iter().find(|kind| kind.home() == format!("https://{host}")) {
        return format!("connect one with `aloft forge connect {kind}`");
    }
    // What an own server runs nobody knows from here.
    let kind = if host.ends_with(".atlassian.net") { "jira" } else { "github|gitlab|forgejo|jira" };
    format!("connect one with `aloft forge connect {kind} --url https://{host}`")
}

/// How a sign-in that ended is begun anew.
fn again(host: &str) -> String {
    format!("nothing was kept; for a new code {}", connect(host))
}

/// What a person is told of an account that could not be used.
pub(super) fn account_problem(error: &forges::Error, text: String) -> (Kind, Problem) {
    let (kind, reason, hint) = match error {
        forges::Error::Forge(error) => forge_row(error),
        forges::Error::InvalidToken(_) => (
            Kind::Invalid,
            "FORGE_TOKEN_INVALID",
            "give the token alone, as the forge shows it; for Jira Cloud EMAIL:TOKEN".to_owned(),
        ),
        forges::Error::NoSignIn(_) => (
            Kind::NotFound,
            "FORGE_SIGN_IN_UNKNOWN",
            "begin again with `aloft forge connect github`".to_owned(),
        ),
        forges::Error::NoAccount(_) => (
            Kind::NotFound,
            "FORGE_ACCOUNT_UNKNOWN",
            "`aloft forge list` shows the accounts".to_owned(),
        ),
        forges::Error::Ambiguous { .. } => {
            (Kind::Invalid, "FORGE_AMBIGUOUS", "give the whole address, or the host".to_owned())
        }
        forges::Error::Sealed { host, .. } | forges::Error::Unreadable(host) => {
            (Kind::Precondition, "FORGE_ACCOUNT_UNREADABLE", connect(host))
        }
        forges::Error::Vault(_) => {
            (Kind::Internal, "INTERNAL", "`aloft cloud logs` shows what happened".to_owned())
        }
    };
    let retryable = matches!(kind, Kind::Unavailable | Kind::Exhausted);
    (kind, problem(reason, text, &hint, retryable))
}

fn forge_row(error: &forge::Error) -> (Kind, &'static str, String) {
    match error {
        forge::Error::UnknownKind(_) => {
            (Kind::Invalid, "FORGE_UNKNOWN", "use github, gitlab, forgejo, linear or jira, with `--url` for a server of your own".to_owned())
        }
        forge::Error::IssuesOnly { .. } => (
            Kind::Precondition,
            "FORGE_ISSUES_ONLY",
            "name a forge; `aloft forge list` shows them".to_owned(),
        ),
        forge::Error::InvalidAddress { .. } => (
            Kind::Invalid,
            "FORGE_ADDRESS_INVALID",
            "give its address in a browser, such as https://github.example.com".to_owned(),
        ),
        forge::Error::Unreachable { .. } => (
            Kind::Unavailable,
            "FORGE_UNREACHABLE",
            "check the address and the network of the cloud, then try again".to_owned(),
        ),
        forge::Error::TokenRefused { host, .. } => {
            (Kind::Precondition, "FORGE_TOKEN_REFUSED", format!("make another token and {}", connect(host)))
        }
        forge::Error::SignInUnconfigured { host } => (
            Kind::Precondition,
            "FORGE_SIGN_IN_UNCONFIGURED",
            format!(
                "give a token with `--token-stdin`, or set `clientId` of an OAuth application under [serve.forges.\"{host}\"]"
            ),
        ),
        forge::Error::SignInDenied { host } => {
            (Kind::Precondition, "FORGE_SIGN_IN_DENIED", again(host))
        }
        forge::Error::SignInExpired { host } => {
            (Kind::Precondition, "FORGE_SIGN_IN_EXPIRED", again(host))
        }
        forge::Error::SignInFailed { host, .. } => (
            Kind::Precondition,
            "FORGE_SIGN_IN_FAILED",
            format!(
                "check `clientId` under [serve.forges.\"{host}\"] and that its application allows the device flow, or give a token with `--token-stdin`"
            ),
        ),
        forge::Error::ScopeMissing { scope, .. } => (
            Kind::Precondition,
            "FORGE_SCOPE_MISSING",
            format!("make a token with the scope `{scope}` and connect that"),
        ),
        forge::Error::Denied { .. } => (
            Kind::Precondition,
            "FORGE_DENIED",
            "the account or its token lacks a right: a fine-grained token needs contents and pull requests, read and write, and issues, to write where one is commented on".to_owned(),
        ),
        forge::Error::NotFound { .. } => (
            Kind::NotFound,
            "FORGE_NOT_FOUND",
            "check the name, and that the account may see it".to_owned(),
        ),
        forge::Error::RateLimited { .. } => (
            Kind::Exhausted,
            "FORGE_RATE_LIMITED",
            "nothing is lost; try again after that time".to_owned(),
        ),
        forge::Error::Invalid { .. } => {
            (Kind::Precondition, "FORGE_REFUSED", "the words are the forge's; mend what they name".to_owned())
        }
        forge::Error::TooLarge { .. } | forge::Error::Odd { .. } => (
            Kind::Unavailable,
            "FORGE_FAILED",
            "check that the address is that of a forge, then try again".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_type_for_an_account_is_of_the_kind_that_is_there() {
        for (host, words) in [
            ("github.com", "github"),
            ("gitlab.com", "gitlab"),
            ("codeberg.org", "forgejo"),
            ("linear.app", "linear"),
            ("a.atlassian.net", "jira --url https://a.atlassian.net"),
            ("git.example.com", "github|gitlab|forgejo|jira --url https://git.example.com"),
        ] {
            assert_eq!(connect(host), format!("connect one with `aloft forge connect {words}`"));
        }
    }
}
