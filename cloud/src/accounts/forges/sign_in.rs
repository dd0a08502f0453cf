//! Sign-ins by a code, from the first word to the account.
//!
//! They live in memory and are driven by whoever waits for them: nobody waiting, nobody asked. What the forge gave is
//! taken to its end all the same, and its outcome is told as often as it is asked for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use secrecy::SecretString;

use crate::{
    accounts::forges::{Account, Error, Forges, at},
    clock,
    forge::{self, Kind, SignIn, Web},
};

/// How long one call waits for the person; the client calls again.
const PATIENCE: Duration = Duration::from_secs(15);
/// Sign-ins at once, of all people; the oldest goes.
const MAX: usize = 200;
/// How long an outcome can still be heard after the code is over, in milliseconds.
const HEARD: i64 = 600_000;

/// What a person is told to do.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// Which sign-in it is.
    pub id: String,
    /// The forge.
    pub host: String,
    /// What they type in.
    pub user_code: String,
    /// Where.
    pub url: String,
    /// When it is too late, in milliseconds since the Unix epoch.
    pub expires: i64,
}

/// All that are under way.
#[derive(Clone, Debug, Default)]
pub(super) struct SignIns(Arc<Mutex<HashMap<String, Entry>>>);

#[derive(Clone, Debug)]
struct Entry {
    owner: String,
    host: String,
    expires: i64,
    state: Arc<tokio::sync::Mutex<State>>,
}

#[derive(Debug)]
struct State {
    kind: Kind,
    web: Web,
    sign_in: SignIn,
    /// Given by the forge, and not yet an account.
    token: Option<SecretString>,
    outcome: Option<Result<Account, forge::Error>>,
}

impl SignIns {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one in, in place of an earlier one of this person there.
    fn add(&self, id: &str, entry: Entry) {
        let mut all = self.all();
        let now = clock::now();
        all.retain(|_, old| {
            old.expires + HEARD > now && (old.owner != entry.owner || old.host != entry.host)
        });
        if all.len() >= MAX
            && let Some(oldest) =
                all.iter().min_by_key(|(_, old)| old.expires).map(|(id, _)| id.clone())
        {
            all.remove(&oldest);
        }
        all.insert(id.to_owned(), entry);
    }
}

impl Forges {
    /// Asks the forge for a code that a person confirms. An empty address is the kind's own.
    pub async fn begin_sign_in(
        &self,
        owner: &str,
        kind: &str,
        address: &str,
    ) -> Result<Confirm, Error> {
        let kind: Kind = kind.parse()?;
        let web = at(kind, address)?;
        let host = web.host();
        let application = self.applications.get(&host).filter(|_| kind == Kind::GitHub);
        let Some(application) = application else {
            return Err(forge::Error::SignInUnconfigured { host }.into());
        };
        let sign_in = SignIn::begin(&web, application).await?;
        let confirm = Confirm {
            id: uuid::Uuid::new_v4().simple().to_string(),
            host: host.clone(),
            user_code: sign_in.user_code.clone(),
            url: sign_in.url.clone(),
            expires: sign_in.expires,
        };
        let state = State { kind, web, sign_in, token: None, outcome: None };
        let state = Arc::new(tokio::sync::Mutex::new(state));
        let entry = Entry { owner: owner.to_owned(), host, expires: confirm.expires, state };
        self.sign_ins.add(&confirm.id, entry);
        Ok(confirm)
    }

    /// Waits a while for the person, and keeps the account; none = not yet.
    pub async fn await_sign_in(&self, owner: &str, id: &str) -> Result<Option<Account>, Error> {
        let entry = self.sign_ins.all().get(id).filter(|entry| entry.owner == owner).cloned();
        let entry = entry.ok_or_else(|| Error::NoSignIn(id.to_owned()))?;
        let (forges, owner) = (self.clone(), owner.to_owned());
        // To its end, also when whoever waits goes away: a token is given only once.
        let task = tokio::spawn(async move {
            let mut state = entry.state.lock().await;
            forges.step(&owner, &mut state).await
        });
        task.await.unwrap_or_else(|_| Err(Error::NoSignIn(id.to_owned())))
    }

    async fn step(&self, owner: &str, state: &mut State) -> Result<Option<Account>, Error> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while state.outcome.is_none() {
            if state.token.is_none() {
                let next = clock::until(state.sign_in.next());
                if tokio::time::timeout_at(deadline, next).await.is_err() {
                    return Ok(None);
                }
                match state.sign_in.ask().await {
                    Ok(token) => state.token = token,
                    Err(error) => state.outcome = Some(Err(error)),
                }
            }
            if let Some(token) = state.token.clone() {
                // Where the forge does not answer now, the token stays for the next call.
                match self.take(owner, state.kind, state.web.clone(), token).await {
                    Ok(account) => state.outcome = Some(Ok(account)),
                    Err(Error::Forge(
                        error @ (forge::Error::ScopeMissing { .. }
                        | forge::Error::TokenRefused { .. }),
                    )) => state.outcome = Some(Err(error)),
                    Err(error) => return Err(error),
                }
            }
        }
        match &state.outcome {
            Some(Ok(account)) => Ok(Some(account.clone())),
            Some(Err(error)) => Err(error.clone().into()),
            None => Ok(None),
        }
    }
}
