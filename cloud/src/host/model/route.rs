//! The calls that are relayed: those that generate, count or list. Stored objects of an account are not among them, for one
//! key serves many sandboxes.

use axum::http::Method;

use crate::accounts::keys::Provider;

/// What is relayed, in words.
pub(super) const KNOWN: &str = "POST /model/anthropic/v1/messages and its count_tokens, POST /model/openai/v1/chat/completions, \
     /responses and /embeddings, and GET of /models of both";

/// A call that is relayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// What follows the base address.
    pub(super) path: String,
    /// It uses up tokens.
    pub(super) costs: bool,
}

impl Route {
    /// The route of a request, if it is relayed at all.
    pub(super) fn find(provider: Provider, method: &Method, path: &str) -> Option<Self> {
        let (mount, post): (&str, &[(&str, bool)]) = match provider {
            Provider::Anthropic => (
                "/model/anthropic",
                &[("/v1/messages", true), ("/v1/messages/count_tokens", false)],
            ),
            Provider::OpenAi => (
                "/model/openai/v1",
                &[
                    ("/chat/completions", true),
                    ("/responses", true),
                    ("/responses/input_tokens", false),
                    ("/embeddings", true),
                ],
            ),
        };
        let path = path.strip_prefix(mount)?;
        let costs = if method == Method::POST {
            post.iter().find(|(known, _)| *known == path)?.1
        } else if method == Method::GET && is_models(provider, path) {
            false
        } else {
            return None;
        };
        Some(Self { path: path.to_owned(), costs })
    }
}

fn is_models(provider: Provider, path: &str) -> bool {
    let models = match provider {
        Provider::Anthropic => "/v1/models",
        Provider::OpenAi => "/models",
    };
    let Some(rest) = path.strip_prefix(models) else { return false };
    let Some(model) = rest.strip_prefix('/') else { return rest.is_empty() };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:@/%+".contains(&byte);
    model.bytes().all(plain) && !model.contains("..") && !model.to_ascii_lowercase().contains("%2e")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relays_what_generates_counts_and_lists() {
        let find = |provider, method, path| Route::find(provider, &method, path);
        let known = [
            (
                Provider::Anthropic,
                Method::POST,
                "/model/anthropic/v1/messages",
                "/v1/messages",
                true,
            ),
            (
                Provider::Anthropic,
                Method::POST,
                "/model/anthropic/v1/messages/count_tokens",
                "/v1/messages/count_tokens",
                false,
            ),
            (Provider::Anthropic, Method::GET, "/model/anthropic/v1/models", "/v1/models", false),
            (Provider::OpenAi, Method::POST, "/model/openai/v1/responses", "/responses", true),
            (
                Provider::OpenAi,
                Method::GET,
                "/model/openai/v1/models/org/name-1",
                "/models/org/name-1",
                false,
            ),
        ];
        for (provider, method, path, to, costs) in known {
            let route = find(provider, method, path);
            assert_eq!(route, Some(Route { path: to.into(), costs }), "{path}");
        }
        for (provider, method, path) in [
            (Provider::OpenAi, Method::GET, "/model/openai/v1/responses/resp_1"),
            (Provider::OpenAi, Method::GET, "/model/openai/v1/files"),
            (Provider::OpenAi, Method::DELETE, "/model/openai/v1/models/x"),
            (Provider::OpenAi, Method::GET, "/model/openai/v1/models/../files"),
            (Provider::OpenAi, Method::GET, "/model/openai/v1/models/%2E%2e/files"),
            (Provider::OpenAi, Method::GET, "/model/openai/v1/modelsx"),
            (Provider::Anthropic, Method::POST, "/model/anthropic/v1/messages/batches"),
            (Provider::Anthropic, Method::POST, "/model/anthropicx/v1/messages"),
        ] {
            assert_eq!(find(provider, method, path), None, "{path}");
        }
    }
}
