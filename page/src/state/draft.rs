//! The settings of the next run, and how they differ from those of the current run. Values labeled as the run's come
//! from the run. The draft is always valid: text that would make it invalid is kept in its field.

use super::device::DEVICE;
use super::error::DraftError;
use super::{RunState, Setup, State, Vocabulary};
use glasshead::config::fields::Field;
use glasshead::config::table::FIELDS;
use glasshead::config::{RunConfig, TrainConfig, ValidConfig};
use glasshead::types::CorpusChoice;

/// Text in a field that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The field's name.
    pub name: String,
    /// The text as typed.
    pub text: String,
    /// What is wrong with it, and what to change.
    pub problem: String,
}

/// How a setting of the run differs from the draft's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The run's value as text.
    pub of_run: String,
    /// Whether a reset or a click applies the draft's value to the run. If not, the run cannot have it, for example
    /// because its text gave a smaller vocabulary than requested.
    pub pending: bool,
}

impl Setup {
    /// Validates a configuration together with the vocabulary of this setup.
    ///
    /// # Errors
    /// A message that says what to change.
    pub fn check(&self, config: RunConfig) -> Result<ValidConfig, DraftError> {
        let config = ValidConfig::try_from(config)?;
        match &self.vocabulary {
            Vocabulary::OfTheText => config.check_trained_vocabulary()?,
            Vocabulary::Chosen { name, vocab_size, .. } if config.model.vocab_size != *vocab_size => {
                return Err(DraftError::Vocabulary { name: name.clone(), vocab_size: *vocab_size });
            }
            Vocabulary::Chosen { .. } => (),
        }
        Ok(config)
    }
}

impl State {
    /// All refused texts as one message; a new run can only start if there are none.
    pub fn problem(&self) -> Option<String> {
        let of_setup = |refused: &&Refused| is_setting(&refused.name);
        self.refused.iter().find(of_setup).map(|refused| refused.problem.clone())
    }

    /// The refused text of a field.
    pub fn refused(&self, name: &str) -> Option<&Refused> {
        self.refused.iter().find(|refused| refused.name == name)
    }

    /// What a setup field shows: the refused text, else the draft's value.
    pub fn field_text(&self, name: &str) -> String {
        let refused = self.refused(name).map(|refused| refused.text.clone());
        refused.or_else(|| self.draft.config.get(name)).unwrap_or_default()
    }

    /// Stores text that a field refused, with the reason.
    pub(super) fn refuse(&mut self, name: &str, text: &str, problem: String) {
        self.accept(name);
        self.refused.push(Refused { name: name.into(), text: text.into(), problem });
    }

    /// Clears the refused text of a field.
    pub(super) fn accept(&mut self, name: &str) {
        self.refused.retain(|refused| refused.name != name);
    }

    /// Clears all refused texts of the setup.
    pub(super) fn accept_settings(&mut self) {
        self.refused.retain(|refused| !is_setting(&refused.name));
    }

    /// Restores the settings of the run in the draft, and drops refused entries.
    pub(super) fn undo_changes(&mut self) {
        let Some(mut draft) = self.started.clone() else { return };
        if let Some(run) = self.run_config() {
            let mut config = (*draft.config).clone();
            config.adopt_live(&run);
            if let Ok(config) = draft.check(config) {
                draft.config = config;
            }
        }
        self.accept_settings();
        self.draft = draft;
    }

    /// Applies text entered into a setup field. Previously refused texts are retried together with it: `d_model` and
    /// `n_heads`, for example, may only be valid together. Settings that can take effect during training are applied to
    /// the run at once.
    pub(super) fn enter(&mut self, name: &str, text: &str) {
        self.accept(name);
        let mut alone = (*self.draft.config).clone();
        if let Err(problem) = alone.set(name, text) {
            return self.refuse(name, text, problem.to_string());
        }
        let (mut together, mut tried) = (alone.clone(), Vec::new());
        for refused in self.refused.iter().filter(|refused| is_setting(&refused.name)) {
            if together.set(&refused.name, &refused.text).is_ok() {
                tried.push(refused.name.clone());
            }
        }
        match (self.check_draft(together), self.check_draft(alone)) {
            (Ok(config), _) => {
                tried.iter().for_each(|name| self.accept(name));
                self.take_settings(config);
            }
            (_, Ok(config)) => self.take_settings(config),
            (_, Err(error)) => self.refuse(name, text, error.to_string()),
        }
    }

    /// Replaces the draft's configuration, and applies those changes that can take effect during training to the run.
    pub(super) fn take_settings(&mut self, config: ValidConfig) {
        let before = std::mem::replace(&mut self.draft.config, config);
        let changed = before.differences(&self.draft.config).into_iter();
        let changed: Vec<&str> = changed.filter(|name| is_live(name)).collect();
        self.apply_to_run(&changed);
    }

    /// Changes the whole draft; if the result is invalid, nothing changes, and the reason is stored under `name`.
    pub(super) fn change_draft(&mut self, name: &str, change: impl FnOnce(&mut Setup, &mut RunConfig)) {
        let (mut draft, mut config) = (self.draft.clone(), (*self.draft.config).clone());
        change(&mut draft, &mut config);
        match draft.check(config) {
            Ok(config) => {
                draft.config = config;
                self.draft = draft;
                self.accept_settings();
            }
            Err(error) => self.refuse(name, "", error.to_string()),
        }
    }

    /// Applies these settings of the draft to the run, unless they are invalid in combination with its other settings.
    pub(super) fn apply_to_run(&mut self, names: &[&str]) {
        let Some(mut config) = self.run_config().filter(|_| self.takes_settings()) else { return };
        let before = config.train.clone();
        for name in names {
            if let Some(field) = Field::find(name) {
                field.copy(&self.draft.config, &mut config);
            }
        }
        if config.train != before && config.train.validate().is_ok() {
            self.runs.train = Some(config.train);
        }
    }

    fn takes_settings(&self) -> bool {
        self.started.is_some() && !matches!(self.run_state, RunState::Failed(_))
    }

    /// The configuration of the current run: as started, with the changes made during training.
    pub fn run_config(&self) -> Option<RunConfig> {
        let started = self.started.as_ref()?;
        let mut config = self.summary.as_ref().map_or(&*started.config, |summary| &summary.config).clone();
        if let Some(train) = &self.runs.train {
            config.train = config.train.with_live_of(train);
        }
        Some(config)
    }

    /// The run's training settings, for the worker.
    pub fn run_train(&self) -> Option<TrainConfig> {
        self.runs.train.clone()
    }

    /// How the run's value of a field or switch differs from the draft's; none if it does not.
    pub fn mark(&self, name: &str) -> Option<Mark> {
        let (started, run) = (self.started.as_ref()?, self.run_config()?);
        let (of_run, of_draft) = (run.get(name)?, self.draft.config.get(name)?);
        let asked_again = !is_live(name) && started.config.get(name).as_ref() == Some(&of_draft);
        let same_text = started.vocabulary == self.draft.vocabulary;
        (of_run != of_draft).then_some(Mark { of_run, pending: !(asked_again && same_text) })
    }

    /// The names of all settings that differ between draft and run and that a reset or a click would apply.
    pub fn pending(&self) -> Vec<&'static str> {
        let Some(started) = &self.started else { return Vec::new() };
        let draft = &self.draft;
        let file = |setup: &Setup| (setup.corpus == CorpusChoice::File).then_some(setup.file_count);
        let others = [
            ("text", started.corpus != draft.corpus || file(started) != file(draft)),
            ("vocabulary", started.vocabulary != draft.vocabulary),
            ("computed by", started.backend != draft.backend),
        ];
        let names = FIELDS.iter().map(|field| field.name);
        let marked = names.filter(|name| self.mark(name).is_some_and(|mark| mark.pending));
        others.iter().filter(|(_, differs)| *differs).map(|&(name, _)| name).chain(marked).collect()
    }

    /// The settings among [`State::pending`] that can be applied to the run without a reset.
    pub fn pending_live(&self) -> Vec<&'static str> {
        let live = |name: &&str| is_live(name);
        self.pending().into_iter().filter(|name| live(name) && self.takes_settings()).collect()
    }

    /// The configuration that costs and parameter counts refer to: the run's with its actual vocabulary, or the draft's
    /// if it would build a different model. True if it is the run's.
    pub fn accounted(&self) -> (ValidConfig, bool) {
        let built = self.summary.as_ref().filter(|_| !self.needs_restart());
        let of_run = built.and_then(|_| ValidConfig::try_from(self.run_config()?).ok());
        of_run.map_or_else(|| (self.draft.config.clone(), false), |config| (config, true))
    }
}

fn is_setting(name: &str) -> bool {
    name == SETUP || name == DEVICE || Field::find(name).is_some()
}

pub(super) fn is_live(name: &str) -> bool {
    Field::find(name).is_some_and(Field::is_live)
}

/// The name under which refused presets, texts and vocabularies are stored.
pub(super) const SETUP: &str = "setup";
