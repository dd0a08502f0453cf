//! The way out of a sandbox: there is none in this version, and the refusal says so.

use axum::{
    body::Body,
    http::{Response, StatusCode, Uri},
};

use crate::host::refusal;

/// Refuses a CONNECT or a request for another host, in words that a tool shows to whoever started it.
pub(super) fn refuse(target: &Uri) -> Response<Body> {
    let host = target.authority().map_or("this address", |authority| authority.as_str());
    tracing::info!(host, "egress of a sandbox refused");
    refusal::text(
        StatusCode::FORBIDDEN,
        format!(
            "EGRESS_DENIED: {host} cannot be reached: the network policy of this environment allows no egress.\n\
             What is needed from the network has to be in the repository or on the machine that runs the cloud.\n"
        ),
    )
}

/// Means the sandbox itself.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
