//! The address of a repository's own remote, without anything secret in it.

use crate::checkout::Result;
use crate::checkout::local::Local;

/// Where the repository is pushed to: the remote of the current branch, else `origin`, else the only one.
pub(super) async fn remote_url(local: &Local) -> Result<Option<String>> {
    let git = local.git();
    let remotes = git.maybe(&["remote"]).await?.unwrap_or_default();
    let remotes: Vec<&str> = remotes.lines().collect();
    let branch = git.maybe(&["symbolic-ref", "--quiet", "--short", "HEAD"]).await?;
    let tracked = match branch {
        Some(branch) => git.maybe(&["config", "--get", &format!("branch.{branch}.remote")]).await?,
        None => None,
    };
    let chosen = tracked
        .as_deref()
        .filter(|name| remotes.contains(name))
        .or_else(|| remotes.contains(&"origin").then_some("origin"))
        .or_else(|| if let [only] = remotes[..] { Some(only) } else { None });
    let Some(name) = chosen else { return Ok(None) };
    // `get-url` follows the person's own url.*.insteadOf.
    Ok(git.maybe(&["remote", "get-url", name]).await?.map(|url| without_credentials(&url)))
}

/// The address without user, password and token. The user of an SSH address stays: it is part of the address.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let host = match authority.rsplit_once('@') {
        Some((_, host)) if web => host.to_owned(),
        Some((user, host)) => format!("{}@{host}", user.split(':').next().unwrap_or(user)),
        None => authority.to_owned(),
    };
    let path = if web { path.split(['?', '#']).next().unwrap_or(path) } else { path };
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_secrets() {
        let table = [
            ("https://forge.example/a/b.git", "https://forge.example/a/b.git"),
            ("https://user:secret@forge.example/a/b", "https://forge.example/a/b"),
            ("https://token@forge.example:8443/a", "https://forge.example:8443/a"),
            ("https://user:p@ss@forge.example/a?private_token=x", "https://forge.example/a"),
            ("ssh://git:secret@forge.example:22/a", "ssh://git@forge.example:22/a"),
            ("git@forge.example:a/b.git", "git@forge.example:a/b.git"),
            ("/srv/git/a@b.git", "/srv/git/a@b.git"),
            ("https://token@forge.example", "https://forge.example"),
        ];
        for (given, wanted) in table {
            assert_eq!(without_credentials(given), wanted);
        }
    }
}
