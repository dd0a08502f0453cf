//! The list of all points, in the order of a thread's life.

/// Every point that is compiled in.
pub const POINTS: &[&str] = &[
    // What a bridge does: a call, the start of its cloud, an upload.
    "bridge.call.before",
    "bridge.call.after",
    "bridge.cloud.locked",
    "bridge.cloud.spawned",
    "bridge.upload.before",
    "bridge.upload.after",
    // Repositories: the row of one, what a bridge brings.
    "repository.row",
    "upload.row",
    "upload.imported",
    // A commit to the store: nothing is written yet; written, and nobody was told.
    "store.before",
    "store.committed",
    // An input of a person: on disk, not answered; answered, its effects not performed.
    "ask.committed",
    "ask.answered",
    // Reports of the world: taken, not on disk; on disk, effects not performed.
    "report.before",
    "report.committed",
    // Each effect, before it is performed or begun and after.
    "effect.start.before",
    "effect.start.after",
    "effect.abort-start.before",
    "effect.abort-start.after",
    "effect.start-agent.before",
    "effect.start-agent.after",
    "effect.prompt.before",
    "effect.prompt.after",
    "effect.cancel.before",
    "effect.cancel.after",
    "effect.steer.before",
    "effect.steer.after",
    "effect.answer.before",
    "effect.answer.after",
    "effect.set-mode.before",
    "effect.set-mode.after",
    "effect.set-model.before",
    "effect.set-model.after",
    "effect.kill-agent.before",
    "effect.kill-agent.after",
    "effect.snapshot.before",
    "effect.snapshot.after",
    "effect.look.before",
    "effect.look.after",
    "effect.rewind.before",
    "effect.rewind.after",
    "effect.check-budget.before",
    "effect.check-budget.after",
    "effect.hold.before",
    "effect.hold.after",
    "effect.suspend.before",
    "effect.suspend.after",
    "effect.destroy.before",
    "effect.destroy.after",
    "effect.wake.before",
    "effect.wake.after",
    // The steps of a start.
    "start.mirror",
    "start.based",
    "start.snapshots",
    "start.socket",
    "start.spawned",
    "start.sandbox",
    "start.workspace",
    "start.agent",
    // The steps of the start of an agent alone.
    "agent.socket",
    "agent.ready",
    // The agent is ended, and nothing said so yet.
    "kill.done",
    // The steps of a snapshot.
    "snapshot.bundled",
    "snapshot.admitted",
    "snapshot.kept",
    "snapshot.named",
    "snapshot.taken",
    // The sandbox is suspended, and nothing said so yet.
    "suspend.done",
    // The steps of a deletion.
    "delete.sandbox",
    "delete.snapshots",
    "delete.rows",
    "delete.pruned",
    // A cloud takes its threads up again.
    "boot.before",
    "boot.thread",
    "boot.after",
];
