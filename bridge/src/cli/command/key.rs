//! `aloft key`: model keys; their values come by standard input and are never printed.

use std::io::{IsTerminal as _, Read as _};

use aloft_proto::v1;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, Outcome, local, usage};
use crate::cli::text;
use crate::protocol::request::cloud::{Key, KeyTestResult};

/// Arguments of `aloft key`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft key set anthropic < key.txt
  aloft key test anthropic")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Keep a key, read from standard input; in effect at once.
    Set {
        /// anthropic or openai.
        provider: String,
        /// Another address of the API.
        #[arg(long, value_name = "URL")]
        base_url: Option<String>,
    },
    /// Show which keys are there, never their values.
    List,
    /// Make one small call with a key.
    Test {
        /// anthropic or openai.
        provider: String,
    },
    /// Forget a key.
    Delete {
        /// anthropic or openai.
        provider: String,
    },
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let output = context.output;
    match args.action {
        Action::Set { provider, base_url } => {
            let value = tokio::task::spawn_blocking(|| {
                read_secret("key", "aloft key set anthropic < FILE")
            })
            .await
            .map_err(std::io::Error::other)??;
            let request = v1::SetKeyRequest {
                provider,
                value,
                base_url: base_url.unwrap_or_default(),
                ..Default::default()
            };
            let key = Key::from(context.client.set_key(request).await?);
            if output.json {
                output.json(&key)?;
            } else {
                output.line(&format!(
                    "the key of {} (…{}) is in effect",
                    key.provider,
                    text::line(&key.suffix, 8)
                ))?;
            }
        }
        Action::List => list(context).await?,
        Action::Test { provider } => {
            let request = v1::TestKeyRequest { provider: provider.clone() };
            let testing = context.client.test_key(request);
            let result = KeyTestResult::from(output.waiting("asking the provider", testing).await?);
            if output.json {
                output.json(&result)?;
            } else {
                let word = if result.ok { "works" } else { "does not work" };
                output.line(&format!(
                    "the key of {provider} {word}: {}",
                    text::line(&result.detail, 300)
                ))?;
            }
            return Ok(if result.ok { Exit::Done } else { Exit::Failed });
        }
        Action::Delete { provider } => {
            let request = v1::DeleteKeyRequest { provider: provider.clone(), ..Default::default() };
            context.client.delete_key(request).await?;
            if output.json {
                output.json(&json!({}))?;
            } else {
                output.line(&format!("the key of {provider} is forgotten"))?;
            }
        }
    }
    Ok(Exit::Done)
}

async fn list(context: &Context) -> Result<(), Failure> {
    let output = context.output;
    let keys = context.client.list_keys(v1::ListKeysRequest {}).await?.keys;
    let keys: Vec<Key> = keys.into_iter().map(Into::into).collect();
    if output.json {
        return Ok(output.json(&keys)?);
    }
    if keys.is_empty() {
        output.note("no keys; set one with: aloft key set anthropic < FILE");
        return Ok(());
    }
    let row = |key: Key| {
        vec![key.provider, key.source, format!("…{}", key.suffix), key.base_url.unwrap_or_default()]
    };
    let rows: Vec<Vec<String>> = keys.into_iter().map(row).collect();
    let table =
        text::table(&["PROVIDER", "SOURCE", "KEY", "ADDRESS"], &rows, |_, cell| cell.to_owned());
    Ok(output.bytes(table.as_bytes())?)
}

/// Reads a secret from standard input; what is typed on a terminal is not shown. `example` says how it is given.
pub(crate) fn read_secret(what: &str, example: &str) -> Result<String, Failure> {
    let input = std::io::stdin();
    let mut value = String::new();
    if input.is_terminal() {
        value = read_hidden(what)
            .map_err(|error| local("read", std::path::Path::new("the terminal"), &error))?;
    } else {
        let limit = 64 << 10;
        let read = input.lock().take(limit).read_to_string(&mut value);
        read.map_err(|error| local("read", std::path::Path::new("standard input"), &error))?;
    }
    let value = value.trim();
    if value.is_empty() || value.contains(char::is_whitespace) {
        return Err(usage(
            format!("standard input holds no {what}"),
            &format!("give the {what} alone: {example}"),
        ));
    }
    Ok(value.to_owned())
}

fn read_hidden(what: &str) -> std::io::Result<String> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let input = std::io::stdin();
    let before = tcgetattr(&input)?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    let asked = format!("the {what} (not shown): ");
    std::io::Write::write_all(&mut std::io::stderr().lock(), asked.as_bytes()).ok();
    tcsetattr(&input, OptionalActions::Flush, &hidden)?;
    let mut line = String::new();
    let read = input.read_line(&mut line);
    tcsetattr(&input, OptionalActions::Now, &before)?;
    std::io::Write::write_all(&mut std::io::stderr().lock(), b"\n").ok();
    read.map(|_| line)
}
