//! One call, taken apart.

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use crate::dev_forge::{
    accounts::Viewer,
    answer::{Answer, Answered, Failure},
    place::Forge,
};

/// Most entries of a page.
const MAX_PAGE: usize = 100;
/// Entries of a page, where none are asked for.
const USUAL_PAGE: usize = 30;

/// A call and what it came with.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) forge: &'a Forge,
    pub(super) method: Method,
    /// `http://HOST:PORT`, as the caller reaches this forge.
    pub(super) web: String,
    /// Texts are asked for as a browser shows them, too.
    pub(super) shown: bool,
    /// The path's parts, decoded.
    pub(super) path: Vec<String>,
    /// The path as it came.
    pub(super) raw_path: String,
    pub(super) query: Vec<(String, String)>,
    /// What was sent as JSON; null where nothing was.
    pub(super) body: Value,
    pub(super) viewer: Option<Viewer>,
}

/// What a caller shows to prove who they are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    /// Perhaps a token.
    Token(String),
}

impl Call<'_> {
    /// Where the REST operations begin.
    pub(super) fn api(&self) -> String {
        format!("{}/api/v3", self.web)
    }

    /// Who asks; a refusal where nobody said.
    pub(super) fn viewer(&self) -> Result<&Viewer, Failure> {
        self.viewer
            .as_ref()
            .ok_or_else(|| Failure::new(StatusCode::UNAUTHORIZED, "Requires authentication"))
    }

    /// A parameter of the query.
    pub(super) fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The fields of the body.
    pub(super) fn fields(&self) -> Result<&Map<String, Value>, Failure> {
        self.body
            .as_object()
            .ok_or_else(|| Failure::new(StatusCode::BAD_REQUEST, "Body should be a JSON object"))
    }

    /// A text of the body; null counts as absent.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(Failure::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!("Invalid request.\n\nFor 'properties/{name}', {other} is not a string."),
            )),
        }
    }

    /// A list of texts of the body, or of objects with a `name`.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let list = self.body.get(name).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(|one| one.as_str().or_else(|| one["name"].as_str()))
            .map(str::to_owned)
            .collect()
    }

    /// One page of a list, with the way to the others.
    #[expect(clippy::unnecessary_wraps, reason = "every operation ends as an answer or a failure")]
    pub(super) fn page(&self, all: &[Value]) -> Answered {
        let (page, headers) = self.cut(all);
        let body = Some(Value::Array(page.to_vec()));
        Ok(Answer { status: StatusCode::OK, body, headers })
    }

    /// The entries of the page that is asked for, and the header that leads to the others.
    pub(super) fn cut<'l, T>(&self, all: &'l [T]) -> (&'l [T], Vec<(&'static str, String)>) {
        let number = |name, usual: usize| {
            self.asked(name).and_then(|text| text.parse().ok()).unwrap_or(usual).max(1)
        };
        let per_page = number("per_page", USUAL_PAGE).min(MAX_PAGE);
        let page = number("page", 1);
        let last = all.len().div_ceil(per_page).max(1);
        let begin = (page - 1).saturating_mul(per_page).min(all.len());
        let end = (begin + per_page).min(all.len());
        let mut links = Vec::new();
        let mut link = |page: usize, relation: &str| {
            links.push(format!("<{}>; rel=\"{relation}\"", self.address_of_page(page)));
        };
        if page > 1 {
            link(page.min(last + 1) - 1, "prev");
        }
        if page < last {
            link(page + 1, "next");
            link(last, "last");
        }
        if page > 1 {
            link(1, "first");
        }
        let headers = if links.is_empty() { Vec::new() } else { vec![("link", links.join(", "))] };
        (&all[begin..end], headers)
    }

    fn address_of_page(&self, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.query.iter().filter(|(name, _)| name != "page") {
            query.append_pair(name, value);
        }
        let query = query.append_pair("page", &page.to_string()).finish();
        format!("{}{}?{query}", self.web, self.raw_path)
    }
}

/// The parts of a path, decoded; `None` where it is no text.
pub(super) fn parts(path: &str) -> Option<Vec<String>> {
    path.split('/')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let text = percent_encoding::percent_decode_str(part).decode_utf8().ok()?;
            (!text.contains('\0')).then(|| text.into_owned())
        })
        .collect()
}

/// The parameters of a query.
pub(super) fn query(uri: &Uri) -> Vec<(String, String)> {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

/// The token a caller shows: as Bearer, as `token`, or in basic authentication as password or as name.
pub(super) fn shown(headers: &HeaderMap) -> Shown {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Shown::Nothing };
    let value = value.to_str().unwrap_or_default();
    let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    let rest = rest.trim();
    if !scheme.eq_ignore_ascii_case("basic") {
        return Shown::Token(rest.to_owned());
    }
    let pair = STANDARD.decode(rest).ok().and_then(|pair| String::from_utf8(pair).ok());
    let pair = pair.unwrap_or_default();
    let (name, password) = pair.split_once(':').unwrap_or((&pair, ""));
    let alone = password.is_empty() || password == "x-oauth-basic";
    Shown::Token(if alone { name } else { password }.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_is_found_in_every_form_that_clients_send() {
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        let token = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", HeaderValue::from_str(value).unwrap());
            shown(&headers)
        };
        for value in [
            "Bearer secret".to_owned(),
            "token secret".to_owned(),
            basic("x-access-token:secret"),
            basic("secret:"),
            basic("secret:x-oauth-basic"),
        ] {
            assert_eq!(token(&value), Shown::Token("secret".to_owned()), "{value}");
        }
        assert_eq!(shown(&HeaderMap::new()), Shown::Nothing);
        assert_eq!(token("Basic !!"), Shown::Token(String::new()));
    }

    #[test]
    fn a_path_keeps_the_slash_inside_a_name() {
        assert_eq!(parts("/repos/a/b/branches/x%2Fy%C3%A9").unwrap()[4], "x/yé");
        assert_eq!(parts("/a/%00"), None);
        assert_eq!(parts("/a/%ff"), None);
    }
}
