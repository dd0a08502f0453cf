//! People and their tokens. Of a token only its hash is kept, but for the first one, which lies in a file of its owner.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context;
use ring::{
    digest,
    rand::{SecureRandom as _, SystemRandom},
};
use serde::{Deserialize, Serialize};

use crate::dev_forge::{files, now};

/// The user of the first start.
const FIRST: &str = "dev";
/// What the first token may do.
const ALL_SCOPES: [&str; 3] = ["repo", "user", "admin:repo_hook"];
/// Letters of a token behind its prefix.
const TOKEN_LETTERS: usize = 36;

/// Who there is.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Kept {
    users: Vec<User>,
    tokens: Vec<Token>,
    /// Repositories that have another name now: `owner/old` to `owner/new`.
    moved: BTreeMap<String, String>,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    /// Their number.
    pub(super) id: u64,
    /// Their name in addresses.
    pub(super) login: String,
    /// Since when.
    pub(super) created_at: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    hash: String,
    login: String,
    scopes: Vec<String>,
    #[serde(default)]
    revoked: bool,
}

/// Who asks, and what their token lets them do.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    /// The person.
    pub(super) user: User,
    /// What the token is for.
    pub(super) scopes: Vec<String>,
    /// Which token, to count its calls.
    pub(super) token: String,
    /// Whether everything here is theirs.
    pub(super) first: bool,
}

/// The accounts of one forge, and the file that holds them.
#[derive(Debug)]
pub(super) struct Accounts {
    kept: Kept,
    path: PathBuf,
    /// Hash of the token that opens the controls.
    control: String,
}

impl Accounts {
    /// Those of this folder; at the first start, with the token it made.
    pub(super) fn open(folder: &Path) -> anyhow::Result<(Self, Option<String>)> {
        let path = folder.join("accounts.json");
        let token_file = folder.join("token");
        let shown = token_file.display();
        let token = match std::fs::read_to_string(&token_file) {
            Ok(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("read {shown}"));
            }
            Ok(_) | Err(_) => None,
        };
        let kept: Kept = files::read(&path)?.unwrap_or_default();
        let mut accounts =
            Self { kept, path, control: token.as_deref().map(hash).unwrap_or_default() };
        if accounts.kept.users.is_empty() {
            accounts.add_user(FIRST);
        }
        let known = |accounts: &Self| {
            accounts.kept.tokens.iter().any(|token| token.hash == accounts.control)
        };
        if known(&accounts) {
            return Ok((accounts, None));
        }
        let made = token.is_none();
        let token = match token {
            Some(token) => token,
            None => random("ghp_")?,
        };
        accounts.control = hash(&token);
        let first = accounts.first().login;
        accounts.keep_token(&token, &first, ALL_SCOPES.map(str::to_owned).to_vec());
        files::replace(&token_file, token.as_bytes())?;
        accounts.save()?;
        Ok((accounts, made.then_some(token)))
    }

    /// The person whose forge this is.
    pub(super) fn first(&self) -> User {
        self.kept.users.first().cloned().unwrap_or_else(|| User {
            id: 1,
            login: FIRST.to_owned(),
            created_at: now(),
        })
    }

    /// A person, by name.
    pub(super) fn user(&self, login: &str) -> Option<User> {
        self.kept.users.iter().find(|user| user.login.eq_ignore_ascii_case(login)).cloned()
    }

    /// Whose token this is.
    pub(super) fn viewer(&self, token: &str) -> Option<Viewer> {
        let hash = hash(token);
        let found = self.kept.tokens.iter().find(|token| token.hash == hash && !token.revoked)?;
        let user = self.user(&found.login)?;
        let first = user == self.first();
        Some(Viewer { user, scopes: found.scopes.clone(), token: hash, first })
    }

    /// Whether this token opens the controls.
    pub(super) fn controls(&self, token: &str) -> bool {
        hash(token) == self.control
    }

    /// What names the token that opens the controls, where calls are counted.
    pub(super) fn control(&self) -> &str {
        &self.control
    }

    /// A new token of a person, who is made where they are not there.
    pub(super) fn grant(
        &mut self,
        login: &str,
        scopes: Vec<String>,
        prefix: &str,
    ) -> anyhow::Result<String> {
        if self.user(login).is_none() {
            self.add_user(login);
        }
        let token = random(prefix)?;
        self.keep_token(&token, login, scopes);
        self.save()?;
        Ok(token)
    }

    /// Changes what is known of a token; `None` takes it away. Says whether there is such a token.
    pub(super) fn change_token(
        &mut self,
        token: &str,
        scopes: Option<Vec<String>>,
    ) -> anyhow::Result<bool> {
        let hash = hash(token);
        let Some(found) = self.kept.tokens.iter_mut().find(|token| token.hash == hash) else {
            return Ok(false);
        };
        match scopes {
            Some(scopes) => found.scopes = scopes,
            None => found.revoked = true,
        }
        self.save()?;
        Ok(true)
    }

    /// Where a repository of an old name is now.
    pub(super) fn moved(&self, name: &str) -> Option<String> {
        self.kept.moved.get(name).cloned()
    }

    /// Remembers that a repository has another name.
    pub(super) fn renamed(&mut self, from: &str, to: &str) -> anyhow::Result<()> {
        for now in self.kept.moved.values_mut().filter(|now| *now == from) {
            to.clone_into(now);
        }
        self.kept.moved.remove(to);
        self.kept.moved.insert(from.to_owned(), to.to_owned());
        self.save()
    }

    fn add_user(&mut self, login: &str) {
        let id = self.kept.users.iter().map(|user| user.id).max().unwrap_or(0) + 1;
        self.kept.users.push(User { id, login: login.to_owned(), created_at: now() });
    }

    fn keep_token(&mut self, token: &str, login: &str, scopes: Vec<String>) {
        let login = login.to_owned();
        self.kept.tokens.push(Token { hash: hash(token), login, scopes, revoked: false });
    }

    fn save(&self) -> anyhow::Result<()> {
        files::write(&self.path, &self.kept)
    }
}

/// Letters and digits nobody can guess, behind a prefix that says what they are.
pub(super) fn random(prefix: &str) -> anyhow::Result<String> {
    random_of(
        prefix,
        TOKEN_LETTERS,
        b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    )
}

/// So many of these letters, none likelier than another.
pub(super) fn random_of(prefix: &str, count: usize, letters: &[u8]) -> anyhow::Result<String> {
    let source = SystemRandom::new();
    let mut text = prefix.to_owned();
    let fair = 256 - 256 % letters.len();
    let mut left = count;
    while left > 0 {
        let mut byte = [0_u8; 1];
        source
            .fill(&mut byte)
            .map_err(|_| anyhow::anyhow!("make a token: this machine gives no random numbers"))?;
        let byte = usize::from(byte[0]);
        if byte < fair {
            text.push(char::from(letters[byte % letters.len()]));
            left -= 1;
        }
    }
    Ok(text)
}

fn hash(token: &str) -> String {
    hex(digest::digest(&digest::SHA256, token.as_bytes()).as_ref())
}

/// Bytes in letters.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).fold(String::new(), |mut text, half| {
        text.extend(char::from_digit(u32::from(half), 16));
        text
    })
}
