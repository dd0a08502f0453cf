//! A small real forge for tests and offline use: bare repositories below one folder, git over HTTP with tokens, pull requests
//! that can be merged, and the part of GitHub's REST dialect that a cloud speaks.
//!
//! It is no part of a cloud and shares no code with the client of forges, so that the two cannot share a mistake: what it
//! answers is held to GitHub's published schema. Git itself is the truth about branches and commits, asked at each call; what
//! git does not know lies in one JSON file in each repository. Everything is refused without a token, and it listens on
//! loopback unless it is told otherwise.

mod accounts;
mod answer;
mod call;
mod controls;
mod device;
mod files;
mod git;
mod limits;
mod page;
mod pictures;
mod place;
mod record;
mod rest;
mod server;
mod shape;
mod smart;

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use tokio::net::TcpListener;

use crate::{clock, dev_forge::place::Forge};

/// How the forge is started.
#[derive(Clone, Debug, clap::Args)]
#[command(
    long_about = "A small forge for tests and offline use: git over HTTP, pull requests, GitHub's dialect of REST.\n\n\
    Every bare repository ROOT/OWNER/NAME.git is served. The first start makes the user `dev` and a token, which is printed \
    once and kept in ROOT/.dev-forge/token (mode 0600). It is a stand-in and no place for work that matters: no TLS, no \
    mail, no backups. Written up in docs/dev-forge.md."
)]
pub struct Options {
    /// Where to listen; another address than one of this machine's loopback is open to whoever can reach it
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7420")]
    listen: SocketAddr,
    /// The folder with the repositories; made where it is missing
    #[arg(long, value_name = "DIR", default_value = "dev-forge")]
    root: PathBuf,
}

/// Serves until a signal ends it.
pub async fn run(options: Options) -> anyhow::Result<()> {
    crate::git::version().await?;
    let (forge, token) = Forge::open(&options.root)?;
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("listen on {}", options.listen))?;
    let address = listener.local_addr().context("ask for the address it listens on")?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "this forge has no TLS, and others can reach it");
    }
    tell(&format!("http://{address}"), forge.owner().as_str(), token.as_deref())?;
    server::serve(listener, forge).await
}

/// Says where it is and, at the first start only, what opens it.
fn tell(address: &str, user: &str, token: Option<&str>) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let mut text = format!("dev-forge: {address}\nuser: {user}\n");
    if let Some(token) = token {
        text.push_str("token: ");
        text.push_str(token);
        text.push('\n');
    }
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("say where it listens")
}

/// Now, as GitHub writes times.
fn now() -> String {
    at(clock::now())
}

/// A time in milliseconds since the epoch, as GitHub writes it.
fn at(millis: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp(millis.div_euclid(1_000));
    time.ok()
        .and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}
