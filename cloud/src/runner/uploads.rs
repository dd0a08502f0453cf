//! Repositories that a bridge brings from a checkout.

use std::path::Path;

use aloft_fault::pass;

use crate::{
    git::BUNDLE_LIMIT,
    runner::{Error, Runner, new_id, now},
    store::{Repository, RepositoryKey},
};

/// What a bridge uploads, beside the bundle itself.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Whose it is.
    pub owner: String,
    /// The same for the same checkout.
    pub identity: String,
    /// Short, for people.
    pub name: String,
    /// The checkout.
    pub path: String,
    /// Its own remote.
    pub remote_url: String,
    /// Refs and commits of the bundle.
    pub refs: Vec<(String, String)>,
}

impl Runner {
    /// The mirror of a checkout and which of these commits it has; an empty id when there is none.
    pub async fn find_upload(
        &self,
        owner: &str,
        identity: &str,
        commits: &[String],
    ) -> Result<(String, Vec<String>), Error> {
        let key = RepositoryKey::Identity(identity.to_owned());
        let Some(known) = self.parts().store.find_repository(owner, key).await? else {
            return Ok((String::new(), Vec::new()));
        };
        if !self.parts().mirrors.path(&known.id)?.exists() {
            return Ok((known.id, Vec::new()));
        }
        // What is promised stays for the thread that is about to be created, also when its last one goes meanwhile.
        self.parts().store.put_repository(Repository { last_used: now(), ..known.clone() }).await?;
        let mut have = self.parts().mirrors.has(&known.id, commits).await?;
        have.extend(self.parts().mirrors.tips(&known.id).await?.into_iter().map(|tip| tip.commit));
        Ok((known.id, have))
    }

    /// Takes an uploaded bundle into the checkout's mirror, which is made where there is none.
    pub async fn upload(&self, upload: Upload, bundle: &Path) -> Result<String, Error> {
        if upload.identity.is_empty() {
            return Err(Error::Invalid {
                message: "an upload names the checkout's identity".to_owned(),
            });
        }
        let id = {
            // Many may bring the same checkout at once: it gets one mirror.
            let _one_at_a_time = self.shared.repositories.lock().await;
            let key = RepositoryKey::Identity(upload.identity.clone());
            let known = self.parts().store.find_repository(&upload.owner, key).await?;
            let id = known.map_or_else(new_id, |known| known.id);
            let row = Repository {
                id: id.clone(),
                owner: upload.owner,
                identity: upload.identity,
                name: upload.name,
                path: upload.path,
                remote_url: upload.remote_url,
                last_used: now(),
                ..Repository::default()
            };
            self.parts().store.put_repository(row).await?;
            pass!("upload.row");
            id
        };
        self.parts().mirrors.import(&id, bundle, &upload.refs, BUNDLE_LIMIT).await?;
        pass!("upload.imported");
        Ok(id)
    }
}
