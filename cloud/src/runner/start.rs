//! Makes a thread ready: repository, sandbox, workspace, agent. Every step is told, so that an editor shows how far it is.

use std::sync::Arc;

use aloft_fault::pass;
use aloft_proto::v1::Thread;
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::{
    git::{
        Progress, Remote,
        mirror::Freshness,
        workspace::{Clone, Paths},
    },
    model::machine::{Fact, Memory},
    runner::{
        Error, Opened, Parts,
        agent::{CurrentTurn, Starter},
        effects::{Live, Reporter, end_sandbox, variables},
        handle::Handle,
        jobs, problem,
        repositories::again,
        rewind, signature,
        snapshot::Taking,
        steps, whole,
    },
    sandbox::{Limits, RELAY_PORT, Sandbox, Spec},
};

/// The start of one thread.
#[derive(Debug)]
pub(super) struct Start {
    /// Starts the agent, last.
    pub agent: Starter,
    /// Ends with the sandbox.
    pub reporter: Reporter,
    pub handle: Handle,
    pub opened: mpsc::Sender<Opened>,
    pub live: Arc<tokio::sync::Mutex<Live>>,
}

impl Start {
    /// Runs to `Started` or `StartFailed`.
    pub(super) async fn run(mut self) {
        let thread = self.agent.thread.id.clone();
        let error = match self.steps().await {
            Ok((started, sandbox)) => {
                self.reporter.say(started).await;
                // Not before: an end of what has not started yet is an error of the start, and none of a sandbox.
                watch(&sandbox, &self.reporter, &self.agent.turn, &self.agent.tasks);
                return;
            }
            Err(error) => error,
        };
        tracing::warn!(thread, error = whole(&error), "a thread could not start");
        *self.live.lock().await = Live::default();
        if let Err(error) = end_sandbox(self.agent.parts.runtime.as_ref(), &thread).await {
            tracing::error!(thread, error = whole(&error), "could not clear up");
        }
        self.reporter.say(Fact::StartFailed(error.explain().1)).await;
    }

    async fn steps(&mut self) -> Result<(Fact, Sandbox), Error> {
        self.look_for_workspace().await?;
        self.repository().await?;
        // Neither needs the other. Both come to their end, so that what failed can be cleared up.
        let (saved, sandbox) = tokio::join!(self.snapshots(), self.sandbox());
        let (sandbox, token) = sandbox?;
        saved?;
        self.live.lock().await.sandbox = Some(sandbox.clone());
        if !self.agent.memory.workspace {
            self.workspace(&sandbox).await?;
            pass!("start.workspace");
            self.reporter.say(Fact::WorkspaceMade).await;
        }
        self.step("Starting the agent").await;
        let unenforced = self.agent.parts.unenforced.to_vec();
        let (agent, session) = self.agent.clone().start(&sandbox.guest, &token).await?;
        let helpers = jobs::helpers(&sandbox.guest).await;
        pass!("start.agent");
        *self.live.lock().await = Live {
            sandbox: Some(sandbox.clone()),
            agent: Some(agent),
            token: Some(token),
            helpers,
        };
        Ok((Fact::Started { session, unenforced }, sandbox))
    }

    /// A workspace that somebody removed from disk is made again.
    async fn look_for_workspace(&mut self) -> Result<(), Error> {
        let Starter { parts, thread, memory, .. } = &mut self.agent;
        if memory.workspace && !parts.runtime.has_workspace(&thread.id)? {
            tracing::warn!(thread = thread.id, "the workspace is gone from disk");
            memory.workspace = false;
            self.reporter.say(Fact::WorkspaceVanished).await;
        }
        Ok(())
    }

    /// The mirror and the base commit.
    async fn repository(&mut self) -> Result<(), Error> {
        let repository = self.agent.thread.repository.clone().unwrap_or_default();
        let mirrors = &self.agent.parts.mirrors;
        if let Some(row) = self.agent.parts.store.repository(&repository.id).await?
            && !row.url.is_empty()
        {
            self.step("Fetching the repository").await;
            let (forges, owner) = (&self.agent.parts.forges, &self.agent.thread.owner);
            let remote = forges.remote(owner, &row.url).await?;
            match self.fetch(&repository.id, remote).await {
                Err(refused) if self.agent.thread.base_commit.is_empty() => {
                    let remote = again(forges, owner, &row.url, refused).await?;
                    self.fetch(&repository.id, remote).await?;
                }
                Err(error) => {
                    // The base is here already; the remote is only needed for what is newer.
                    tracing::warn!(
                        thread = self.agent.thread.id,
                        error = whole(&error),
                        "could not refresh the mirror"
                    );
                }
                Ok(()) => {}
            }
            pass!("start.mirror");
        }
        if self.agent.thread.base_commit.is_empty() {
            let found = mirrors.resolve(&repository.id, &self.agent.thread.base_ref).await?;
            self.agent.thread.base_commit.clone_from(&found.commit);
            let fact = Fact::Based { commit: found.commit, reference: found.name, carried: None };
            self.reporter.say(fact).await;
            pass!("start.based");
        }
        Ok(())
    }

    async fn fetch(&self, repository: &str, remote: Remote) -> Result<(), Error> {
        let (tell, progress) = mpsc::channel(8);
        let _told = self.tell_progress(progress);
        let progress = move |step| {
            // Only the newest matters: one that finds no room is left out.
            let _full = tell.try_send(step);
        };
        let mirrors = &self.agent.parts.mirrors;
        Ok(mirrors.fetch(repository, remote, Freshness::Recent, progress).await?)
    }

    /// The thread's own repository.
    async fn snapshots(&self) -> Result<(), Error> {
        let (parts, thread) = (&self.agent.parts, &self.agent.thread);
        let repository = thread.repository.clone().unwrap_or_default();
        let mirror = parts.mirrors.path(&repository.id)?;
        parts.snapshots.create(&thread.id, &mirror, &thread.base_commit).await?;
        pass!("start.snapshots");
        Ok(())
    }

    /// The sandbox, with the socket its guest reaches the cloud by.
    async fn sandbox(&self) -> Result<(Sandbox, SecretString), Error> {
        self.step("Starting the sandbox").await;
        let repository = self.agent.thread.repository.clone().unwrap_or_default();
        let token = SecretString::from(uuid::Uuid::new_v4().simple().to_string());
        let launch = self.agent.launch(&token).await?;
        let limits = &self.agent.parts.config.limits;
        let spec = Spec {
            id: self.agent.thread.id.clone(),
            incarnation: self.agent.memory.incarnation,
            mirror: Some(self.agent.parts.mirrors.path(&repository.id)?),
            read_only: launch.read_only,
            env: variables(&self.agent.thread),
            limits: Limits {
                memory_bytes: limits.memory_mib << 20,
                processes: limits.processes,
                cpu_milli: limits.cpu_milli,
                file_bytes: limits.file_mib << 20,
            },
            nested: launch.nested,
        };
        // What an earlier cloud left running would hold the workspace.
        end_sandbox(self.agent.parts.runtime.as_ref(), &spec.id).await?;
        open_socket(
            &self.agent.parts,
            &self.agent.thread,
            &self.handle,
            &self.opened,
            &self.reporter,
            &token,
        )
        .await?;
        pass!("start.socket");
        let sandbox = self.agent.parts.runtime.start(&spec).await?;
        pass!("start.sandbox");
        Ok((sandbox, token))
    }

    /// The checkout on the thread's own branch, made inside the sandbox.
    async fn workspace(&self, sandbox: &Sandbox) -> Result<(), Error> {
        let repository = self.agent.thread.repository.clone().unwrap_or_default();
        self.step(&format!("Checking out {}", repository.name)).await;
        let (thread, memory) = (self.agent.thread.clone(), self.agent.memory.clone());
        let clone = workspace_of(&self.agent.parts, &thread, &memory).await?;
        for step in Paths::default().clone(&clone) {
            steps::run(&sandbox.guest, &step).await?;
        }
        let carries = memory.carry.is_some();
        let saved = memory.snapshot.as_ref().map(|saved| saved.commit.clone());
        let (parts, guest) = (self.agent.parts.clone(), sandbox.guest.clone());
        let taking = Taking { parts, thread, memory, guest };
        if let Some(commit) = saved {
            // It goes on from where another workspace was.
            rewind::restore(&taking, &commit).await?;
        } else if carries {
            let commit = taking.take(0).await?.0.commit;
            let fact = Fact::Based {
                commit: self.agent.thread.base_commit.clone(),
                reference: self.agent.thread.base_ref.clone(),
                carried: Some(commit),
            };
            self.reporter.say(fact).await;
        }
        Ok(())
    }

    async fn step(&self, what: &str) {
        self.reporter.say(Fact::Step(what.to_owned())).await;
    }

    /// Tells how far a fetch is, while it runs.
    fn tell_progress(&self, mut progress: mpsc::Receiver<Progress>) -> AbortOnDropHandle<()> {
        let reporter = self.reporter.clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            let mut told = String::new();
            while let Some(Progress { phase, done, total }) = progress.recv().await {
                let percent =
                    done.saturating_mul(100).checked_div(total).unwrap_or_default() / 10 * 10;
                let step = format!("Fetching the repository: {phase} {percent}%");
                if step != told {
                    told.clone_from(&step);
                    reporter.say(Fact::Step(step)).await;
                }
            }
        }))
    }
}

/// What the workspace of a thread is made from.
pub(super) async fn workspace_of(
    parts: &Parts,
    thread: &Thread,
    memory: &Memory,
) -> Result<Clone, Error> {
    let (name, email) = signature::NOBODY;
    Ok(Clone {
        base: thread.base_commit.clone(),
        branch: thread.branch.clone(),
        remote_url: format!("http://127.0.0.1:{RELAY_PORT}/git/workspace.git"),
        carry: memory.carry.clone(),
        author: (name.to_owned(), email.to_owned()),
        trailers: signature::trailers(parts, thread).await?,
    })
}

/// Binds a sandbox's socket and hands it up to be served for as long as the reporter's scope lasts.
pub(super) async fn open_socket(
    parts: &Parts,
    thread: &Thread,
    handle: &Handle,
    opened: &mpsc::Sender<Opened>,
    reporter: &Reporter,
    token: &SecretString,
) -> Result<(), Error> {
    let socket = Opened {
        thread: thread.clone(),
        handle: handle.clone(),
        listener: parts.runtime.listen(&thread.id).await?,
        token: token.clone(),
        repository: parts.snapshots.path(&thread.id)?,
        closed: reporter.scope.clone(),
    };
    opened.send(socket).await.map_err(|_| Error::Ended)?;
    Ok(())
}

/// Reports the end of a sandbox that nobody asked for.
pub(super) fn watch(
    sandbox: &Sandbox,
    reporter: &Reporter,
    turn: &CurrentTurn,
    tasks: &TaskTracker,
) {
    let (sandbox, reporter, turn) = (sandbox.clone(), reporter.clone(), turn.clone());
    tasks.spawn(async move {
        let exit = tokio::select! {
            () = reporter.scope.cancelled() => return,
            exit = sandbox.ended() => exit,
        };
        let why =
            if exit.detail.is_empty() { "its first process ended".to_owned() } else { exit.detail };
        let hint = "send a message to bring it back";
        let problem = problem("SANDBOX_GONE", why, hint, true);
        reporter.say(Fact::SandboxGone { given: turn.get(), problem }).await;
    });
}
