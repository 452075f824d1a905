//! The settings of the next run, and where they differ from those of the run on show. What is labeled as the run's comes
//! from the run; the draft is always valid, and a text that would make it invalid waits in its field.

use super::{RunState, Setup, State, Vocabulary};
use crate::config::fields::Field;
use crate::config::table::FIELDS;
use crate::config::{RunConfig, TrainConfig, ValidConfig};
use crate::protocol::CorpusChoice;

/// A text in a field that is not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The name of the field.
    pub name: String,
    /// The text as it was typed.
    pub text: String,
    /// What is wrong with it, and what to change.
    pub problem: String,
}

/// How a setting of the run differs from the draft's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The run's value.
    pub of_run: String,
    /// Whether the run takes the draft's value over by a reset or a click; else the run cannot have it, for example
    /// where its text gave a smaller vocabulary than was asked for.
    pub pending: bool,
}

impl Setup {
    /// Validates a configuration together with the vocabulary of this setup.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub fn check(&self, config: RunConfig) -> Result<ValidConfig, String> {
        let config = ValidConfig::try_from(config).map_err(|error| error.to_string())?;
        match &self.vocabulary {
            Vocabulary::OfTheText => config.check_trained_vocabulary().map_err(|error| error.to_string())?,
            Vocabulary::Chosen { name, vocab_size, .. } if config.model.vocab_size != *vocab_size => {
                return Err(format!(
                    "vocab_size is {vocab_size}, the size of the chosen vocabulary {name}; to change it, train a \
                     vocabulary on the text instead"
                ));
            }
            Vocabulary::Chosen { .. } => (),
        }
        Ok(config)
    }
}

impl State {
    /// The texts that are refused, if any, as one sentence; a new run starts only without.
    pub fn problem(&self) -> Option<String> {
        let of_setup = |refused: &&Refused| is_setting(&refused.name);
        self.refused.iter().find(of_setup).map(|refused| refused.problem.clone())
    }

    /// The refused text of a field, if any.
    pub fn refused(&self, name: &str) -> Option<&Refused> {
        self.refused.iter().find(|refused| refused.name == name)
    }

    /// What a field of the setup shows: the refused text, else the draft's value.
    pub fn field_text(&self, name: &str) -> String {
        let refused = self.refused(name).map(|refused| refused.text.clone());
        refused.or_else(|| self.draft.config.get(name)).unwrap_or_default()
    }

    /// Keeps a text that a field does not accept, with the reason.
    pub(super) fn refuse(&mut self, name: &str, text: &str, problem: String) {
        self.accept(name);
        self.refused.push(Refused { name: name.into(), text: text.into(), problem });
    }

    /// The field holds nothing refused any longer.
    pub(super) fn accept(&mut self, name: &str) {
        self.refused.retain(|refused| refused.name != name);
    }

    /// Drops all refused texts of the setup.
    pub(super) fn accept_settings(&mut self) {
        self.refused.retain(|refused| !is_setting(&refused.name));
    }

    /// Takes a text that was entered into a field of the setup. Texts that were refused before are tried together with it:
    /// `d_model` and `n_heads` may fit only together. What applies while training goes to the run at once.
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
        match (self.draft.check(together), self.draft.check(alone)) {
            (Ok(config), _) => {
                tried.iter().for_each(|name| self.accept(name));
                self.take_settings(config);
            }
            (_, Ok(config)) => self.take_settings(config),
            (_, Err(problem)) => self.refuse(name, text, problem),
        }
    }

    /// Replaces the draft's configuration; the run takes over those of the changed settings that apply while training.
    pub(super) fn take_settings(&mut self, config: ValidConfig) {
        let before = std::mem::replace(&mut self.draft.config, config);
        let changed = before.differences(&self.draft.config).into_iter();
        let changed: Vec<&str> = changed.filter(|name| is_live(name)).collect();
        self.apply_to_run(&changed);
    }

    /// Changes the draft as a whole; where the result is not valid, nothing changes, and `name` keeps the reason.
    pub(super) fn change_draft(&mut self, name: &str, change: impl FnOnce(&mut Setup, &mut RunConfig)) {
        let (mut draft, mut config) = (self.draft.clone(), (*self.draft.config).clone());
        change(&mut draft, &mut config);
        match draft.check(config) {
            Ok(config) => {
                draft.config = config;
                self.draft = draft;
                self.accept_settings();
            }
            Err(problem) => self.refuse(name, "", problem),
        }
    }

    /// Gives the run these settings of the draft, which apply while training; not where they do not fit its others.
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

    /// The configuration of the run on show: as it was built, with what was changed while it trained.
    pub fn run_config(&self) -> Option<RunConfig> {
        let started = self.started.as_ref()?;
        let mut config = self.summary.as_ref().map_or(&*started.config, |summary| &summary.config).clone();
        if let Some(train) = &self.runs.train {
            config.train = config.train.with_live_of(train);
        }
        Some(config)
    }

    /// The training settings of the run, which the worker has to know.
    pub fn run_train(&self) -> Option<TrainConfig> {
        self.runs.train.clone()
    }

    /// How the run's value of a field or switch differs from the draft's; none where it does not.
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

    /// The settings among [`State::pending`] that the run can take over without a reset.
    pub fn pending_live(&self) -> Vec<&'static str> {
        let live = |name: &&str| is_live(name);
        self.pending().into_iter().filter(|name| live(name) && self.takes_settings()).collect()
    }

    /// What costs and parameter counts are of: the run's configuration with its real vocabulary, or, where the draft would
    /// build another model, the draft's. True for the run's.
    pub fn accounted(&self) -> (ValidConfig, bool) {
        let built = self.summary.as_ref().filter(|_| !self.needs_restart());
        let of_run = built.and_then(|_| ValidConfig::try_from(self.run_config()?).ok());
        of_run.map_or_else(|| (self.draft.config.clone(), false), |config| (config, true))
    }
}

fn is_setting(name: &str) -> bool {
    name == SETUP || Field::find(name).is_some()
}

pub(super) fn is_live(name: &str) -> bool {
    Field::find(name).is_some_and(Field::is_live)
}

/// Stands for the setup as a whole where a preset, a text or a vocabulary is refused.
pub(super) const SETUP: &str = "setup";
