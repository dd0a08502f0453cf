//! Questions of the agent, their answers, and what a person may set.

use aloft_proto::v1::{Item, Mode, OptionKind, PermissionOption, item::Kind};

use crate::model::{
    machine::{
        Accepted, Agent, Effect, Machine, Millis, Phase, Refused, Update, allowance::BUDGET,
    },
    naming,
    time::timestamp,
    transcript::CANCELLED,
    update::Question,
};

impl Machine {
    pub(super) fn asked(
        &mut self,
        now: Millis,
        question_id: String,
        question: Question,
        out: &mut Accepted,
    ) {
        let prompted = self.turn.as_ref().is_some_and(|running| running.phase == Phase::Prompted);
        if !prompted {
            out.effects.push(Effect::Answer { question_id, option: None });
            return;
        }
        // For the words of a pull request nobody is asked: the answer is no.
        let refused = self.memory.describes.then(|| {
            choose(&question.options, OptionKind::RejectOnce).map(|option| option.id.clone())
        });
        let events = self.transcript.ask(&question_id, question, timestamp(now));
        self.log_all(events, out);
        if let Some(option) = refused {
            let chosen = option.as_deref().unwrap_or(CANCELLED);
            let events = self.transcript.answer(&question_id, chosen, "cloud", timestamp(now));
            self.log_all(events, out);
            out.effects.push(Effect::Answer { question_id, option });
        }
    }

    /// The agent took a question back.
    pub(super) fn withdrawn(&mut self, now: Millis, question_id: &str, out: &mut Accepted) {
        let events = self.transcript.answer(question_id, CANCELLED, "agent", timestamp(now));
        self.log_all(events, out);
    }

    /// The mode became auto and answered it.
    pub(super) fn answered(
        &mut self,
        now: Millis,
        question_id: &str,
        option: &str,
        out: &mut Accepted,
    ) {
        let events = self.transcript.answer(question_id, option, "auto", timestamp(now));
        self.log_all(events, out);
    }

    pub(super) fn answer(
        &mut self,
        now: Millis,
        item: &str,
        option: &str,
        by: &str,
        out: &mut Accepted,
    ) -> Result<(), Refused> {
        let mut open =
            self.transcript.questions().filter(|(_, asked)| item.is_empty() || asked.id == item);
        let (question, asked) = open.next().ok_or(Refused::NoQuestion)?;
        let others = open.count();
        if others > 0 {
            return Err(Refused::WhichQuestion(others + 1));
        }
        let options = options_of(asked);
        let Some(chosen) = named(options, option).cloned() else {
            let offered =
                options.iter().map(|offer| offer.id.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Refused::NoOption { option: option.to_owned(), offered });
        };
        if question == BUDGET {
            self.answer_budget(now, &chosen, by, out);
            return Ok(());
        }
        let question_id = question.to_owned();
        let events = self.transcript.answer(&question_id, &chosen.id, by, timestamp(now));
        self.log_all(events, out);
        out.effects.push(Effect::Answer { question_id, option: Some(chosen.id) });
        Ok(())
    }

    /// Answers every open question with nothing: it fell away.
    pub(super) fn withdraw_questions(&mut self, now: Millis, out: &mut Accepted) {
        self.withdraw_budget(now, out);
        let open: Vec<String> =
            self.transcript.questions().map(|(question, _)| question.to_owned()).collect();
        for question_id in open {
            let events = self.transcript.answer(&question_id, CANCELLED, "", timestamp(now));
            self.log_all(events, out);
            out.effects.push(Effect::Answer { question_id, option: None });
        }
    }

    pub(super) fn update(&mut self, update: Update, out: &mut Accepted) -> Result<(), Refused> {
        if let Some(title) = &update.title {
            self.thread.title = naming::given_title(title).ok_or(Refused::Title)?;
        }
        if let Some(muted) = update.muted {
            self.thread.muted = muted;
        }
        if let Some(keep) = update.keep {
            self.thread.keep = keep;
        }
        let ready = matches!(self.agent, Agent::Ready(_));
        if let Some(model) = update.model
            && model != self.thread.model
        {
            self.thread.model.clone_from(&model);
            if ready {
                out.effects.push(Effect::SetModel(model));
            }
        }
        if let Some(mode) =
            update.mode.filter(|mode| *mode != Mode::Unspecified && *mode != self.thread.mode())
        {
            self.thread.set_mode(mode);
            if ready {
                out.effects.push(Effect::SetMode(mode));
            }
        }
        Ok(())
    }

    /// Tells the new agent what a person set while it was on its way.
    pub(super) fn set_anew(&mut self, out: &mut Accepted) {
        let (mode, model) = (self.thread.mode(), self.thread.model.clone());
        if mode != self.launched.0 {
            out.effects.push(Effect::SetMode(mode));
        }
        if model != self.launched.1 {
            out.effects.push(Effect::SetModel(model.clone()));
        }
        self.launched = (mode, model);
    }
}

fn options_of(item: &Item) -> &[PermissionOption] {
    match &item.kind {
        Some(Kind::Permission(permission)) => &permission.options,
        _ => &[],
    }
}

/// The option a person named: by its id, or by what it means.
fn named<'a>(options: &'a [PermissionOption], name: &str) -> Option<&'a PermissionOption> {
    let meaning = match name {
        "allow" => Some(OptionKind::AllowOnce),
        "allow-always" => Some(OptionKind::AllowAlways),
        "deny" => Some(OptionKind::RejectOnce),
        _ => None,
    };
    options
        .iter()
        .find(|option| option.id == name)
        .or_else(|| meaning.and_then(|kind| choose(options, kind)))
}

/// The option of this kind, or the nearest one that means the same answer.
fn choose(options: &[PermissionOption], kind: OptionKind) -> Option<&PermissionOption> {
    let near = match kind {
        OptionKind::AllowOnce => OptionKind::AllowAlways,
        OptionKind::AllowAlways => OptionKind::AllowOnce,
        OptionKind::RejectOnce => OptionKind::RejectAlways,
        OptionKind::RejectAlways => OptionKind::RejectOnce,
        OptionKind::Unspecified => return None,
    };
    let of = |kind| options.iter().find(|option| option.kind() == kind);
    of(kind).or_else(|| of(near))
}
