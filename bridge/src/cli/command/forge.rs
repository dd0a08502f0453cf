//! `aloft forge` and `aloft repo`: accounts at forges and trackers, and the repositories these reach. Tokens are never printed.

use aloft_proto::v1;
use serde_json::json;

use crate::cli::command::key::read_secret;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::text;
use crate::protocol::request::forge::{Branch, BranchListResult, ForgeAccount, ForgeRepository};
use crate::protocol::time::Time;

/// The variable that may hold a token of any forge, and those of github.com alone. The first that is set counts.
const VARIABLE: &str = "ALOFT_FORGE_TOKEN";
const GITHUB_VARIABLES: [&str; 2] = ["GH_TOKEN", "GITHUB_TOKEN"];

/// Arguments of `aloft forge`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft forge connect github
  gh auth token | aloft forge connect github --token-stdin
  aloft forge connect github --url https://github.example.com --token-stdin < token.txt
  aloft forge connect linear --token-stdin < key.txt
  aloft forge connect jira --url https://NAME.atlassian.net --token-stdin < email-colon-token.txt")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Connect an account, by a code in a browser or by a token.
    Connect {
        /// github, gitlab, forgejo (gitea too), linear or jira.
        kind: String,
        /// Its address in a browser, for a server of your own.
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// Read the token from standard input, whatever the environment holds.
        #[arg(long)]
        token_stdin: bool,
    },
    /// Show the accounts, never their tokens.
    List,
    /// Forget an account.
    Disconnect {
        /// Its host; its kind where only one account is of that.
        forge: String,
    },
}

/// Arguments of `aloft repo`.
#[derive(Debug, clap::Args)]
pub(crate) struct RepoArgs {
    #[command(subcommand)]
    action: RepoAction,
}

#[derive(Debug, clap::Subcommand)]
enum RepoAction {
    /// List the repositories your accounts reach, those pushed to last first.
    List {
        /// Words in owner and name.
        query: Vec<String>,
        /// Only of this account, by its host.
        #[arg(long, value_name = "HOST")]
        forge: Option<String>,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
    /// List the branches of a repository elsewhere, the default one first.
    Branches {
        /// OWNER/NAME or a git URL, as for `aloft new --repo`.
        repository: String,
        /// Words in the name.
        query: Vec<String>,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
}

/// Runs `aloft forge`.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let output = context.output;
    match args.action {
        Action::Connect { kind, url, token_stdin } => {
            let url = url.unwrap_or_default();
            let given = variables(&kind, &url)
                .filter_map(|name| std::env::var(name).ok())
                .find(|token| !token_stdin && !token.trim().is_empty());
            let begun = match given {
                None if !token_stdin => sign_in(context, &kind, &url).await?,
                _ => None,
            };
            let account = if let Some(begun) = begun {
                signed_in(context, &begun).await?
            } else {
                let token = if let Some(token) = given {
                    token
                } else {
                    let read =
                        || read_secret("token", "aloft forge connect github --token-stdin < FILE");
                    tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)??
                };
                let request = v1::ConnectForgeRequest { kind, url, token, ..Default::default() };
                let connecting = context.client.connect_forge(request);
                ForgeAccount::from(output.waiting("asking the forge", connecting).await?)
            };
            if output.json {
                output.json(&account)?;
            } else {
                output.line(&format!(
                    "connected to {} as {}",
                    text::line(&account.host, 200),
                    text::line(&account.login, 100)
                ))?;
            }
        }
        Action::List => list(context).await?,
        Action::Disconnect { forge } => {
            let request = v1::DisconnectForgeRequest { forge, ..Default::default() };
            let answer = context.client.disconnect_forge(request).await?;
            if output.json {
                output.json(&json!({}))?;
            } else {
                let account = answer.account.unwrap_or_default();
                output.line(&format!(
                    "the account at {} is forgotten; revoke its token there",
                    text::line(&account.host, 200)
                ))?;
            }
        }
    }
    Ok(Exit::Done)
}

/// Variables that may hold a token for this forge: one of github.com goes nowhere else.
fn variables(kind: &str, url: &str) -> impl Iterator<Item = &'static str> {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/');
    let github = kind.eq_ignore_ascii_case("github") && matches!(host, "" | "github.com");
    [VARIABLE].into_iter().chain(GITHUB_VARIABLES.into_iter().filter(move |_| github))
}

/// Begins to sign in by a code; none where the cloud knows no application for that forge, so that a token is needed.
async fn sign_in(
    context: &Context,
    kind: &str,
    url: &str,
) -> Result<Option<v1::ForgeSignIn>, Failure> {
    let request = v1::BeginForgeSignInRequest {
        kind: kind.to_owned(),
        url: url.to_owned(),
        ..Default::default()
    };
    match context.client.begin_forge_sign_in(request).await {
        Ok(begun) => Ok(Some(begun)),
        Err(error) if error.reason == "FORGE_SIGN_IN_UNCONFIGURED" => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Says what is to be done in the browser, and waits until it is.
async fn signed_in(context: &Context, begun: &v1::ForgeSignIn) -> Result<ForgeAccount, Failure> {
    let output = context.output;
    output.note(&format!(
        "open {} and enter the code {}",
        text::line(&begun.verification_url, 500),
        text::line(&begun.user_code, 50)
    ));
    let waiting = context.client.signed_in(&begun.id);
    Ok(output.waiting("waiting for you to confirm it", waiting).await?.into())
}

async fn list(context: &Context) -> Result<(), Failure> {
    let output = context.output;
    let accounts = context.client.list_forges(v1::ListForgesRequest {}).await?.accounts;
    let accounts: Vec<ForgeAccount> = accounts.into_iter().map(Into::into).collect();
    if output.json {
        return Ok(output.json(&accounts)?);
    }
    if accounts.is_empty() {
        output.note("no accounts; connect one with: aloft forge connect github");
        return Ok(());
    }
    let untried: Vec<&str> = ["gitlab", "forgejo", "linear", "jira"]
        .into_iter()
        .filter(|kind| accounts.iter().any(|account| account.kind == *kind))
        .collect();
    if !untried.is_empty() {
        output.note(&format!("{}: not verified live, see docs/forges.md", untried.join(", ")));
    }
    let row = |account: ForgeAccount| {
        let scopes = account.scopes.join(" ");
        vec![
            account.host,
            account.kind,
            account.login,
            if scopes.is_empty() { "–".to_owned() } else { scopes },
        ]
    };
    let rows: Vec<Vec<String>> = accounts.into_iter().map(row).collect();
    let table = text::table(&["HOST", "KIND", "LOGIN", "SCOPES"], &rows, |_, cell| cell.to_owned());
    Ok(output.bytes(table.as_bytes())?)
}

/// Runs `aloft repo`.
pub(crate) async fn run_repo(context: &Context, args: RepoArgs) -> Outcome {
    match args.action {
        RepoAction::List { query, forge, limit } => {
            let request = v1::ListRepositoriesRequest {
                query: query.join(" "),
                forge: forge.unwrap_or_default(),
                page_size: limit,
                page_token: String::new(),
            };
            repositories(context, request).await
        }
        RepoAction::Branches { repository, query, limit } => {
            let request = v1::ListBranchesRequest {
                repository,
                query: query.join(" "),
                page_size: limit,
                page_token: String::new(),
            };
            branches(context, request).await
        }
    }
}

async fn branches(context: &Context, request: v1::ListBranchesRequest) -> Outcome {
    let output = context.output;
    let listing = context.client.list_branches(request);
    let BranchListResult { branches, next_page_token } =
        output.waiting("asking the repository", listing).await?.into();
    if output.json {
        output.json(&branches)?;
        return Ok(Exit::Done);
    }
    let row = |Branch { name, default }| {
        vec![text::line(&name, 200), if default { "default" } else { "" }.to_owned()]
    };
    let rows: Vec<Vec<String>> = branches.into_iter().map(row).collect();
    let table = text::table(&["BRANCH", ""], &rows, |_, cell| cell.to_owned());
    output.bytes(table.as_bytes())?;
    more(context, next_page_token.is_some());
    Ok(Exit::Done)
}

async fn repositories(context: &Context, request: v1::ListRepositoriesRequest) -> Outcome {
    let output = context.output;
    let listing = context.client.list_repositories(request);
    let answer = output.waiting("asking the forge", listing).await?;
    for problem in answer.problems.iter().filter_map(|missing| missing.problem.as_ref()) {
        output.warn(&text::line(&problem.message, 400));
    }
    // Who was asked has nothing, and who may have something could not be asked.
    let missing = answer.repositories.is_empty() && !answer.problems.is_empty();
    let exit = if missing { Exit::Failed } else { Exit::Done };
    let found: Vec<ForgeRepository> = answer.repositories.into_iter().map(Into::into).collect();
    if output.json {
        output.json(&found)?;
        return Ok(exit);
    }
    let row = |repository: ForgeRepository| {
        let marks = [
            (repository.private, "private"),
            (repository.fork, "fork"),
            (repository.archived, "archived"),
        ];
        let marks: Vec<&str> =
            marks.into_iter().filter(|(holds, _)| *holds).map(|(_, mark)| mark).collect();
        let pushed = repository.push_time.map(|time| text::ago(time, Time::now()));
        vec![
            text::line(&repository.name, 100),
            text::line(&repository.default_branch, 60),
            pushed.unwrap_or_default(),
            marks.join(" "),
        ]
    };
    let rows: Vec<Vec<String>> = found.into_iter().map(row).collect();
    let table = text::table(&["NAME", "BRANCH", "PUSHED", ""], &rows, |_, cell| cell.to_owned());
    output.bytes(table.as_bytes())?;
    more(context, !answer.next_page_token.is_empty());
    Ok(exit)
}

fn more(context: &Context, are: bool) {
    if are {
        context.output.note("there are more; give words to search for, or --limit");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_github_com_goes_nowhere_else() {
        let of = |kind, url| variables(kind, url).collect::<Vec<_>>();
        for url in ["", "https://github.com", "https://github.com/", "github.com"] {
            assert_eq!(
                of("github", url),
                ["ALOFT_FORGE_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"],
                "{url}"
            );
        }
        let others = [
            ("gitlab", ""),
            ("forgejo", "https://github.com"),
            ("github", "https://github.example.com"),
            ("github", "https://github.com.example.com"),
            ("github", "https://github.com@example.com"),
        ];
        for (kind, url) in others {
            assert_eq!(of(kind, url), ["ALOFT_FORGE_TOKEN"], "{kind} {url}");
        }
    }
}
