//! Sign-in by device flow: a code that a person confirms on a page, while the device asks whether they did.

use axum::{
    body::Body,
    http::{HeaderMap, Method, Response, StatusCode, header, request::Parts},
};
use serde_json::{Map, Value, json};

use crate::{
    clock,
    dev_forge::{
        accounts::random_of,
        answer::{self, Failure, failed, plain},
        call,
        page::{escaped, html},
        place::{Forge, lock},
        server::web,
    },
};

/// How long a code counts, in seconds.
const EXPIRES: i64 = 900;
/// How often a device may ask, in seconds.
const INTERVAL: i64 = 5;
/// What a device waits longer that asked too often.
const SLOWER: i64 = 5;
/// Codes at once; the oldest goes.
const MAX_CODES: usize = 200;
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Letters of a code that nobody takes for another.
const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
/// A client for which this flow is switched off.
const DISABLED: &str = "disabled";

/// Codes that were given out.
#[derive(Debug, Default)]
pub(super) struct Codes(Vec<Code>);

#[derive(Debug)]
struct Code {
    device: String,
    user: String,
    client: String,
    scopes: Vec<String>,
    expires: i64,
    interval: i64,
    /// When the device last asked.
    asked: Option<i64>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Allowed,
    Denied,
}

/// What becomes of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Decision {
    Authorize,
    Deny,
    Expire,
    SlowDown,
}

impl Codes {
    fn begin(&mut self, client: &str, scopes: Vec<String>) -> anyhow::Result<Value> {
        let device = random_of("", 40, b"0123456789abcdef")?;
        let letters = random_of("", 8, LETTERS)?;
        let user = format!("{}-{}", &letters[..4], &letters[4..]);
        self.0.retain(|code| code.expires > clock::now());
        if self.0.len() >= MAX_CODES {
            self.0.remove(0);
        }
        self.0.push(Code {
            device: device.clone(),
            user: user.clone(),
            client: client.to_owned(),
            scopes,
            expires: clock::now() + EXPIRES * 1_000,
            interval: INTERVAL,
            asked: None,
            state: State::Pending,
        });
        Ok(json!({
            "device_code": device,
            "user_code": user,
            "expires_in": EXPIRES,
            "interval": INTERVAL,
        }))
    }

    /// Decides about a code; says whether there is such a one.
    pub(super) fn decide(&mut self, user: &str, decision: Decision) -> bool {
        let user = user.trim();
        let Some(code) = self.0.iter_mut().find(|code| code.user.eq_ignore_ascii_case(user)) else {
            return false;
        };
        match decision {
            Decision::Authorize => code.state = State::Allowed,
            Decision::Deny => code.state = State::Denied,
            Decision::Expire => code.expires = 0,
            // The next question comes too early, whenever it comes.
            Decision::SlowDown => code.asked = Some(i64::MAX),
        }
        true
    }

    /// What a device is told: the scopes it was given, or the word for why not.
    fn ask(
        &mut self,
        client: &str,
        device: &str,
    ) -> Result<Vec<String>, (&'static str, Option<i64>)> {
        let now = clock::now();
        let found = self.0.iter().position(|code| code.device == device && code.client == client);
        let Some(index) = found else { return Err(("incorrect_device_code", None)) };
        let code = &mut self.0[index];
        if code.expires <= now {
            return Err(("expired_token", None));
        }
        match code.state {
            State::Allowed => return Ok(self.0.remove(index).scopes),
            State::Denied => {
                self.0.remove(index);
                return Err(("access_denied", None));
            }
            State::Pending => {}
        }
        let early =
            code.asked.is_some_and(|asked| now < asked.saturating_add(code.interval * 1_000));
        code.asked = Some(now);
        if early {
            code.interval += SLOWER;
            return Err(("slow_down", Some(code.interval)));
        }
        Err(("authorization_pending", None))
    }
}

/// Answers what stands below `/login`.
pub(super) fn answer(forge: &Forge, parts: &Parts, body: &[u8], path: &[&str]) -> Response<Body> {
    let fields = fields(&parts.headers, body);
    let answered = match (&parts.method, path) {
        (&Method::POST, ["device", "code"]) => begin(forge, parts, &fields),
        (&Method::POST, ["oauth", "access_token"]) => token(forge, parts, &fields),
        (&Method::GET, ["device"]) => {
            let code = call::query(&parts.uri).into_iter().find(|(name, _)| name == "user_code");
            Ok(form(&code.map(|(_, code)| code).unwrap_or_default(), ""))
        }
        (&Method::POST, ["device"]) => Ok(decide(forge, &fields)),
        _ => Err(Failure::not_found()),
    };
    answered.unwrap_or_else(failed)
}

fn begin(
    forge: &Forge,
    parts: &Parts,
    fields: &Map<String, Value>,
) -> Result<Response<Body>, Failure> {
    let client = text(fields, "client_id");
    let refused = match client {
        "" => Some("incorrect_client_credentials"),
        DISABLED => Some("device_flow_disabled"),
        _ => None,
    };
    if let Some(word) = refused {
        return Ok(said(&parts.headers, &error(word)));
    }
    let scopes = text(fields, "scope").split([' ', ',']).filter(|scope| !scope.is_empty());
    let scopes = scopes.map(str::to_owned).collect();
    let mut begun = lock(&forge.codes).begin(client, scopes)?;
    begun["verification_uri"] = json!(format!("{}/login/device", web(&parts.headers)));
    Ok(said(&parts.headers, &begun))
}

fn token(
    forge: &Forge,
    parts: &Parts,
    fields: &Map<String, Value>,
) -> Result<Response<Body>, Failure> {
    let headers = &parts.headers;
    if text(fields, "client_id").is_empty() {
        return Ok(said(headers, &error("incorrect_client_credentials")));
    }
    if text(fields, "grant_type") != GRANT {
        return Ok(said(headers, &error("unsupported_grant_type")));
    }
    let asked = lock(&forge.codes).ask(text(fields, "client_id"), text(fields, "device_code"));
    let scopes = match asked {
        Ok(scopes) => scopes,
        Err((word, interval)) => {
            let mut answer = error(word);
            if let Some(interval) = interval {
                answer["interval"] = json!(interval);
            }
            return Ok(said(headers, &answer));
        }
    };
    let mut accounts = forge.accounts();
    let login = accounts.first().login;
    let token = accounts.grant(&login, scopes.clone(), "gho_")?;
    let given = json!({ "access_token": token, "token_type": "bearer", "scope": scopes.join(",") });
    Ok(said(headers, &given))
}

fn decide(forge: &Forge, fields: &Map<String, Value>) -> Response<Body> {
    let code = text(fields, "user_code");
    if !forge.accounts().controls(text(fields, "token")) {
        return form(
            code,
            "That is not the token of this forge; it is in the file .dev-forge/token.",
        );
    }
    let allow = text(fields, "do") == "authorize";
    let decision = if allow { Decision::Authorize } else { Decision::Deny };
    if !lock(&forge.codes).decide(code, decision) {
        return form(code, "There is no such code, or its time is over.");
    }
    let words = if allow { "The device is connected." } else { "The device was refused." };
    html(StatusCode::OK, "Device", &format!("<p>{words} You may close this page.</p>"))
}

fn form(code: &str, problem: &str) -> Response<Body> {
    html(
        if problem.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY },
        "Device",
        &format!(
            "<p role=alert>{}</p><form method=post action=/login/device>\
             <p><label>Code of the device <input name=user_code required autocomplete=off value=\"{}\"></label></p>\
             <p><label>Token of this forge <input name=token type=password required></label></p>\
             <p><button name=do value=authorize>Authorize</button> <button name=do value=deny>Cancel</button></p></form>",
            escaped(problem),
            escaped(code)
        ),
    )
}

fn error(word: &str) -> Value {
    json!({
        "error": word,
        "error_description": word.replace('_', " "),
        "error_uri": "https://docs.github.com/developers/apps/authorizing-oauth-apps",
    })
}

/// Errors too are answered with 200, in a form unless JSON was asked for.
fn said(headers: &HeaderMap, value: &Value) -> Response<Body> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("json")) {
        return answer::json(StatusCode::OK, value, &[]);
    }
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in value.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        form.append_pair(name, &text);
    }
    plain(StatusCode::OK, "application/x-www-form-urlencoded; charset=utf-8", form.finish())
}

/// The fields of a form or of a JSON object.
fn fields(headers: &HeaderMap, body: &[u8]) -> Map<String, Value> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if kind.is_some_and(|kind| kind.contains("json")) {
        return serde_json::from_slice(body).unwrap_or_default();
    }
    form_urlencoded::parse(body)
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect()
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_asks_too_often_must_wait_longer_each_time() {
        let mut codes = Codes::default();
        let begun = codes.begin("client", vec!["repo".to_owned()]).unwrap();
        let device = begun["device_code"].as_str().unwrap();
        let user = begun["user_code"].as_str().unwrap();
        assert_eq!(codes.ask("client", device), Err(("authorization_pending", None)));
        assert_eq!(codes.ask("client", device), Err(("slow_down", Some(10))));
        assert_eq!(codes.ask("client", device), Err(("slow_down", Some(15))));
        assert_eq!(codes.ask("other", device), Err(("incorrect_device_code", None)));
        assert!(codes.decide(&user.to_lowercase(), Decision::Authorize));
        assert_eq!(codes.ask("client", device), Ok(vec!["repo".to_owned()]));
        assert_eq!(codes.ask("client", device), Err(("incorrect_device_code", None)));
    }

    #[test]
    fn a_code_ends_by_refusal_and_by_time() {
        let mut codes = Codes::default();
        for (decision, word) in
            [(Decision::Deny, "access_denied"), (Decision::Expire, "expired_token")]
        {
            let begun = codes.begin("client", Vec::new()).unwrap();
            assert!(codes.decide(begun["user_code"].as_str().unwrap(), decision));
            let device = begun["device_code"].as_str().unwrap();
            assert_eq!(codes.ask("client", device), Err((word, None)));
        }
    }
}
