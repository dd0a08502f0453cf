//! `aloft agent`: the agents this cloud can run.

use aloft_proto::v1;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome};
use crate::cli::output::Style;
use crate::cli::text;
use crate::protocol::request::cloud::Agent;

/// Arguments of `aloft agent`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show the agents, usable or why not.
    List,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let Action::List = args.action;
    let output = context.output;
    let asking = context.client.list_agents(v1::ListAgentsRequest {});
    let agents = output.waiting("looking at the agents", asking).await?.agents;
    let agents: Vec<Agent> = agents.into_iter().map(Into::into).collect();
    if output.json {
        output.json(&agents)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = agents
        .iter()
        .map(|agent| {
            let name = if agent.default { format!("{} *", agent.name) } else { agent.name.clone() };
            let usable = if agent.usable { "yes" } else { "no" };
            let why = agent.reason.iter().chain(&agent.hint).map(|words| text::line(words, 160));
            let version = agent.version.clone().unwrap_or_default();
            vec![
                name,
                usable.to_owned(),
                text::line(&version, 20),
                why.collect::<Vec<_>>().join("; "),
            ]
        })
        .collect();
    let table =
        text::table(&["AGENT", "USABLE", "VERSION", "WHY NOT"], &rows, |column, cell| {
            match (column, cell) {
                (1, "yes") => output.paint(Style::Green, cell),
                (1, _) => output.paint(Style::Yellow, cell),
                _ => cell.to_owned(),
            }
        });
    output.bytes(table.as_bytes())?;
    Ok(Exit::Done)
}
