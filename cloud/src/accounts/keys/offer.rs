//! The models that an API offers.

use std::time::Duration;

use reqwest::redirect;
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::accounts::keys::{ModelKey, Provider};

/// The start of an agent waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Offer {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

/// Their names, as the API lists them; empty where it does not say.
pub(super) async fn models(key: &ModelKey) -> Vec<String> {
    ask(key).await.unwrap_or_else(|error| {
        tracing::debug!(provider = %key.provider, %error, "the API does not say what models it offers");
        Vec::new()
    })
}

async fn ask(key: &ModelKey) -> reqwest::Result<Vec<String>> {
    let client =
        reqwest::Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build()?;
    let secret = key.key.expose_secret();
    let request = match key.provider {
        Provider::Anthropic => client
            .get(format!("{}/v1/models", key.base_url))
            .header("x-api-key", secret)
            .header("anthropic-version", "2023-06-01"),
        Provider::OpenAi => client.get(format!("{}/models", key.base_url)).bearer_auth(secret),
    };
    let offer: Offer = request.send().await?.error_for_status()?.json().await?;
    Ok(offer.data.into_iter().map(|model| model.id).collect())
}
