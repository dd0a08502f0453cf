//! The commands of `aloft`: what they take, which runs, how errors and exit codes come out.
//!
//! Data goes to standard output, everything else to standard error; `output` is the one place that prints. Exit codes:
//! 0 done, 1 failed, 2 usage, 3 not allowed, 4 cloud or forge unreachable, 5 turn failed, 6 needs an answer, 130 left by Ctrl-C.

mod ask;
mod command;
mod context;
mod failure;
mod output;
mod prompt;
mod render;
mod text;
mod wait;
mod watch;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use tokio_util::task::AbortOnDropHandle;
use tracing_subscriber::EnvFilter;

use crate::cli::command::{
    agent, answer, apply, archive, budget, cloud, comment, completions, delete, diff, doctor,
    follow, forge, forward, key, life, list, new, notice, outbox, pr, queue, rewind, send, setup,
    show, ssh, ssh_proxy, stop, uninstall, update, usage,
};
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::output::Output;
use crate::config::{Config, Environment, Flags};
use crate::protocol::error::{Code, Error};

/// Where the help of a command has the options that all have.
const AFTER_ITS_OWN: usize = 900;

/// Runs coding agents in a cloud you own and brings them to the editor you use.
#[derive(Debug, Parser)]
#[command(
    name = "aloft",
    version,
    after_help = "Examples:
  aloft new \"Fix the failing test\"      create an agent on the repository here
  aloft follow @last                    watch it work
  aloft diff @last                      see what it changed

IDs may be shortened to a unique prefix or given as the slug; @last is the newest thread."
)]
pub struct Cli {
    /// Print JSON.
    #[arg(long, global = true, display_order = AFTER_ITS_OWN)]
    json: bool,
    /// The cloud: a configured name or an address (`ALOFT_CLOUD`).
    #[arg(long, global = true, value_name = "NAME|ADDRESS", display_order = AFTER_ITS_OWN)]
    cloud: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Create a thread: an agent with its own sandbox and branch.
    New(Box<new::Args>),
    /// List the threads.
    List(list::Args),
    /// Show a thread with its items.
    Show(show::Args),
    /// Watch a thread's events as they come.
    Follow(follow::Args),
    /// Send the next message; while a turn runs it guides.
    Send(send::Args),
    /// Show or change the messages that wait.
    Queue(queue::Args),
    /// Stop the running turn.
    Stop(stop::Args),
    /// Answer the agent's open question.
    Answer(answer::Args),
    /// Do the failed or interrupted turn again.
    Retry(send::RetryArgs),
    /// Choose whether the agent asks before it acts.
    Mode(update::ModeArgs),
    /// Choose the agent's model.
    Model(update::ModelArgs),
    /// Post no notices of a thread.
    Mute(update::ThreadArgs),
    /// Post notices of a thread again.
    Unmute(update::ThreadArgs),
    /// Give a thread another title.
    Rename(update::RenameArgs),
    /// Never clean a thread up by age.
    Keep(update::KeepArgs),
    /// Show what a thread changed.
    Diff(diff::Args),
    /// Apply a thread's changes to the local checkout.
    Apply(apply::ApplyArgs),
    /// Get a thread's branch as a local branch.
    Checkout(apply::CheckoutArgs),
    /// Push a thread's branch and open its pull request, or bring it up to date.
    Pr(pr::Args),
    /// Tell the issue a thread began with what the agent planned and said.
    Comment(comment::Args),
    /// Bring the workspace back to the end of a turn.
    Rewind(rewind::RewindArgs),
    /// Go on from the end of a turn in a new thread.
    Fork(rewind::ForkArgs),
    /// Write everything of a thread to one file.
    Archive(archive::ArchiveArgs),
    /// Bring a thread back from such a file.
    Restore(archive::RestoreArgs),
    /// End all processes of a thread and keep everything.
    Pause(update::ThreadArgs),
    /// Bring a paused or failed thread back.
    Resume(update::ThreadArgs),
    /// Remove everything of a thread.
    Delete(delete::Args),
    /// Open a shell in a thread's sandbox, or run a command there.
    Ssh(ssh::Args),
    /// Show the ports that listen in a thread's sandbox.
    Ports(update::ThreadArgs),
    /// Bring a port of a thread's sandbox to this machine.
    Forward(forward::Args),
    /// Connect, show or forget accounts at forges and trackers.
    Forge(forge::Args),
    /// List the repositories you have access to.
    Repo(forge::RepoArgs),
    /// Keep, show, test or forget model keys.
    Key(key::Args),
    /// Show the agents this cloud can run.
    Agent(agent::Args),
    /// Show notices or mark them read.
    Notice(notice::Args),
    /// Show or take back what is kept for a cloud that cannot be reached.
    Outbox(outbox::Args),
    /// Show what was used: tokens, money, time.
    Usage(usage::Args),
    /// Show or set how much a thread may use, or all threads.
    Budget(budget::Args),
    /// Show, start or stop the embedded cloud.
    Cloud(cloud::Args),
    /// Make the sandboxes known to other programs of this machine.
    Setup(setup::Args),
    /// Check everything and say how to mend it.
    Doctor,
    /// Speak JSON-RPC with an editor on standard input and output.
    Lsp,
    /// Carry the bytes of ssh to a sandbox; ssh starts this itself.
    SshProxy(ssh_proxy::Args),
    /// Print the completions of a shell.
    Completions(completions::Args),
    /// Stop the embedded cloud and remove everything of Aloft but its programs.
    Uninstall(uninstall::Args),
}

impl Command {
    /// Whether it asks something of a cloud that may be up.
    fn needs_cloud(&self) -> bool {
        !matches!(
            self,
            Self::Outbox(_)
                | Self::Cloud(_)
                | Self::Doctor
                | Self::Setup(_)
                | Self::Lsp
                | Self::SshProxy(_)
                | Self::Completions(_)
                | Self::Uninstall(_)
        )
    }
}

/// Runs `aloft` with the arguments of this process.
pub fn main() -> ExitCode {
    // An error means that a provider is there already, which is all that is wanted.
    rustls::crypto::ring::default_provider().install_default().ok();
    let environment = Environment::read();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, &environment),
    };
    let output = Output::new(cli.json, &environment);
    if let Command::SshProxy(args) = cli.command {
        return ssh_proxy::main(&args, cli.cloud, environment);
    }
    match prepare(cli, environment, output) {
        Ok(Task::Editor(config)) => crate::lsp::run(config),
        Ok(Task::Command(command, config)) => exit(output, start(command, config, output)),
        Ok(Task::NoConfiguration(error)) => exit(output, doctor::no_configuration(output, error)),
        Err(failure) => exit(output, Err(failure)),
    }
}

/// What the command line asks for.
enum Task {
    /// An editor is at the other end of our streams.
    Editor(Config),
    /// A person or a script is.
    Command(Command, Config),
    /// Somebody wants to know why nothing works.
    NoConfiguration(crate::config::Error),
}

/// Tells what is wrong with the command line. `--json` is looked for by hand: nothing was understood.
fn refuse(error: &clap::Error, environment: &Environment) -> ExitCode {
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let output = Output::new(true, environment);
        let message = error.to_string();
        let message =
            message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let error = Error::new(Code::InvalidParams, "USAGE", message).with_hint("see aloft --help");
        return exit(output, Err(Failure::Error(error)));
    }
    // A reader that went away is no error.
    error.print().ok();
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

fn prepare(cli: Cli, environment: Environment, output: Output) -> Result<Task, Failure> {
    let config = match Config::load(Flags { cloud: cli.cloud }, environment) {
        Err(error) if matches!(cli.command, Command::Doctor) => {
            return Ok(Task::NoConfiguration(error));
        }
        loaded => loaded?,
    };
    log(&config);
    for key in &config.unknown_keys {
        output.warn(&format!("{} has a key nobody knows: {key}", config.file().display()));
    }
    match cli.command {
        Command::Lsp => Ok(Task::Editor(config)),
        command => Ok(Task::Command(command, config)),
    }
}

fn start(command: Command, config: Config, output: Output) -> Outcome {
    if let Command::Completions(args) = &command {
        return completions::run(output, args);
    }
    let runtime = runtime()?;
    let outcome = runtime.block_on(Box::pin(run(command, config, output)));
    // A thread that reads a terminal or an editor's pipe may never come back.
    runtime.shutdown_background();
    outcome
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// Sends our log to standard error; warnings only, unless asked for more.
fn log(config: &Config) {
    let filter = config.log.as_deref().unwrap_or("warn");
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    let format = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .with_target(false)
        // A log that cannot be written must not break what it was to tell of.
        .log_internal_errors(false);
    // An error means that somebody set one up already.
    format.try_init().ok();
}

async fn run(command: Command, config: Config, output: Output) -> Outcome {
    let context = &Context::new(config, output)?;
    let watcher = context.client.clone();
    let _watch = AbortOnDropHandle::new(tokio::spawn(async move { watcher.keep_watch().await }));
    if command.needs_cloud() {
        context.catch_up().await;
    }
    match command {
        Command::New(args) => new::run(context, *args).await,
        Command::List(args) => list::run(context, args).await,
        Command::Show(args) => show::run(context, args).await,
        Command::Follow(args) => follow::run(context, args).await,
        Command::Send(args) => send::run(context, args).await,
        Command::Queue(args) => queue::run(context, args).await,
        Command::Stop(args) => stop::run(context, args).await,
        Command::Answer(args) => answer::run(context, args).await,
        Command::Retry(args) => send::retry(context, args).await,
        Command::Mode(args) => update::set_mode(context, args).await,
        Command::Model(args) => update::set_model(context, args).await,
        Command::Mute(args) => update::set_muted(context, args, true).await,
        Command::Unmute(args) => update::set_muted(context, args, false).await,
        Command::Rename(args) => update::rename(context, args).await,
        Command::Keep(args) => update::keep(context, args).await,
        Command::Diff(args) => diff::run(context, args).await,
        Command::Apply(args) => apply::apply(context, args).await,
        Command::Checkout(args) => apply::checkout(context, args).await,
        Command::Rewind(args) => rewind::rewind(context, args).await,
        Command::Fork(args) => rewind::fork(context, args).await,
        Command::Archive(args) => archive::archive(context, args).await,
        Command::Restore(args) => archive::restore(context, args).await,
        Command::Pause(args) => life::pause(context, args).await,
        Command::Resume(args) => life::resume(context, args).await,
        Command::Delete(args) => delete::run(context, args).await,
        Command::Pr(args) => pr::run(context, args).await,
        Command::Comment(args) => comment::run(context, args).await,
        Command::Forge(args) => forge::run(context, args).await,
        Command::Repo(args) => forge::run_repo(context, args).await,
        Command::Key(args) => key::run(context, args).await,
        Command::Agent(args) => agent::run(context, args).await,
        Command::Notice(args) => notice::run(context, args).await,
        Command::Outbox(args) => outbox::run(context, args),
        Command::Usage(args) => usage::run(context, args).await,
        Command::Budget(args) => budget::run(context, args).await,
        Command::Cloud(args) => cloud::run(context, args).await,
        Command::Ssh(args) => ssh::run(context, args).await,
        Command::Ports(args) => forward::ports(context, args).await,
        Command::Forward(args) => forward::run(context, args).await,
        Command::Setup(args) => setup::run(context, args).await,
        Command::Doctor => doctor::run(context).await,
        Command::Uninstall(args) => uninstall::run(context, args).await,
        // These need no client and were run before.
        Command::Lsp | Command::SshProxy(_) | Command::Completions(_) => Ok(Exit::Done),
    }
}

fn exit(output: Output, outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(Failure::Output(error)) => {
            let error = Error::new(
                Code::Internal,
                "OUTPUT",
                format!("failed to write standard output: {error}"),
            );
            tell(output, &error)
        }
        Err(Failure::Error(error)) => tell(output, &error),
    }
}

fn tell(output: Output, error: &Error) -> ExitCode {
    // Where even this cannot be written, the exit code has to say it.
    output.error(error).ok();
    ExitCode::from(error.code.exit())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_of_the_interface_is_there() {
        let commands = "new list show follow send stop answer retry mode model mute unmute rename keep diff apply checkout rewind fork archive restore \
                        pause resume delete queue key agent cloud doctor completions uninstall notice usage budget pr forge repo lsp ssh ports forward setup ssh-proxy";
        let cli = Cli::command();
        for name in commands.split_whitespace() {
            assert!(cli.find_subcommand(name).is_some(), "{name}");
        }
    }
}
