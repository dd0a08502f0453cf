//! Keeps sealed bytes in the store's settings.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{
    accounts::keys::{Vault, VaultError},
    store::Store,
};

/// Settings of the store as a [`Vault`].
#[derive(Clone, Debug)]
pub struct StoreVault {
    store: Arc<dyn Store>,
}

impl StoreVault {
    /// Over this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }
}

impl Vault for StoreVault {
    fn get<'a>(
        &'a self,
        owner: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, VaultError>> {
        Box::pin(async move { Ok(self.store.setting(owner, name).await?) })
    }

    fn put<'a>(
        &'a self,
        owner: &'a str,
        name: &'a str,
        sealed: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), VaultError>> {
        Box::pin(async move { Ok(self.store.put_setting(owner, name, sealed).await?) })
    }

    fn delete<'a>(
        &'a self,
        owner: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<bool, VaultError>> {
        Box::pin(async move { Ok(self.store.delete_setting(owner, name).await?) })
    }

    fn list<'a>(
        &'a self,
        owner: &'a str,
        prefix: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, VaultError>> {
        Box::pin(async move {
            let settings = self.store.settings(owner, prefix).await?;
            Ok(settings.into_iter().map(|(name, _)| name).collect())
        })
    }
}
