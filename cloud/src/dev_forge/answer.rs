//! What a call is answered, and the refusals in GitHub's form.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
};
use serde_json::{Value, json};

/// Where errors say they are explained.
const DOCUMENTATION: &str = "https://docs.github.com/rest";

/// What went well.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Option<Value>,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// What did not.
#[derive(Debug)]
pub(super) enum Failure {
    /// The caller is told why.
    Refused(Refusal),
    /// What was asked for has another address.
    Moved(String),
    /// Something here is broken.
    Broken(anyhow::Error),
}

/// Why a call is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
    pub(super) errors: Vec<Value>,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// What a call comes to.
pub(super) type Answered = Result<Answer, Failure>;

impl Answer {
    pub(super) fn ok(body: Value) -> Answered {
        Self::with(StatusCode::OK, body)
    }

    pub(super) fn created(body: Value) -> Answered {
        Self::with(StatusCode::CREATED, body)
    }

    #[expect(clippy::unnecessary_wraps, reason = "every operation ends as an answer or a failure")]
    pub(super) fn with(status: StatusCode, body: Value) -> Answered {
        Ok(Self { status, body: Some(body), headers: Vec::new() })
    }

    #[expect(clippy::unnecessary_wraps, reason = "every operation ends as an answer or a failure")]
    pub(super) fn elsewhere(address: &str) -> Answered {
        let headers = vec![("location", address.to_owned())];
        Ok(Self { status: StatusCode::FOUND, body: None, headers })
    }

    #[expect(clippy::unnecessary_wraps, reason = "every operation ends as an answer or a failure")]
    pub(super) fn nothing() -> Answered {
        Ok(Self { status: StatusCode::NO_CONTENT, body: None, headers: Vec::new() })
    }
}

impl Failure {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Refused(Refusal { status, message, errors: Vec::new(), headers: Vec::new() })
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    pub(super) fn bad_credentials() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Bad credentials")
    }

    /// A field that is missing or cannot be what was given.
    pub(super) fn field(resource: &str, field: &str, code: &str) -> Self {
        Self::invalid(json!({ "resource": resource, "field": field, "code": code }))
    }

    /// A rule that is not kept, in words.
    pub(super) fn custom(resource: &str, field: Option<&str>, message: &str) -> Self {
        let mut error = json!({ "resource": resource, "code": "custom", "message": message });
        if let Some(field) = field {
            error["field"] = json!(field);
        }
        Self::invalid(error)
    }

    fn invalid(error: Value) -> Self {
        Self::Refused(Refusal {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            message: "Validation Failed".to_owned(),
            errors: vec![error],
            headers: Vec::new(),
        })
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}

/// A refusal or failure as it goes out.
pub(super) fn failed(failure: Failure) -> Response<Body> {
    match failure {
        Failure::Refused(refusal) => {
            let mut body = json!({
                "message": refusal.message,
                "documentation_url": DOCUMENTATION,
                "status": refusal.status.as_u16().to_string(),
            });
            if !refusal.errors.is_empty() {
                body["errors"] = Value::Array(refusal.errors);
            }
            json(refusal.status, &body, &refusal.headers)
        }
        Failure::Moved(address) => {
            let body = json!({
                "message": "Moved Permanently",
                "url": address,
                "documentation_url": DOCUMENTATION,
            });
            json(StatusCode::MOVED_PERMANENTLY, &body, &[("location", address)])
        }
        Failure::Broken(error) => {
            tracing::error!(error = format!("{error:#}"), "a call failed");
            let body = json!({
                "message": format!("the forge failed to {error}"),
                "documentation_url": DOCUMENTATION,
                "status": "500",
            });
            json(StatusCode::INTERNAL_SERVER_ERROR, &body, &[])
        }
    }
}

/// JSON as it goes out.
pub(super) fn json(
    status: StatusCode,
    body: &Value,
    headers: &[(&'static str, String)],
) -> Response<Body> {
    let mut response = plain(status, "application/json; charset=utf-8", body.to_string());
    extend(&mut response, headers);
    response
}

/// Text as it goes out.
pub(super) fn plain(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Adds headers; what is no header's value is left out.
pub(super) fn extend(response: &mut Response<Body>, headers: &[(&'static str, String)]) {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
}
