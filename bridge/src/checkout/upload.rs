//! Sends the cloud what it lacks of a repository, as a git bundle.

use std::process::Stdio;
use std::sync::Arc;

use aloft_proto::v1;
use aloft_proto::v1::repository_service_client::RepositoryServiceClient;
use bytes::BytesMut;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::GrpcService;

use crate::checkout::plan::Plan;
use crate::checkout::scratch::Scratch;
use crate::checkout::{Error, Result};

/// Bytes of one message: far below what a peer accepts, large enough to cost nothing.
const CHUNK: usize = 256 * 1024;
/// Messages in flight before git has to wait.
const AHEAD: usize = 4;

/// How far an upload has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes handed to the connection.
    pub bytes: u64,
    /// Percent of the objects, once git knows how many there are.
    pub percent: Option<u8>,
}

/// Sends what the cloud lacks of a plan; nothing where it has everything. Gives the repository for `CreateThread`.
pub async fn upload<T>(
    client: &mut RepositoryServiceClient<T>,
    plan: &Plan,
    request_id: &str,
    progress: impl FnMut(Progress) + Send,
) -> Result<v1::Repository>
where
    T: GrpcService<tonic::body::Body> + Send,
    T::Future: Send,
    T::Error: Into<tonic::codegen::StdError>,
    T::ResponseBody: tonic::codegen::Body<Data = tonic::codegen::Bytes> + Send + 'static,
    <T::ResponseBody as tonic::codegen::Body>::Error: Into<tonic::codegen::StdError> + Send,
{
    let cloud = |status| Error::Cloud(Box::new(status));
    let tips = [&plan.commit].into_iter().chain(&plan.carry);
    let commits = tips.clone().chain(&plan.landmarks).cloned().collect();
    let asked = v1::FindRepositoryRequest { identity: plan.identity.clone(), commits };
    let found = client.find_repository(asked).await.map_err(cloud)?.into_inner();
    let has = |commit: &String| !found.repository_id.is_empty() && found.have.contains(commit);
    // A ref asked for by name has to stand where it stands here, also when its commit is there already.
    let by_name = plan.asked && plan.ref_name.is_some();
    if !by_name && tips.clone().all(has) {
        return Ok(repository(plan, found.repository_id));
    }
    // Git leaves a ref out of a bundle when its commit is left out.
    let (refs, leave_out) = match (has(&plan.commit), by_name) {
        (true, true) => (refs_of(plan), parents_of(&plan.scratch, &plan.commit).await?),
        (true, false) => (
            plan.carry.as_deref().map(unnamed).into_iter().collect(),
            known(&plan.scratch, found.have).await?,
        ),
        (false, _) => (refs_of(plan), known(&plan.scratch, found.have).await?),
    };
    let header = v1::UploadHeader {
        request_id: request_id.to_owned(),
        identity: plan.identity.clone(),
        name: plan.name.clone(),
        path: plan.path.clone(),
        remote_url: plan.remote_url.clone().unwrap_or_default(),
        refs: refs.clone(),
    };
    let (out, messages) = mpsc::channel(AHEAD);
    let sending = send_bundle(Arc::clone(&plan.scratch), header, refs, leave_out, out, progress);
    let call =
        async { client.upload_repository(ReceiverStream::new(messages)).await.map_err(cloud) };
    // An error of git drops the call before its stream has ended: the cloud never takes half a bundle for a whole one.
    let ((), answer) = tokio::try_join!(sending, call)?;
    Ok(repository(plan, answer.into_inner().repository_id))
}

fn repository(plan: &Plan, id: String) -> v1::Repository {
    v1::Repository {
        id,
        url: plan.remote_url.clone().unwrap_or_default(),
        path: plan.path.clone(),
        name: plan.name.clone(),
    }
}

/// The refs of the bundle. A commit without a name travels under one of ours.
fn refs_of(plan: &Plan) -> Vec<v1::UploadRef> {
    let first = match &plan.ref_name {
        Some(name) => v1::UploadRef { name: name.clone(), commit: plan.commit.clone() },
        None => unnamed(&plan.commit),
    };
    [first].into_iter().chain(plan.carry.as_deref().map(unnamed)).collect()
}

fn unnamed(commit: &str) -> v1::UploadRef {
    v1::UploadRef { name: format!("refs/aloft/carry/{commit}"), commit: commit.to_owned() }
}

/// Those commits that are here too: git can only leave out what it knows.
async fn known(scratch: &Scratch, commits: Vec<String>) -> Result<Vec<String>> {
    let asked: String =
        commits.iter().filter(|id| is_object_id(id)).flat_map(|id| [id.as_str(), "\n"]).collect();
    let answer = scratch
        .git()
        .feed(&["cat-file", "--batch-check=%(objectname) %(objecttype)"], asked.as_bytes())
        .await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    Ok(answer
        .lines()
        .filter_map(|line| line.strip_suffix(" commit"))
        .map(ToOwned::to_owned)
        .collect())
}

async fn parents_of(scratch: &Scratch, commit: &str) -> Result<Vec<String>> {
    let found = scratch.git().line(&["rev-parse", &format!("{commit}^@")]).await?;
    Ok(found.lines().map(ToOwned::to_owned).collect())
}

fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

async fn send_bundle(
    scratch: Arc<Scratch>,
    header: v1::UploadHeader,
    refs: Vec<v1::UploadRef>,
    leave_out: Vec<String>,
    out: mpsc::Sender<v1::UploadRepositoryRequest>,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<()> {
    let git = scratch.git();
    let updates: Vec<String> =
        refs.iter().map(|update| format!("update {} {}\n", update.name, update.commit)).collect();
    git.feed(&["update-ref", "--stdin"], updates.concat().as_bytes()).await?;
    let mut args = vec!["bundle".to_owned(), "create".into(), "--progress".into(), "-".into()];
    args.extend(refs.into_iter().map(|reference| reference.name));
    args.extend(leave_out.into_iter().map(|commit| format!("^{commit}")));
    let mut child = git
        .command(&args)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| git.failed_to_start(error))?;
    let (Some(mut bundle), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(git.complaint(&args, "its output was not connected"));
    };
    let (told, heard) = tokio::sync::watch::channel(None);
    let complaint = tokio::spawn(follow_progress(stderr, told));
    let first = v1::UploadRepositoryRequest { header: Some(header), ..Default::default() };
    let mut open = out.send(first).await.is_ok();
    let mut state = Progress::default();
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        while chunk.len() < CHUNK
            && bundle.read_buf(&mut chunk).await.map_err(|error| git.failed_to_start(error))? > 0
        {
        }
        if chunk.is_empty() || !open {
            break;
        }
        state.bytes += chunk.len() as u64;
        state.percent = *heard.borrow();
        open = out
            .send(v1::UploadRepositoryRequest { header: None, bundle: chunk.freeze() })
            .await
            .is_ok();
        progress(state);
    }
    if !open {
        // The call ended before the bundle did: its answer says why. Git ends as it is dropped.
        return Ok(());
    }
    let status = child.wait().await.map_err(|error| git.failed_to_start(error))?;
    let complaint = complaint.await.unwrap_or_default();
    if status.success() { Ok(()) } else { Err(git.complaint(&args, &complaint)) }
}

/// Reads what git tells of its progress; gives back the rest, which is its complaint.
async fn follow_progress(
    stderr: impl AsyncRead + Unpin,
    told: tokio::sync::watch::Sender<Option<u8>>,
) -> String {
    let mut lines = BufReader::new(stderr);
    let mut complaint = String::new();
    let mut piece = Vec::new();
    while lines.read_until(b'\r', &mut piece).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&piece);
        match percent_of(&text) {
            Some(percent) => told.send_replace(Some(percent)),
            None if complaint.len() < 4096 => {
                complaint.push_str(&text);
                None
            }
            None => None,
        };
        piece.clear();
    }
    complaint
}

/// Percent of `Writing objects:  42% (…)`.
fn percent_of(line: &str) -> Option<u8> {
    let (_, rest) = line.split_once("Writing objects:")?;
    rest.split_once('%')?.0.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use aloft_proto::v1::repository_service_server::RepositoryServiceServer;

    use super::*;
    use crate::checkout::testing::{Mirror, Repository};
    use crate::checkout::{Dirty, Local};

    async fn send(
        mirror: &Arc<Mirror>,
        repository: &Repository,
        reference: Option<&str>,
    ) -> (Plan, Progress) {
        let plan = Local::open(&repository.root)
            .await
            .unwrap()
            .plan(reference, Dirty::Carry)
            .await
            .unwrap();
        let mut client =
            RepositoryServiceClient::new(RepositoryServiceServer::from_arc(Arc::clone(mirror)));
        let mut last = Progress::default();
        let sent = upload(&mut client, &plan, "request", |progress| last = progress).await.unwrap();
        assert_eq!((sent.id.as_str(), sent.name.as_str()), ("mirror", "project"));
        (plan, last)
    }

    #[tokio::test]
    async fn only_what_lacks_is_sent_and_nothing_is_touched() {
        let repository = Repository::create();
        let mirror = Arc::new(Mirror::create());
        repository.write(
            "large.bin",
            (0..700_000_u32)
                .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
                .collect::<Vec<_>>(),
        );
        repository.commit("large");
        repository.write("untracked.txt", "carried\n");
        let before = repository.fingerprint();
        let (plan, progress) = send(&mirror, &repository, None).await;
        assert_eq!(repository.touched_since(&before), Vec::<std::path::PathBuf>::new());
        let whole = mirror.bytes.swap(0, Ordering::Relaxed);
        assert!(whole > 1_000_000 && progress.bytes == whole as u64, "{whole} {progress:?}");
        let carry = plan.carry.unwrap();
        assert_eq!(
            mirror.git(&["show", &format!("refs/aloft/carry/{carry}:untracked.txt")]),
            "carried"
        );
        mirror.git(&["fsck", "--strict"]);

        send(&mirror, &repository, None).await;
        assert_eq!(mirror.uploads.load(Ordering::Relaxed), 1, "the cloud had everything");
        repository.write("a.txt", "more\n");
        send(&mirror, &repository, None).await;
        assert!(mirror.bytes.load(Ordering::Relaxed) < 10_000, "only the new carry was sent");
        assert_eq!(mirror.uploads.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_branch_asked_for_stands_in_the_mirror_as_it_stands_here() {
        let repository = Repository::create();
        let mirror = Arc::new(Mirror::create());
        let first = repository.git(&["rev-parse", "HEAD"]);
        repository.write("a.txt", "second\n");
        repository.commit("second");
        send(&mirror, &repository, None).await;
        repository.git(&["branch", "old", &first]);
        let (plan, _) = send(&mirror, &repository, Some("old")).await;
        assert_eq!(plan.reference(), "old");
        assert_eq!(mirror.git(&["rev-parse", "refs/heads/old"]), first);
        repository.git(&["checkout", "--quiet", "--detach", &first]);
        repository.write("b.txt", "detached\n");
        repository.commit("detached");
        let (plan, _) = send(&mirror, &repository, None).await;
        assert_eq!(mirror.git(&["cat-file", "-t", &plan.commit]), "commit");
    }

    #[tokio::test]
    async fn a_partial_clone_fetches_what_it_needs_into_the_scratch() {
        let origin = Repository::create();
        origin.git(&["config", "uploadpack.allowFilter", "true"]);
        origin.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        origin.write("a.txt", "second\n");
        origin.commit("second");
        let partial = Repository::create();
        std::fs::remove_dir_all(&partial.root).unwrap();
        let source = format!("file://{}", origin.root.display());
        origin.git(&[
            "clone",
            "--quiet",
            "--filter=blob:none",
            &source,
            partial.root.to_str().unwrap(),
        ]);
        let before = partial.fingerprint();
        let mirror = Arc::new(Mirror::create());
        send(&mirror, &partial, None).await;
        assert_eq!(partial.touched_since(&before), Vec::<std::path::PathBuf>::new());
        assert_eq!(mirror.git(&["show", "main~1:b.txt"]), "b");
        mirror.git(&["fsck", "--strict"]);
    }
}
