//! The branch a pull request goes to, where it has moved on meanwhile: that is told, and brought in when a person asks for it.
//!
//! What merges cleanly is merged by the cloud, and the workspace is brought to that; where both changed the same, the agent is
//! told in one message. Nothing is rebased, so nothing that was pushed is ever replaced by it.

use aloft_proto::v1::{Input as Part, Level, TextInput, Thread, input, item::Kind};

use crate::{
    git::{
        Remote,
        snapshot::{Merge, Snapshot},
    },
    model::{
        machine::{Fact, Input, Memory, Point},
        proposal,
    },
    runner::{Error, Obstacle, RequestKey, Runner, pull_request::Proposed, rewind, whole},
};

/// What the branch has got that the thread's has not.
struct Moved {
    /// Where it is now.
    upstream: String,
    /// How many commits.
    commits: u32,
    /// What merging them gives.
    merge: Merge,
}

impl Runner {
    /// Says where the base has moved on; gives it for who asked. What cannot be found out keeps no pull request from being made.
    pub(super) async fn tell_moved(
        &self,
        thread: &Thread,
        (remote, base): (&Remote, &str),
        tip: &str,
    ) -> Vec<String> {
        let telling = async {
            let Some(moved) = self.moved(thread, (remote, base), tip).await? else {
                return Ok::<_, Error>(None);
            };
            let text = told(base, &thread.slug, &moved);
            let level = match moved.merge {
                Merge::Clean(_) => Level::Info,
                Merge::Conflicts(_) => Level::Warning,
            };
            let fact = Fact::BaseMoved { commit: moved.upstream, level, text: format!("{text}.") };
            self.tell(thread, fact, None).await?;
            Ok(Some(text))
        };
        match telling.await {
            Ok(note) => note.into_iter().collect(),
            Err(error) => {
                let thread = &thread.id;
                tracing::info!(thread, error = whole(&error), "could not look at the base branch");
                Vec::new()
            }
        }
    }

    /// Brings in what the base has got; gives an answer where the agent has to do it.
    pub(super) async fn sync(
        &self,
        thread: &Thread,
        memory: &Memory,
        (remote, base): (&Remote, &str),
        person: (&str, &str),
        request: Option<RequestKey>,
    ) -> Result<Option<Proposed>, Error> {
        let (tip, _) = self.committed(thread, memory, person).await?;
        let Some(saved) = &memory.snapshot else { return Err(Obstacle::NothingToPropose.into()) };
        let snapshots = &self.parts().snapshots;
        let before = snapshots.describe(&thread.id, &saved.commit).await?;
        let tip = self.after_pushed(thread, memory, &before, tip, person).await?;
        let Some(moved) = self.moved(thread, (remote, base), &tip).await? else { return Ok(None) };
        let Moved { upstream, commits, merge } = moved;
        // What was merged is no work of the thread.
        let fact =
            Fact::BaseMoved { commit: upstream.clone(), level: Level::Info, text: String::new() };
        self.tell(thread, fact, None).await?;
        let tree = match merge {
            Merge::Clean(tree) => tree,
            Merge::Conflicts(files) => {
                let text = message(base, commits, &files);
                let parts = vec![Part { kind: Some(input::Kind::Text(TextInput { text })) }];
                let author = thread.owner.clone();
                let input = Input::Message { parts, queue: false, author };
                let applied = self.apply(&thread.owner, &thread.id, input, request).await?;
                let text = format!("{base} conflicts in {}", rewind::named(&files));
                return Ok(Some(Proposed { applied, text, notes: Vec::new() }));
            }
        };
        let subject = format!("Merge branch '{base}' into {}", thread.branch);
        let message = proposal::commit_message(&subject, &thread.id);
        let both = (tip.as_str(), upstream.as_str(), tree.as_str());
        let commit = snapshots.merged(&thread.id, &before, both, &message, person).await?;
        let input = Input::Rewind { to: Point::Merge, commit, force: false };
        let applied = self.apply(&thread.owner, &thread.id, input, None).await?;
        let Some(item) = applied.item else { return Ok(None) };
        let item = self.item_ended(&thread.id, &item).await?;
        if let Some(Kind::Notice(notice)) = item.kind
            && let Some(error) = notice.error
        {
            return Err(Error::NotDone(Box::new(error)));
        }
        Ok(None)
    }

    /// The same work on top of what was pushed, where that too is nothing but the cloud's own commit of what the agent had not
    /// committed: then nothing that was pushed is replaced.
    async fn after_pushed(
        &self,
        thread: &Thread,
        memory: &Memory,
        before: &Snapshot,
        tip: String,
        person: (&str, &str),
    ) -> Result<String, Error> {
        let (snapshots, id, pushed) = (&self.parts().snapshots, &thread.id, &memory.pushed.commit);
        if pushed.is_empty() || *pushed == tip || before.head.as_ref() == Some(&tip) {
            return Ok(tip);
        }
        if snapshots.parent(id, pushed).await? != snapshots.parent(id, &tip).await? {
            return Ok(tip);
        }
        let message = proposal::commit_message(&thread.title, id);
        Ok(snapshots.commit(id, &before.commit, (pushed, None), &message, person).await?)
    }

    async fn moved(
        &self,
        thread: &Thread,
        (remote, base): (&Remote, &str),
        tip: &str,
    ) -> Result<Option<Moved>, Error> {
        let (snapshots, id) = (&self.parts().snapshots, &thread.id);
        // Under this name is the thread's own work; what is brought in would take its place.
        if base == thread.branch {
            return Err(Obstacle::BranchIsBase { branch: base.to_owned() }.into());
        }
        let Some(upstream) = snapshots.upstream(id, remote, base).await? else {
            let (branch, name) = (base.to_owned(), remote.url.clone());
            return Err(Obstacle::BaseMissing { branch, name }.into());
        };
        let commits = snapshots.behind(id, tip, &upstream).await?;
        if commits == 0 {
            return Ok(None);
        }
        let merge = snapshots.merge(id, tip, &upstream).await?;
        Ok(Some(Moved { upstream, commits, merge }))
    }
}

/// What a person is told.
fn told(base: &str, slug: &str, moved: &Moved) -> String {
    let commits = counted(moved.commits);
    match &moved.merge {
        Merge::Clean(_) => format!(
            "{base} has {commits} that this branch has not; they merge cleanly: `aloft pr {slug} --sync` brings them in"
        ),
        Merge::Conflicts(files) => format!(
            "{base} has {commits} that this branch has not, and they conflict in {}: `aloft pr {slug} --sync` lets the agent bring them in",
            rewind::named(files)
        ),
    }
}

/// What the agent is told.
fn message(base: &str, commits: u32, files: &[String]) -> String {
    let list: Vec<String> = files.iter().map(|file| format!("- `{file}`")).collect();
    let list = list.join("\n");
    format!(
        "The branch `{base}`, which your pull request goes to, has {} that your branch has not, and both changed:\n{list}\n\n\
         Bring them in. Commit first what is not committed yet; then `git fetch origin` and `git merge origin/{base}`. Solve the \
         conflicts so that both sides keep what they mean, run the tests, and commit the merge. Do not rebase: what was pushed stays.",
        counted(commits)
    )
}

fn counted(commits: u32) -> String {
    match commits {
        1 => "1 new commit".to_owned(),
        commits => format!("{commits} new commits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_to_do_something_is_told_what() {
        let moved = |merge| Moved { upstream: String::new(), commits: 2, merge };
        let clean = told("main", "fix-a", &moved(Merge::Clean(String::new())));
        assert!(clean.contains("2 new commits") && clean.contains("aloft pr fix-a --sync"));
        let files = vec!["a.rs".to_owned(), "$ rm x".to_owned()];
        let hard = told("main", "fix-a", &moved(Merge::Conflicts(files.clone())));
        assert!(hard.contains("conflict in a.rs, $ rm x"), "{hard}");
        let words = message("main", 1, &files);
        assert!(words.contains("1 new commit ") && words.contains("- `a.rs`\n"), "{words}");
        assert!(!words.lines().any(|line| line.starts_with('$')), "a name is no command");
    }
}
