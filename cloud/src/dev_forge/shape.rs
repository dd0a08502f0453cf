//! The shapes of answers, field by field as GitHub publishes them.

use serde_json::{Map, Value, json};

use crate::dev_forge::{
    accounts::User,
    at,
    call::Call,
    git::{Commit, Signature},
    pictures,
    place::Repository,
    record::{Access, Check, Comment, Issue, Merged, Pull, Remark, Review, Status},
};

/// Addresses of a person: name of the field, end of the address.
const OF_USER: [(&str, &str); 10] = [
    ("url", ""),
    ("followers_url", "/followers"),
    ("following_url", "/following{/other_user}"),
    ("gists_url", "/gists{/gist_id}"),
    ("starred_url", "/starred{/owner}{/repo}"),
    ("subscriptions_url", "/subscriptions"),
    ("organizations_url", "/orgs"),
    ("repos_url", "/repos"),
    ("events_url", "/events{/privacy}"),
    ("received_events_url", "/received_events"),
];

/// Addresses of a repository: name of the field, end of the address.
const OF_REPOSITORY: [(&str, &str); 38] = [
    ("url", ""),
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("svn_url", ""),
];

/// A name of something, as GitHub's other interface calls it.
fn node(kind: &str, id: u64) -> String {
    format!("{kind}_{id}")
}

fn with(mut fields: Value, more: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (fields.as_object_mut(), more) {
        fields.extend(more);
    }
    fields
}

fn addresses(root: &str, of: &[(&str, &str)]) -> Value {
    let pair = |(name, end): &(&str, &str)| ((*name).to_owned(), json!(format!("{root}{end}")));
    Value::Object(of.iter().map(pair).collect::<Map<_, _>>())
}

impl Call<'_> {
    /// A person, by name; one who is not there any more is called a ghost.
    pub(super) fn user(&self, login: &str) -> Value {
        let found = self.forge.accounts().user(login);
        let user = found.unwrap_or_else(|| User {
            id: 0,
            login: login.to_owned(),
            created_at: String::new(),
        });
        let api = format!("{}/users/{}", self.api(), user.login);
        with(
            addresses(&api, &OF_USER),
            json!({
                "login": user.login,
                "id": user.id,
                "node_id": node("U", user.id),
                "avatar_url": format!("{}/{}.png", self.web, user.login),
                "gravatar_id": "",
                "html_url": format!("{}/{}", self.web, user.login),
                "type": "User",
                "site_admin": false,
            }),
        )
    }

    /// The person who asks, to themselves.
    pub(super) fn own_user(&self, user: &User, repositories: usize) -> Value {
        with(
            self.user(&user.login),
            json!({
                "name": user.login, "company": null, "blog": "", "location": null, "email": null,
                "hireable": null, "bio": null, "public_repos": 0, "public_gists": 0,
                "followers": 0, "following": 0, "created_at": user.created_at,
                "updated_at": user.created_at, "private_gists": 0,
                "total_private_repos": repositories, "owned_private_repos": repositories,
                "disk_usage": 0, "collaborators": 0, "two_factor_authentication": false,
            }),
        )
    }

    /// A repository.
    pub(super) fn repository(&self, repository: &Repository) -> Value {
        let record = &repository.record;
        let name = repository.full_name();
        let access = repository.access(self.viewer.as_ref());
        let open = record.issues.iter().filter(|issue| issue.closed_at.is_none()).count();
        let (made, pushed) = (at(repository.created_at()), at(repository.pushed_at()));
        let web = format!("{}/{name}", self.web);
        with(
            addresses(&format!("{}/repos/{name}", self.api()), &OF_REPOSITORY),
            json!({
                "id": record.id, "node_id": node("R", record.id), "name": repository.name,
                "full_name": name, "owner": self.user(&repository.owner),
                "private": record.private,
                "visibility": if record.private { "private" } else { "public" },
                "html_url": web, "description": record.description,
                "fork": record.fork_of.is_some(), "clone_url": format!("{web}.git"),
                "git_url": format!("{web}.git"), "ssh_url": format!("{web}.git"),
                "svn_url": web, "mirror_url": null, "homepage": null, "language": null,
                "license": null, "forks": 0, "forks_count": 0, "stargazers_count": 0,
                "watchers": 0, "watchers_count": 0, "size": 0,
                "default_branch": repository.default_branch(), "open_issues": open,
                "open_issues_count": open, "is_template": false, "topics": [],
                "has_issues": true, "has_projects": false, "has_wiki": false, "has_pages": false,
                "has_downloads": false, "has_discussions": false, "archived": record.archived,
                "disabled": false, "pushed_at": pushed, "created_at": made, "updated_at": pushed,
                "allow_forking": true, "web_commit_signoff_required": false,
                "permissions": {
                    "admin": access >= Access::Admin, "maintain": access >= Access::Admin,
                    "push": access >= Access::Write, "triage": access >= Access::Write,
                    "pull": access >= Access::Read,
                },
            }),
        )
    }

    /// A repository with what only its own address tells.
    pub(super) fn whole_repository(
        &self,
        repository: &Repository,
        parent: Option<&Repository>,
    ) -> Value {
        let mut shape = with(
            self.repository(repository),
            json!({
                "network_count": 0, "subscribers_count": 0, "allow_squash_merge": true,
                "allow_merge_commit": true, "allow_rebase_merge": true,
                "allow_auto_merge": false, "delete_branch_on_merge": false,
            }),
        );
        if let Some(parent) = parent {
            shape["parent"] = self.repository(parent);
            shape["source"] = self.repository(parent);
        }
        shape
    }

    fn of(&self, repository: &Repository) -> String {
        format!("{}/repos/{}", self.api(), repository.full_name())
    }

    fn page_of(&self, repository: &Repository, pull: u64) -> String {
        format!("{}/{}/pull/{pull}", self.web, repository.full_name())
    }

    /// One branch of a list.
    pub(super) fn branch(&self, repository: &Repository, name: &str, sha: &str) -> Value {
        json!({
            "name": name,
            "commit": { "sha": sha, "url": format!("{}/commits/{sha}", self.of(repository)) },
            "protected": repository.record.protected.iter().any(|one| one == name),
        })
    }

    /// A branch at its own address.
    pub(super) fn whole_branch(
        &self,
        repository: &Repository,
        name: &str,
        commit: &Commit,
    ) -> Value {
        let protected = repository.record.protected.iter().any(|one| one == name);
        let address = format!("{}/branches/{name}", self.of(repository));
        json!({
            "name": name, "commit": self.commit(repository, commit), "protected": protected,
            "protection": {
                "enabled": protected,
                "required_status_checks": { "enforcement_level": "off", "contexts": [], "checks": [] },
            },
            "protection_url": format!("{address}/protection"),
            "_links": { "self": address, "html": format!("{}/{}/tree/{name}", self.web, repository.full_name()) },
        })
    }

    /// A commit.
    pub(super) fn commit(&self, repository: &Repository, commit: &Commit) -> Value {
        let of = self.of(repository);
        let signature =
            |who: &Signature| json!({ "name": who.name, "email": who.email, "date": who.date });
        let address = |sha: &str| format!("{of}/commits/{sha}");
        let page = |sha: &str| format!("{}/{}/commit/{sha}", self.web, repository.full_name());
        let parents = commit.parents.iter();
        let parents: Vec<Value> = parents
            .map(|sha| json!({ "sha": sha, "url": address(sha), "html_url": page(sha) }))
            .collect();
        json!({
            "sha": commit.sha, "node_id": format!("C_{}", commit.sha), "url": address(&commit.sha),
            "html_url": page(&commit.sha), "comments_url": format!("{}/comments", address(&commit.sha)),
            "commit": {
                "author": signature(&commit.author), "committer": signature(&commit.committer),
                "message": commit.message, "comment_count": 0,
                "tree": { "sha": commit.tree, "url": format!("{of}/git/trees/{}", commit.tree) },
                "url": format!("{of}/git/commits/{}", commit.sha),
                "verification": {
                    "verified": false, "reason": "unsigned", "signature": null, "payload": null,
                    "verified_at": null,
                },
            },
            "author": null, "committer": null, "parents": parents,
        })
    }

    /// A ref.
    pub(super) fn reference(&self, repository: &Repository, name: &str, sha: &str) -> Value {
        let of = self.of(repository);
        json!({
            "ref": name, "node_id": format!("REF_{name}"), "url": format!("{of}/git/{name}"),
            "object": { "type": "commit", "sha": sha, "url": format!("{of}/git/commits/{sha}") },
        })
    }

    /// A label; all have the same colour.
    pub(super) fn label(&self, repository: &Repository, name: &str) -> Value {
        let end: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let id = repository.record.id;
        json!({
            "id": id, "node_id": node("LA", id), "url": format!("{}/labels/{end}", self.of(repository)),
            "name": name, "color": "ededed", "default": false, "description": "",
        })
    }

    fn labels(&self, repository: &Repository, issue: &Issue) -> Vec<Value> {
        issue.labels.iter().map(|name| self.label(repository, name)).collect()
    }

    /// An issue, or a pull request as an issue.
    pub(super) fn issue(&self, repository: &Repository, issue: &Issue) -> Value {
        let of = self.of(repository);
        let address = format!("{of}/issues/{}", issue.number);
        let id = (repository.record.id << 20) + issue.number;
        let kind = if issue.pull.is_some() { "pull" } else { "issues" };
        let page = format!("{}/{}/{kind}/{}", self.web, repository.full_name(), issue.number);
        let mut shape = json!({
            "id": id, "node_id": node("I", id), "url": address, "repository_url": of,
            "labels_url": format!("{address}/labels{{/name}}"),
            "comments_url": format!("{address}/comments"), "events_url": format!("{address}/events"),
            "html_url": page, "number": issue.number, "title": issue.title, "body": issue.body,
            "user": self.user(&issue.login), "labels": self.labels(repository, issue),
            "state": issue.state(), "state_reason": null, "locked": false, "assignee": null,
            "assignees": [], "milestone": null, "comments": issue.comments.len(),
            "created_at": issue.created_at, "updated_at": issue.updated_at,
            "closed_at": issue.closed_at, "closed_by": null,
            "author_association": self.association(repository, &issue.login),
        });
        if self.shown {
            shape["body_html"] = json!(pictures::html(self, issue.body.as_deref()));
        }
        if let Some(pull) = &issue.pull {
            shape["draft"] = json!(pull.draft);
            shape["pull_request"] = json!({
                "url": format!("{of}/pulls/{}", issue.number), "html_url": page,
                "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"),
                "merged_at": pull.merged.as_ref().map(|merged| &merged.at),
            });
        }
        shape
    }

    fn association(&self, repository: &Repository, login: &str) -> &'static str {
        if self.forge.owner() == login || login == repository.owner {
            return "OWNER";
        }
        match repository.record.permissions.get(login) {
            Some(access) if *access >= Access::Write => "COLLABORATOR",
            _ => "CONTRIBUTOR",
        }
    }

    /// A comment on an issue or a pull request.
    pub(super) fn comment(
        &self,
        repository: &Repository,
        issue: &Issue,
        comment: &Comment,
    ) -> Value {
        let of = self.of(repository);
        let kind = if issue.pull.is_some() { "pull" } else { "issues" };
        let page = format!("{}/{}/{kind}/{}", self.web, repository.full_name(), issue.number);
        let mut shape = json!({
            "id": comment.id, "node_id": node("IC", comment.id),
            "url": format!("{of}/issues/comments/{}", comment.id),
            "html_url": format!("{page}#issuecomment-{}", comment.id),
            "issue_url": format!("{of}/issues/{}", issue.number), "body": comment.body,
            "user": self.user(&comment.login), "created_at": comment.created_at,
            "updated_at": comment.created_at,
            "author_association": self.association(repository, &comment.login),
        });
        if self.shown {
            shape["body_html"] = json!(pictures::html(self, Some(&comment.body)));
        }
        shape
    }

    /// A pull request as lists have it.
    pub(super) fn pull(
        &self,
        repository: &Repository,
        head: Option<&Repository>,
        issue: &Issue,
        pull: &Pull,
    ) -> Value {
        let of = self.of(repository);
        let number = issue.number;
        let (own, as_issue) = (format!("{of}/pulls/{number}"), format!("{of}/issues/{number}"));
        let page = self.page_of(repository, number);
        let id = (repository.record.id << 20) + number;
        let statuses = format!("{of}/statuses/{}", pull.head_sha);
        let review_comment = format!("{of}/pulls/comments{{/number}}");
        let head_owner = pull.head_repository.split('/').next().unwrap_or_default();
        let link = |address: &str| json!({ "href": address });
        let reviewers: Vec<Value> = pull.reviewers.iter().map(|login| self.user(login)).collect();
        let mut shape = json!({
            "id": id, "node_id": node("PR", id), "number": number, "url": own, "html_url": page,
            "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"),
            "issue_url": as_issue, "commits_url": format!("{own}/commits"),
            "review_comments_url": format!("{own}/comments"), "review_comment_url": review_comment,
            "comments_url": format!("{as_issue}/comments"), "statuses_url": statuses,
            "state": issue.state(), "locked": false, "title": issue.title, "body": issue.body,
            "user": self.user(&issue.login), "labels": self.labels(repository, issue),
            "milestone": null, "created_at": issue.created_at, "updated_at": issue.updated_at,
            "closed_at": issue.closed_at, "merged_at": pull.merged.as_ref().map(|one| &one.at),
            "merge_commit_sha": pull.merged.as_ref().map(|one| &one.commit), "assignee": null,
            "assignees": [], "requested_reviewers": reviewers, "requested_teams": [],
            "draft": pull.draft, "auto_merge": null, "active_lock_reason": null,
            "author_association": self.association(repository, &issue.login),
        });
        shape["head"] = json!({
            "label": format!("{head_owner}:{}", pull.head), "ref": pull.head, "sha": pull.head_sha,
            "user": self.user(head_owner), "repo": head.map(|head| self.repository(head)),
        });
        shape["base"] = json!({
            "label": format!("{}:{}", repository.owner, pull.base), "ref": pull.base,
            "sha": pull.base_sha, "user": self.user(&repository.owner),
            "repo": self.repository(repository),
        });
        shape["_links"] = json!({
            "self": link(&own), "html": link(&page), "issue": link(&as_issue),
            "comments": link(&format!("{as_issue}/comments")),
            "review_comments": link(&format!("{own}/comments")),
            "review_comment": link(&review_comment),
            "commits": link(&format!("{own}/commits")), "statuses": link(&statuses),
        });
        shape
    }

    /// What a pull request's own address tells beside.
    pub(super) fn whole_pull(
        &self,
        pull: Value,
        issue: &Issue,
        kept: &Pull,
        (mergeable, state): (Option<bool>, &str),
        (commits, changes): (u64, aloft_proto::v1::DiffStat),
    ) -> Value {
        let by = kept.merged.as_ref().map(|Merged { by, .. }| self.user(by));
        with(
            pull,
            json!({
                "merged": kept.merged.is_some(), "mergeable": mergeable, "rebaseable": mergeable,
                "mergeable_state": state, "merged_by": by, "comments": issue.comments.len(),
                "review_comments": kept.remarks.len(), "maintainer_can_modify": false,
                "commits": commits, "additions": changes.additions,
                "deletions": changes.deletions, "changed_files": changes.files,
            }),
        )
    }

    /// A review.
    pub(super) fn review(&self, repository: &Repository, number: u64, review: &Review) -> Value {
        let page = format!("{}#pullrequestreview-{}", self.page_of(repository, number), review.id);
        let pull = format!("{}/pulls/{number}", self.of(repository));
        json!({
            "id": review.id, "node_id": node("PRR", review.id), "user": self.user(&review.login),
            "body": review.body, "state": review.state, "html_url": page,
            "pull_request_url": pull, "commit_id": review.commit,
            "submitted_at": review.submitted_at,
            "author_association": self.association(repository, &review.login),
            "_links": { "html": { "href": page }, "pull_request": { "href": pull } },
        })
    }

    /// A comment on a line; it has no line any more when the head has moved on.
    pub(super) fn remark(
        &self,
        repository: &Repository,
        number: u64,
        pull: &Pull,
        remark: &Remark,
    ) -> Value {
        let of = self.of(repository);
        let address = format!("{of}/pulls/comments/{}", remark.id);
        let page = format!("{}#discussion_r{}", self.page_of(repository, number), remark.id);
        let pull_address = format!("{of}/pulls/{number}");
        let line = (remark.commit == pull.head_sha).then_some(remark.line);
        let mut shape = json!({
            "id": remark.id, "node_id": node("PRRC", remark.id), "url": address, "html_url": page,
            "pull_request_url": pull_address, "pull_request_review_id": remark.review,
            "diff_hunk": "", "path": remark.path, "line": line, "original_line": remark.line,
            "start_line": null, "original_start_line": null, "start_side": null,
            "position": line, "original_position": remark.line,
            "side": remark.side, "subject_type": "line", "commit_id": remark.commit,
            "original_commit_id": remark.commit, "body": remark.body,
            "user": self.user(&remark.login), "created_at": remark.created_at,
            "updated_at": remark.created_at,
            "author_association": self.association(repository, &remark.login),
            "_links": {
                "self": { "href": address }, "html": { "href": page },
                "pull_request": { "href": pull_address },
            },
        });
        if let Some(reply_to) = remark.reply_to {
            shape["in_reply_to_id"] = json!(reply_to);
        }
        shape
    }

    /// A check of a commit.
    pub(super) fn check(&self, repository: &Repository, check: &Check) -> Value {
        let address = format!("{}/check-runs/{}", self.of(repository), check.id);
        let page = format!("{}/{}/runs/{}", self.web, repository.full_name(), check.id);
        json!({
            "id": check.id, "node_id": node("CR", check.id), "name": check.name,
            "head_sha": check.sha, "external_id": "", "url": address, "html_url": page,
            "details_url": check.details_url.as_ref().unwrap_or(&page), "status": check.status,
            "conclusion": check.conclusion, "started_at": check.started_at,
            "completed_at": check.completed_at, "check_suite": { "id": check.id }, "app": null,
            "pull_requests": [],
            "output": {
                "title": check.title, "summary": check.summary, "text": check.text,
                "annotations_count": check.annotations.len(),
                "annotations_url": format!("{address}/annotations"),
            },
        })
    }

    /// A status of a commit.
    pub(super) fn status(&self, repository: &Repository, status: &Status) -> Value {
        json!({
            "id": status.id, "node_id": node("SC", status.id),
            "url": format!("{}/statuses/{}", self.of(repository), status.sha), "avatar_url": null,
            "state": status.state, "context": status.context, "description": status.description,
            "target_url": status.target_url, "created_at": status.created_at,
            "updated_at": status.created_at,
        })
    }
}
