//! From two pipes to an open session: initialize, the recovery ladder, mode and model.

use std::{collections::VecDeque, time::Duration};

use aloft_proto::v1::Mode;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::acp::{
    Body, Error, Opened, Options, Report, Session,
    driver::refuse,
    link::{Incoming, Link},
    prompt::Takes,
    translate::Translator,
};

/// Reports kept from before the session was open; an agent that says more then is not heard.
const EARLY: usize = 256;

/// A session, and all that is needed to go on with it.
pub(super) struct Open<R, W> {
    pub(super) link: Link<R, W>,
    pub(super) options: Options,
    pub(super) session: Session,
    pub(super) takes: Takes,
    pub(super) choices: Choices,
    pub(super) translator: Translator,
    pub(super) early: VecDeque<Report>,
}

/// What the agent lets a client choose.
#[derive(Clone, Debug, Default)]
pub(super) struct Choices {
    /// `{modes, models, configOptions}` of the answer that opened the session.
    opened: Value,
    /// One of the built-in agents: it takes any model.
    built_in: bool,
}

struct Opening<R, W> {
    link: Link<R, W>,
    translator: Translator,
    early: VecDeque<Report>,
    replaying: bool,
}

/// Opens the session.
pub(super) async fn open<R, W>(
    from_agent: R,
    to_agent: W,
    options: Options,
) -> Result<Open<R, W>, Error>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut opening = Opening {
        link: Link::new(from_agent, to_agent),
        translator: Translator::new(&options.cwd),
        early: VecDeque::new(),
        replaying: false,
    };
    let about = opening.initialize(&options).await?;
    let capabilities = &about["agentCapabilities"];
    let (id, opened, answer) = opening.session(&options, capabilities).await?;
    let agent = about["agentInfo"]["name"].as_str().unwrap_or_default();
    let version = about["agentInfo"]["version"].as_str().unwrap_or_default();
    let choices = Choices { opened: answer, built_in: agent.starts_with("aloft-") };
    opening.mode(&options, &id, &choices).await?;
    if let Some((method, params)) =
        options.model.as_deref().and_then(|model| choices.model(&id, model, false))
    {
        // The environment named the model already; this is for agents that forget it.
        let chosen = opening.call(method, &params, options.timeouts.setting).await;
        chosen
            .inspect_err(|error| tracing::debug!(%error, "the agent did not take the model"))
            .ok();
    }
    let steering = [&about["_meta"], &capabilities["_meta"]]
        .iter()
        .any(|meta| meta["steering"]["supported"] == true);
    let takes = Takes {
        images: capabilities["promptCapabilities"]["image"] == true,
        resources: capabilities["promptCapabilities"]["embeddedContext"] == true,
    };
    let agent = format!("{agent} {version}").trim().to_owned();
    let session = Session { id, opened, agent, steering };
    let Opening { link, translator, early, .. } = opening;
    Ok(Open { link, options, session, takes, choices, translator, early })
}

impl Choices {
    /// The request that changes the mode; the second is for agents that refuse the first.
    pub(super) fn mode(&self, session: &str, mode: &str) -> [(&'static str, Value); 2] {
        let set_mode = ("session/set_mode", json!({"sessionId": session, "modeId": mode}));
        let set_option = self.option(session, "mode", mode);
        let listed = |field: &str| {
            self.opened["modes"]["availableModes"]
                .as_array()
                .is_some_and(|modes| modes.iter().any(|each| each[field] == mode))
        };
        match set_option {
            Some(option) if !listed("id") => [option, set_mode],
            Some(option) => [set_mode, option],
            None => {
                let guess = json!({"sessionId": session, "configId": "mode", "value": mode});
                [set_mode, ("session/set_config_option", guess)]
            }
        }
    }

    /// The request that changes the model; `None` where the agent does not offer it, unless it is to be `tried` anyway.
    pub(super) fn model(
        &self,
        session: &str,
        model: &str,
        tried: bool,
    ) -> Option<(&'static str, Value)> {
        if let Some(option) = self.option(session, "model", model) {
            return Some(option);
        }
        let models = self.opened["models"]["availableModels"].as_array();
        let listed =
            models.is_some_and(|models| models.iter().any(|each| each["modelId"] == model));
        (listed || tried || self.built_in)
            .then(|| ("session/set_model", json!({"sessionId": session, "modelId": model})))
    }

    /// The request that sets the option of `category` to `value`, where the agent lists both.
    fn option(&self, session: &str, category: &str, value: &str) -> Option<(&'static str, Value)> {
        let options = self.opened["configOptions"].as_array()?;
        let option = options.iter().find(|option| option["category"] == category)?;
        let choices = option["options"].as_array()?;
        let mut grouped =
            choices.iter().filter_map(|choice| choice["options"].as_array()).flatten();
        let listed = choices.iter().any(|choice| choice["value"] == value)
            || grouped.any(|choice| choice["value"] == value);
        let id = option["id"].as_str().filter(|_| listed)?;
        Some((
            "session/set_config_option",
            json!({"sessionId": session, "configId": id, "value": value}),
        ))
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Opening<R, W> {
    async fn initialize(&mut self, options: &Options) -> Result<Value, Error> {
        let params = json!({
            "protocolVersion": 1,
            "clientCapabilities": {
                "fs": {"readTextFile": false, "writeTextFile": false},
                "terminal": false,
                "_meta": {"terminal_output": true},
            },
            "clientInfo": {"name": "aloft-cloud", "title": "Aloft", "version": env!("CARGO_PKG_VERSION")},
        });
        let about = self.call("initialize", &params, options.timeouts.initialize).await?;
        match &about["protocolVersion"] {
            version if version == 1 => Ok(about),
            version => Err(Error::Version(version.to_string())),
        }
    }

    /// Any error means the next rung: their codes differ from agent to agent. A silent agent is not asked again.
    async fn session(
        &mut self,
        options: &Options,
        capabilities: &Value,
    ) -> Result<(String, Opened, Value), Error> {
        let mut params = json!({"cwd": options.cwd, "mcpServers": options.mcp_servers});
        let time = options.timeouts.session;
        if let Some(id) = &options.resume {
            params["sessionId"] = json!(id);
            let can_resume = &capabilities["sessionCapabilities"]["resume"];
            let resume = !can_resume.is_null() && *can_resume != false;
            let load = capabilities["loadSession"] == true;
            for (method, offered) in [("session/resume", resume), ("session/load", load)] {
                if !offered {
                    continue;
                }
                // What it tells again is in the log already.
                self.replaying = true;
                let answer = self.call(method, &params, time).await;
                self.replaying = false;
                match answer {
                    Ok(answer) => return Ok((id.clone(), Opened::Resumed, answer)),
                    Err(error @ Error::Refused { .. }) => {
                        tracing::info!(%error, "the agent did not find its session");
                    }
                    Err(error) => return Err(error),
                }
            }
            params = json!({"cwd": options.cwd, "mcpServers": options.mcp_servers});
        }
        let answer = self.call("session/new", &params, time).await?;
        let id = answer["sessionId"].as_str().unwrap_or_default().to_owned();
        if id.is_empty() {
            return Err(Error::Refused {
                method: "session/new",
                message: "no session id".to_owned(),
            });
        }
        Ok((id, Opened::Fresh, answer))
    }

    /// After every way to open a session: agents forget the mode.
    async fn mode(
        &mut self,
        options: &Options,
        session: &str,
        choices: &Choices,
    ) -> Result<(), Error> {
        let Some(id) = options.modes.id(options.mode) else { return Ok(()) };
        let mut refusals = Vec::new();
        for (method, params) in choices.mode(session, id) {
            match self.call(method, &params, options.timeouts.setting).await {
                Ok(_) => return Ok(()),
                Err(Error::Refused { message, .. }) => {
                    refusals.push(format!("{method}: {message}"));
                }
                Err(error) => return Err(error),
            }
        }
        let refusals = refusals.join("; ");
        if options.mode == Mode::Auto {
            // Its questions are answered for it.
            tracing::warn!(mode = id, refusals, "the agent did not take its mode for auto");
            return Ok(());
        }
        Err(Error::Mode(format!("mode {id} was refused: {refusals}")))
    }

    async fn call(
        &mut self,
        method: &'static str,
        params: &Value,
        time: Duration,
    ) -> Result<Value, Error> {
        let id = self.link.request(method, params);
        match tokio::time::timeout(time, self.answer(id)).await {
            Ok(Ok(Ok(result))) => Ok(result),
            Ok(Ok(Err(error))) => Err(Error::Refused { method, message: error_text(&error) }),
            Ok(Err(broken)) => Err(broken),
            Err(_) => Err(Error::TimedOut { method, seconds: time.as_secs() }),
        }
    }

    /// Waits for the response `wanted`; what else comes meanwhile is kept, swallowed or refused.
    async fn answer(&mut self, wanted: u64) -> Result<Result<Value, Value>, Error> {
        loop {
            let incoming =
                self.link.next(true).await.map_err(|broken| Error::Gone(broken.to_string()))?;
            match incoming {
                Incoming::Response { id, result } if id == wanted => return Ok(result),
                Incoming::Response { .. } => {}
                Incoming::Request { id, method, .. } => refuse(&mut self.link, &id, &method),
                Incoming::Notification { method, params, raw } => {
                    let heard =
                        method == "session/update" && !self.replaying && self.early.len() < EARLY;
                    if heard {
                        let update = self.translator.update(&params["update"]);
                        self.early.push_back(Report { body: Body::Update(update), raw });
                    }
                }
            }
        }
    }
}

/// What a person may read of a JSON-RPC error.
pub(super) fn error_text(error: &Value) -> String {
    let message = error["message"].as_str().unwrap_or_default();
    let data = &error["data"];
    let details = [data, &data["details"], &data["message"]]
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or_default();
    match (message, details) {
        ("", "") => error.to_string(),
        (message, "") => message.to_owned(),
        ("", details) => details.to_owned(),
        (message, details) if details.contains(message) => details.to_owned(),
        (message, details) if message.contains(details) => message.to_owned(),
        (message, details) => format!("{message}: {details}"),
    }
}
