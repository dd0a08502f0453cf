//! `aloft ssh-proxy`: what ssh starts. Its own words are lines on standard error, and every failure ends with 255 as ssh's do.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::{log, text};
use crate::client::Client;
use crate::config::{Config, Directories, Environment, Flags};
use crate::protocol::error::{Code, Error};
use crate::ssh::{self, Ssh, Word};

/// What ssh makes of any failure.
const FAILED: u8 = 255;

/// Arguments of `aloft ssh-proxy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The host: ID.aloft or SLUG.aloft.
    host: String,
    /// The data folder (`ALOFT_DATA_DIR`).
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs the command to its end.
pub(crate) fn main(args: &Args, cloud: Option<String>, environment: Environment) -> ExitCode {
    match run(args, cloud, environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let hint = error.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            say(&format!("{}: {}{hint}", args.host, error.message));
            ExitCode::from(FAILED)
        }
    }
}

fn run(args: &Args, cloud: Option<String>, environment: Environment) -> Result<(), Error> {
    let environment = match &args.data {
        Some(data) => ssh::environment(data, environment),
        None => environment,
    };
    let data = Directories::find(&environment)?.data;
    let cloud = cloud.or_else(|| ssh::cloud_of(&data, &args.host));
    let config = Config::load(Flags { cloud }, environment)?;
    log(&config);
    let failed = |error: std::io::Error| Error::new(Code::Internal, "INTERNAL", error.to_string());
    // One thread: bytes that go from one to the next have to wake it.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let carried = runtime.block_on(async {
        let client = Client::new(&config)?;
        let ssh = Ssh::new(&config, client);
        let tell = |word: Word<'_>| match word {
            Word::Progress(text) | Word::Advice(text) => say(text),
        };
        ssh.proxy(&args.host, tell).await
    });
    // A thread that reads our standard input may never come back.
    runtime.shutdown_background();
    carried
}

/// One clean line. Nobody can be told that standard error is gone.
fn say(words: &str) {
    let line = format!("aloft: {}\n", text::line(words, 600));
    std::io::stderr().lock().write_all(line.as_bytes()).ok();
}
