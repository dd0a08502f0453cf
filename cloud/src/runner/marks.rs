//! Where a crash finds an effect: before it is performed or begun, and after.

use aloft_fault::pass;

use crate::model::machine::Effect;

/// An effect by its kind, kept while it is performed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    before: fn(),
    after: fn(),
}

impl Marks {
    /// The marks of this effect.
    pub(super) fn of(effect: &Effect) -> Self {
        macro_rules! marks {
            ($name:literal) => {
                Self {
                    before: || pass!(concat!("effect.", $name, ".before")),
                    after: || pass!(concat!("effect.", $name, ".after")),
                }
            };
        }
        match effect {
            Effect::Start => marks!("start"),
            Effect::AbortStart => marks!("abort-start"),
            Effect::StartAgent => marks!("start-agent"),
            Effect::Prompt { .. } => marks!("prompt"),
            Effect::Cancel => marks!("cancel"),
            Effect::Steer { .. } => marks!("steer"),
            Effect::Answer { .. } => marks!("answer"),
            Effect::SetMode(_) => marks!("set-mode"),
            Effect::SetModel(_) => marks!("set-model"),
            Effect::KillAgent => marks!("kill-agent"),
            Effect::Snapshot { .. } => marks!("snapshot"),
            Effect::Look { .. } => marks!("look"),
            Effect::Rewind(_) => marks!("rewind"),
            Effect::CheckBudget => marks!("check-budget"),
            Effect::Hold(_) => marks!("hold"),
            Effect::Freeze(_) => marks!("freeze"),
            Effect::Thaw => marks!("thaw"),
            Effect::Suspend => marks!("suspend"),
            Effect::Destroy => marks!("destroy"),
            Effect::Wake { .. } => marks!("wake"),
        }
    }

    /// It is about to be performed.
    pub(super) fn before(self) {
        (self.before)();
    }

    /// It was performed or begun.
    pub(super) fn after(self) {
        (self.after)();
    }
}
