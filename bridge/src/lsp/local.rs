//! What touches a local checkout: `thread/create` from a path, `thread/apply` and `thread/checkout`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aloft_proto::v1;
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

use crate::checkout;
use crate::checkout::Local;
use crate::lsp::front::{Session, parse};
use crate::lsp::progress::Progress;
use crate::lsp::threads::{collect, present};
use crate::lsp::turns::in_order;
use crate::protocol::error::{Code, Error};
use crate::protocol::request::thread::{
    Dirty, ThreadApplyResult, ThreadArchiveParams, ThreadCheckoutResult, ThreadCreateParams,
    ThreadCreateResult, ThreadLocalParams, ThreadRestoreParams, ThreadResult,
};
use crate::protocol::thread::Thread;
use crate::protocol::to_proto::{inputs, new_request_id};

/// `thread/create`. Answers when the cloud has accepted the thread; an upload before that shows its progress.
pub(super) async fn create(
    session: Arc<Session>,
    mut params: Value,
) -> Result<ThreadCreateResult, Error> {
    let token = params.as_object_mut().and_then(|fields| fields.remove("workDoneToken"));
    let params: ThreadCreateParams = parse(params)?;
    if params.path.is_some() && params.repository.is_some() {
        let message = "path, repository: only one of the two may be given";
        return Err(Error::new(Code::InvalidParams, "INVALID_PARAMS", message));
    }
    // On a task of its own: git's output is not read between an editor's messages. It ends when the request is dropped.
    let task = AbortOnDropHandle::new(tokio::spawn(create_thread(session, params, token)));
    task.await.map_err(|error| Error::new(Code::Internal, "INTERNAL", error.to_string()))?
}

async fn create_thread(
    session: Arc<Session>,
    params: ThreadCreateParams,
    token: Option<Value>,
) -> Result<ThreadCreateResult, Error> {
    let settings = &session.config.settings;
    let request_id = params.request_id.unwrap_or_else(new_request_id);
    let input = inputs(params.input)?;
    let source = if let Some(url) = params.repository {
        Source {
            repository: v1::Repository { url, ..Default::default() },
            reference: params.reference.unwrap_or_default(),
            carry: String::new(),
            left_behind: Vec::new(),
        }
    } else {
        let path =
            params.path.map(PathBuf::from).or_else(|| session.folder.clone()).ok_or_else(|| {
                let message = "path, repository: one of the two is needed, as no folder is open";
                Error::new(Code::InvalidParams, "INVALID_PARAMS", message)
            })?;
        let dirty = params.dirty.or(settings.dirty).unwrap_or_default();
        let progress = Progress::begin(token, session.out.clone(), "Sending the repository");
        upload(&session, path, params.reference, dirty, &request_id, progress).await?
    };
    let request = v1::CreateThreadRequest {
        request_id,
        repository: Some(source.repository),
        r#ref: source.reference,
        branch: params.branch.unwrap_or_default(),
        environment: params
            .environment
            .or_else(|| settings.environment.clone())
            .unwrap_or_default(),
        agent: params.agent.or_else(|| settings.agent.clone()).unwrap_or_default(),
        model: params.model.or_else(|| settings.model.clone()).unwrap_or_default(),
        mode: params.mode.or(settings.mode).map_or(v1::Mode::Unspecified, Into::into).into(),
        title: params.title.unwrap_or_default(),
        input,
        issue: params.issue.unwrap_or_default(),
        carry_commit: source.carry,
    };
    let answer = session.mirror.client().create_thread(request).await?;
    session.mirror.offline().seen().note(answer.thread.as_slice(), &[]);
    Ok(ThreadCreateResult {
        thread: present(answer.thread)?,
        cursor: answer.cursor,
        left_behind: source.left_behind,
    })
}

/// What a thread begins from, as the cloud knows it.
struct Source {
    repository: v1::Repository,
    reference: String,
    carry: String,
    left_behind: Vec<String>,
}

async fn upload(
    session: &Session,
    path: PathBuf,
    reference: Option<String>,
    dirty: Dirty,
    request_id: &str,
    mut progress: Progress,
) -> Result<Source, Error> {
    let dirty = match dirty {
        Dirty::Carry => checkout::Dirty::Carry,
        Dirty::Ignore => checkout::Dirty::Ignore,
        Dirty::Refuse => checkout::Dirty::Refuse,
    };
    let plan = Local::open(&path).await?.plan(reference.as_deref(), dirty).await?;
    let client = session.mirror.client();
    let (mut repositories, upload_id) = (client.repositories(), format!("{request_id}-upload"));
    let sent =
        checkout::upload(&mut repositories, &plan, &upload_id, |state| progress.uploaded(state));
    let repository = sent.await.map_err(|error| match error {
        checkout::Error::Cloud(status) => client.error(*status),
        other => other.into(),
    })?;
    Ok(Source {
        repository,
        reference: plan.reference().to_owned(),
        carry: plan.carry.clone().unwrap_or_default(),
        left_behind: plan.left_behind.clone(),
    })
}

/// `thread/apply`.
pub(super) async fn apply(
    session: Arc<Session>,
    params: ThreadLocalParams,
) -> Result<ThreadApplyResult, Error> {
    let (thread, local) = open(&session, &params).await?;
    let client = session.mirror.client();
    let key = local.root().display().to_string();
    let applied = in_order(&session, &key, async {
        let whole =
            v1::GetDiffRequest { thread_id: thread.id.clone(), binary: true, ..Default::default() };
        let mut files = collect(&session, client.get_diff(whole.clone()).await?).await?;
        if !params.files.is_empty() {
            files.retain(|file| params.files.contains(&file.path));
        }
        let patch = if let Some(part) = &params.patch {
            part.clone().into_bytes()
        } else {
            check_changed(&params.files, &files)?;
            checkout::whole_patch(&files)?
        };
        match local.apply(&patch, params.conflicts).await {
            // The base is not known here: the cloud has it.
            Err(checkout::Error::DoesNotFit { .. }) => {}
            other => return other.map_err(Error::from),
        }
        let mut bases = Vec::new();
        for file in files.iter().filter(|file| !file.old_mode.is_empty()) {
            let one = v1::GetDiffRequest { path: file.path.clone(), ..whole.clone() };
            let found = collect(&session, client.get_diff(one).await?).await?;
            bases.extend(found.into_iter().filter_map(|file| file.old_text));
        }
        let bases: Vec<&[u8]> = bases.iter().map(AsRef::as_ref).collect();
        local.apply_with(&patch, &bases, params.conflicts).await.map_err(Error::from)
    });
    let applied = applied.await?;
    Ok(ThreadApplyResult { thread, files: applied.files, conflicts: applied.conflicts })
}

/// Refuses a path that the thread did not change.
fn check_changed(paths: &[String], files: &[v1::FileDiff]) -> Result<(), Error> {
    match paths.iter().find(|path| files.iter().all(|file| file.path != **path)) {
        None => Ok(()),
        Some(path) => Err(Error::new(
            Code::NotFound,
            "FILE_NOT_CHANGED",
            format!("{path} is not changed in this diff"),
        )),
    }
}

/// `thread/checkout`.
pub(super) async fn checkout(
    session: Arc<Session>,
    params: ThreadLocalParams,
) -> Result<ThreadCheckoutResult, Error> {
    let (thread, local) = open(&session, &params).await?;
    let have = local.known_commits().await?;
    let fetched = session.mirror.client().fetch_branch(&thread.id, have).await?;
    let branch = params.branch.unwrap_or(fetched.name);
    let bundle = fetched.bundle.as_ref().map(tempfile::NamedTempFile::path);
    local.branch(bundle, &branch, &fetched.commit, false).await?;
    Ok(ThreadCheckoutResult { thread, branch, commit: fetched.commit })
}

/// `thread/archive`.
pub(super) async fn archive(
    session: Arc<Session>,
    params: ThreadArchiveParams,
) -> Result<ThreadResult, Error> {
    let client = session.mirror.client();
    let request = v1::GetThreadRequest { thread_id: params.thread_id };
    let thread = present(client.get_thread(request).await?.thread)?;
    client.archive_thread(&thread.id, Path::new(&params.path)).await?;
    Ok(ThreadResult { thread, kept: false })
}

/// `thread/restore`.
pub(super) async fn restore(
    session: Arc<Session>,
    params: ThreadRestoreParams,
) -> Result<ThreadResult, Error> {
    let client = session.mirror.client();
    let answer = client.restore_thread(Path::new(&params.path), params.request_id).await?;
    Ok(ThreadResult { thread: present(answer.thread)?, kept: false })
}

/// The thread and the checkout its work goes to: the one named, else the one it began in.
async fn open(session: &Session, params: &ThreadLocalParams) -> Result<(Thread, Local), Error> {
    let request = v1::GetThreadRequest { thread_id: params.thread_id.clone() };
    let thread = present(session.mirror.client().get_thread(request).await?.thread)?;
    let path = params.path.clone().or_else(|| thread.repository.path.clone()).map(PathBuf::from);
    let path = path.or_else(|| session.folder.clone()).ok_or_else(|| {
        Error::new(
            Code::InvalidParams,
            "INVALID_PARAMS",
            "path: the thread did not begin in a local checkout",
        )
        .with_hint("name the folder of the checkout")
    })?;
    Ok((thread, Local::open(&path).await?))
}
