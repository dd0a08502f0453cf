//! The certificate authority's secret: made once, sealed, and kept in the store.

use anyhow::Context;
use secrecy::SecretString;

use crate::{
    store::Store,
    trust::{Sealer, authority::Authority},
};

/// The cloud itself, under which the secret lies.
const NOBODY: &str = "";
const NAME: &str = "ssh-authority";

/// The authority of this cloud, which is made where there is none.
pub(super) async fn of(store: &dyn Store, sealer: &Sealer) -> anyhow::Result<Authority> {
    let secret: SecretString = if let Some(sealed) = store.setting(NOBODY, NAME).await? {
        sealer.open(NOBODY, NAME, &sealed)?
    } else {
        let secret = Authority::new_secret()?;
        store.put_setting(NOBODY, NAME, sealer.seal(NOBODY, NAME, &secret)?).await?;
        secret
    };
    Authority::of(&secret).context("use the certificate authority")
}
