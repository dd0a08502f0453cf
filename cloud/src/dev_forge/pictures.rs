//! Pictures in the texts of issues. As at GitHub no token opens one: whoever may read a text gets it as a browser shows it, with
//! addresses in it that do.

use std::{collections::BTreeMap, fmt::Write as _};

use axum::{
    body::Body,
    http::{HeaderValue, Response, header},
};

use crate::dev_forge::{
    answer::{Failure, failed},
    call::Call,
    place::{Forge, lock},
};

/// What their addresses begin with.
const PATH: &str = "/user-attachments/assets/";

/// All there are, by their ids.
#[derive(Debug, Default)]
pub(super) struct Pictures(BTreeMap<String, Picture>);

#[derive(Debug)]
struct Picture {
    data: Vec<u8>,
    /// Opens it.
    key: String,
}

impl Pictures {
    /// Keeps one; gives the path of its address.
    pub(super) fn add(&mut self, data: Vec<u8>) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let path = format!("{PATH}{id}");
        let key = uuid::Uuid::new_v4().simple().to_string();
        self.0.insert(id, Picture { data, key });
        path
    }
}

/// Answers whoever knows the whole address of a picture.
pub(super) fn answer(forge: &Forge, id: &str, query: &[(String, String)]) -> Response<Body> {
    let pictures = lock(&forge.pictures);
    let shown = query.iter().find(|(name, _)| name == "jwt").map(|(_, key)| key);
    let Some(picture) = pictures.0.get(id).filter(|one| Some(&one.key) == shown) else {
        return failed(Failure::not_found());
    };
    let mut response = Response::new(Body::from(picture.data.clone()));
    let kind = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// A text as a browser shows it, as far as pictures go: below its words, each with an address that opens it.
pub(super) fn html(call: &Call<'_>, text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    // No Markdown of a picture is left in it.
    let words = text.replace('&', "&amp;").replace('<', "&lt;").replace("![", "&#33;[");
    let mut html = format!("<p>{words}</p>");
    for (at, _) in text.match_indices(PATH) {
        let rest = &text[at + PATH.len()..];
        let end = rest.find(|letter: char| !letter.is_ascii_hexdigit() && letter != '-');
        let id = &rest[..end.unwrap_or(rest.len())];
        // One that is gone has an address all the same.
        let key = lock(&call.forge.pictures).0.get(id).map(|one| one.key.clone());
        let key = key.unwrap_or_default();
        let web = &call.web;
        // Writing to a string does not fail.
        let _ = write!(html, "\n<img alt=\"\" src=\"{web}{PATH}{id}?v=1&amp;jwt={key}\">");
    }
    html
}
