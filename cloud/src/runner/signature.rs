//! Whose the commits of a thread are: of the person its account belongs to, and of the thread.

use aloft_proto::v1::Thread;

use crate::{
    accounts::forges::Account,
    forge::Person,
    model::proposal,
    runner::{Error, Parts},
};

/// Who commits where no account says who the person is, and for the agent.
pub(super) const NOBODY: (&str, &str) = ("Aloft", "aloft@localhost");

/// Where a thread's repository came from; empty = nobody knows.
pub(super) async fn remote_url(parts: &Parts, thread: &Thread) -> Result<String, Error> {
    let repository = thread.repository.clone().unwrap_or_default();
    // A remote that the checkout got since then.
    if let Some(row) = parts.store.repository(&repository.id).await?
        && row.url.is_empty()
        && !row.remote_url.is_empty()
    {
        return Ok(row.remote_url);
    }
    Ok(repository.url)
}

/// The account of a thread's repository, where there is one.
pub(super) async fn own_account(parts: &Parts, thread: &Thread) -> Result<Option<Account>, Error> {
    let url = remote_url(parts, thread).await?;
    let account = parts.forges.of_repository(&thread.owner, &url).await?;
    Ok(account.map(|(account, _)| account))
}

/// Name and address of who commits what the agent did not.
pub(super) fn committer(account: Option<&Account>) -> (&str, &str) {
    account.map_or(NOBODY, |account| (name(&account.person), &account.person.email))
}

/// The lines that the messages of the agent's own commits end with.
pub(super) async fn trailers(parts: &Parts, thread: &Thread) -> Result<Vec<String>, Error> {
    let mut lines = vec![proposal::thread_line(&thread.id)];
    match own_account(parts, thread).await {
        Ok(Some(Account { person, .. })) => {
            let (name, email) = (plain(name(&person)), plain(&person.email));
            lines.push(format!("Co-authored-by: {name} <{email}>"));
        }
        Ok(None) => {}
        // An account that cannot be read keeps no thread from its work.
        Err(Error::Forges(error)) => {
            tracing::warn!(thread = thread.id, %error, "commits are made without a co-author");
        }
        Err(error) => return Err(error),
    }
    Ok(lines)
}

/// What a person is called in a commit: git takes no name that has neither letters nor digits.
fn name(person: &Person) -> &str {
    let is_name = person.name.chars().any(char::is_alphanumeric);
    if is_name { &person.name } else { &person.login }
}

/// As it can stand in a line beside an address.
fn plain(text: &str) -> String {
    let stays = |one: &char| !one.is_control() && !matches!(one, '<' | '>');
    text.chars().filter(stays).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_git_does_not_take_is_not_given_to_it() {
        for (name, taken) in [
            ("Ada L.", "Ada L."),
            ("...", "ada"),
            ("<>", "ada"),
            ("\u{1f642}", "ada"),
            ("李", "李"),
        ] {
            let person = Person { login: "ada".into(), name: name.into(), ..Person::default() };
            assert_eq!(super::name(&person), taken);
        }
    }
}
