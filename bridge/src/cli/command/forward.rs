//! `aloft ports` and `aloft forward`: what listens in a sandbox, and bringing it here.

use std::num::NonZeroU16;

use aloft_proto::v1;
use serde_json::json;

use crate::cli::command::update::ThreadArgs;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome};
use crate::cli::output::Style;
use crate::cli::text;
use crate::protocol::request::ssh::Port;
use crate::ssh::Forward;

/// Arguments of `aloft forward`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft forward @last 3000         http://127.0.0.1:3000 here is port 3000 there
  aloft forward @last 3000:8080    on port 8080 here
  aloft forward @last 3000:0       on any that is free

It lasts until Ctrl-C. A thread that is paused comes back with the first connection.")]
pub(crate) struct Args {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// Ports of the sandbox, each with the port of this machine where it is another one.
    #[arg(required = true, value_name = "PORT[:LOCAL]", value_parser = ports_of)]
    ports: Vec<(u16, Option<u16>)>,
}

fn ports_of(text: &str) -> Result<(u16, Option<u16>), String> {
    let (port, local) = match text.split_once(':') {
        Some((port, local)) => {
            let local: Option<u16> = local.parse().ok();
            (port, Some(local.ok_or("a port of this machine is a number from 0 to 65535")?))
        }
        None => (text, None),
    };
    let port: Option<NonZeroU16> = port.parse().ok();
    let port = port.ok_or("a port of the sandbox is a number from 1 to 65535")?;
    Ok((port.get(), local))
}

/// Runs `aloft ports`.
pub(crate) async fn ports(context: &Context, args: ThreadArgs) -> Outcome {
    let thread = context.thread(&args.id).await?;
    let request = v1::ListPortsRequest { thread_id: thread.id };
    let answer = context
        .output
        .waiting("looking into the sandbox", context.client.list_ports(request))
        .await?;
    let ports: Vec<Port> = answer.ports.into_iter().map(Port::from).collect();
    let output = context.output;
    if output.json {
        output.json(&ports)?;
        return Ok(Exit::Done);
    }
    if ports.is_empty() {
        output.note(&format!("nothing listens in {}", thread.slug));
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = ports
        .iter()
        .map(|port| {
            let process = port.process.as_deref().unwrap_or("-");
            vec![port.port.to_string(), text::line(process, 80)]
        })
        .collect();
    let table = text::table(&["PORT", "PROCESS"], &rows, |column, cell| match column {
        0 => output.paint(Style::Bold, cell),
        _ => cell.to_owned(),
    });
    output.bytes(table.as_bytes())?;
    Ok(Exit::Done)
}

/// Runs `aloft forward`.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let thread = context.thread(&args.id).await?;
    let output = context.output;
    let mut forwards = Vec::new();
    for (port, local) in args.ports {
        forwards.push((
            port,
            Forward::listen(context.client.clone(), thread.id.clone(), port, local).await?,
        ));
    }
    let mut serving = tokio::task::JoinSet::new();
    for (port, forward) in forwards {
        let (local, slug) = (forward.local(), thread.slug.clone());
        if output.json {
            output.json(&json!({ "threadId": thread.id, "port": port, "local": local, "address": format!("127.0.0.1:{local}") }))?;
        } else {
            output.line(&format!(
                "http://127.0.0.1:{local} is port {port} of {slug}; Ctrl-C ends it"
            ))?;
        }
        serving.spawn(forward.run(move |error| {
            output.warn(&format!(
                "a connection to port {port} of {slug} failed: {}",
                text::line(&error.message, 300)
            ));
        }));
    }
    tokio::signal::ctrl_c().await?;
    serving.shutdown().await;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_have_another_here() {
        assert_eq!(ports_of("3000"), Ok((3000, None)));
        assert_eq!(ports_of("3000:0"), Ok((3000, Some(0))));
        for bad in ["", "0", "70000", "a", "1:", "1:2:3", "-1"] {
            assert!(ports_of(bad).is_err(), "{bad}");
        }
    }
}
