//! Runs as a whole: those that are over and stay for comparison, those that are kept in the browser, when to stop,
//! and the search for a learning rate.

use std::rc::Rc;

use super::autosave::Autosave;
use super::draft::SETUP;
use super::{State, Vocabulary};
use crate::config::fields::Field;
use crate::config::rules::Rules;
use crate::config::table::FIELDS;
use crate::config::{RunConfig, TrainConfig};
use crate::protocol::runs::{CheckpointInfo, LrPoint, RunRecord, RunsCommand, RunsEvent};
use crate::protocol::{Command, CorpusChoice, History, RunId, StepPoint};

/// How many runs that are over stay.
pub const MAX_RUNS: usize = 8;

/// How many steps of each of them stay.
const MAX_POINTS: usize = 10_000;

/// A name is cut after so many characters, so that it fits beside the chart.
const MAX_CHARACTERS: usize = 24;

/// The names of the rules' fields.
const RULES: [&str; 5] = ["stop_steps", "stop_tokens", "stop_loss", "stop_seconds", "evaluate_every"];

/// What the loss chart counts along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Axis {
    /// Steps.
    #[default]
    Steps,
    /// Tokens trained on.
    Tokens,
    /// Seconds of training.
    Seconds,
}

impl Axis {
    /// All, the default first.
    pub const ALL: [Axis; 3] = [Self::Steps, Self::Tokens, Self::Seconds];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Tokens => "tokens",
            Self::Seconds => "seconds",
        }
    }

    /// Where a step lies on it.
    pub fn of(self, point: &StepPoint, tokens_per_step: usize) -> f64 {
        match self {
            Self::Steps => point.step as f64,
            Self::Tokens => point.step as f64 * tokens_per_step as f64,
            Self::Seconds => point.seconds,
        }
    }
}

/// A run that can be compared: the present one, or one that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownRun {
    /// Tells runs apart that are over; 0 is the present one.
    pub id: u32,
    /// Given by the page, changed by people.
    pub name: String,
    /// Its configuration.
    pub config: RunConfig,
    /// What it was trained on.
    pub corpus: String,
    /// Who computed.
    pub device: String,
    /// Its losses.
    pub history: Rc<History>,
    /// Whether it is in the chart.
    pub shown: bool,
}

/// A run that the browser keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptCheckpoint {
    /// Its key in the browser's storage.
    pub key: String,
    /// What is in it.
    pub about: CheckpointInfo,
    /// Size of its file.
    pub bytes: usize,
    /// When it was saved, for people.
    pub saved: String,
    /// The key of the copy before it, where the page has kept it by itself.
    pub older: Option<String>,
}

/// A file that a saved run was trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededFile {
    /// Its name.
    pub name: String,
    /// The field of its records that holds the text, where it has records.
    pub field: Option<String>,
    /// Why an offered file was not taken.
    pub problem: Option<String>,
}

/// The search for a learning rate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finder {
    /// Whether it goes on.
    pub running: bool,
    /// The curve so far.
    pub points: Rc<Vec<LrPoint>>,
    /// How many steps it takes at most; 0 until the first of them.
    pub of: usize,
    /// What the rule suggests.
    pub suggestion: Option<f64>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runs {
    /// The name of the present run.
    pub name: String,
    /// Counts the names that were given.
    named: u32,
    /// Runs that are over, oldest first.
    pub over: Vec<ShownRun>,
    /// What the chart counts along.
    pub axis: Axis,
    /// Whether it came from a file, so that its weights are not random.
    pub from_file: bool,
    /// What the browser keeps, latest first; none before it was asked.
    pub kept: Option<Vec<KeptCheckpoint>>,
    /// The number of the saved run that the worker is loading.
    pub loading: Option<RunId>,
    /// What that one is called in the list of saved runs; its file may not say.
    loading_name: Option<String>,
    /// The file that it asks for.
    pub needs_file: Option<NeededFile>,
    /// Whether the run is on its way into a file.
    pub saving: bool,
    /// Why something could not be saved or loaded, or that it was.
    pub message: Option<String>,
    /// The training numbers that the worker was told last.
    pub(super) train: Option<TrainConfig>,
    /// When to stop.
    pub rules: Rules,
    /// Which rule has stopped the run.
    pub stopped: Option<String>,
    /// The search for a learning rate.
    pub finder: Option<Finder>,
    /// What is kept without being asked.
    pub autosave: Autosave,
}

/// What can happen to them.
#[derive(Clone, Debug)]
pub enum RunsAction {
    /// Another name; 0 is the present run.
    Name(u32, String),
    /// Show a run that is over, or hide it.
    Toggle(u32),
    /// Drop a run that is over.
    Remove(u32),
    /// Another axis.
    Axis(Axis),
    /// What the browser keeps.
    Kept(Vec<KeptCheckpoint>),
    /// The worker was asked for the run's file.
    Saving,
    /// A saved run was sent to the worker, with its name in the list of saved runs.
    Loading(Option<String>),
    /// The file that was asked for will not come.
    ForgetFile,
    /// Something is worth saying about files.
    Message(String),
    /// When to stop.
    Rules(Rules),
    /// The search has begun.
    Finding,
    /// The curve is not needed any more.
    CloseFinder,
    /// How often a copy is kept, in seconds.
    SaveEvery(Option<u32>),
    /// A copy was kept, or not: a sentence.
    SavedByItself(String),
    /// What was kept in an earlier visit is not wanted.
    Decline,
}

impl Runs {
    /// The listed name of the saved run that is being loaded.
    pub fn loading_name(&self) -> Option<String> {
        self.loading_name.clone()
    }
}

impl State {
    /// The number of the next run.
    pub fn next_run(&self) -> RunId {
        self.run.max(self.runs.loading.unwrap_or(0)) + 1
    }

    /// The command that goes on with a saved run, whose file has to ride along; [`RunsAction::Loading`] has to follow.
    pub fn resume_command(&self) -> Command {
        let command =
            RunsCommand::Resume { run: self.next_run(), backend: self.draft.backend, probe: self.probe.clone() };
        Command::Runs { command }
    }

    /// The present run, once it has a configuration.
    pub fn present_run(&self) -> Option<ShownRun> {
        let config = self.run_config()?;
        Some(ShownRun {
            id: 0,
            name: self.runs.name.clone(),
            config,
            corpus: self.summary.as_ref().map_or(String::new(), |summary| summary.corpus.clone()),
            device: self.device.as_ref().map_or(String::new(), |device| device.name.clone()),
            history: self.history.clone(),
            shown: true,
        })
    }

    /// The present run and those that are over.
    pub fn all_runs(&self) -> Vec<ShownRun> {
        self.present_run().into_iter().chain(self.runs.over.iter().cloned()).collect()
    }

    /// Keeps the present run for comparison, if it has trained.
    pub(super) fn keep_run(&mut self) {
        let Some(run) = self.present_run().filter(|run| !run.history.points.is_empty()) else { return };
        let id = self.runs.over.iter().map(|run| run.id).max().unwrap_or(0) + 1;
        let history = if run.history.points.len() > MAX_POINTS {
            Rc::new(run.history.thinned(MAX_POINTS))
        } else {
            run.history.clone()
        };
        self.runs.over.push(ShownRun { id, history, ..run });
        if self.runs.over.len() > MAX_RUNS {
            self.runs.over.remove(0);
        }
    }

    /// A new run begins: it gets a name, and what was said of the one before is over.
    pub(super) fn begin_runs(&mut self) {
        let runs = &mut self.runs;
        runs.named += 1;
        runs.name = format!("run {}", runs.named);
        runs.train = None;
        (runs.loading, runs.needs_file, runs.saving) = (None, None, false);
        (runs.stopped, runs.finder) = (None, None);
    }

    pub(super) fn apply_runs(&mut self, action: RunsAction) {
        let next_run = self.next_run();
        let runs = &mut self.runs;
        let find = |runs: &mut Vec<ShownRun>, id: u32| runs.iter().position(|run| run.id == id);
        match action {
            RunsAction::Name(id, name) => {
                let name: String = name.trim().chars().take(MAX_CHARACTERS).collect();
                match find(&mut runs.over, id) {
                    _ if name.is_empty() => (),
                    Some(at) => runs.over[at].name = name,
                    None => runs.name = name,
                }
            }
            RunsAction::Toggle(id) => {
                if let Some(at) = find(&mut runs.over, id) {
                    runs.over[at].shown = !runs.over[at].shown;
                }
            }
            RunsAction::Remove(id) => runs.over.retain(|run| run.id != id),
            RunsAction::Axis(axis) => runs.axis = axis,
            RunsAction::Kept(kept) => runs.kept = Some(kept),
            RunsAction::Saving => (runs.saving, runs.message) = (true, None),
            RunsAction::Loading(name) => {
                (runs.loading, runs.needs_file, runs.message) = (Some(next_run), None, None);
                runs.loading_name = name.filter(|name| !name.is_empty());
            }
            RunsAction::ForgetFile => (runs.loading, runs.needs_file) = (None, None),
            RunsAction::Message(message) => (runs.message, runs.saving) = (Some(message), false),
            RunsAction::Rules(rules) => {
                (runs.rules, runs.stopped) = (rules, None);
                RULES.iter().for_each(|name| self.accept(name));
            }
            RunsAction::Finding => runs.finder = Some(Finder { running: true, ..Finder::default() }),
            RunsAction::CloseFinder => runs.finder = None,
            action @ (RunsAction::SaveEvery(_) | RunsAction::SavedByItself(_) | RunsAction::Decline) => {
                self.apply_autosave(action);
            }
        }
    }

    pub(super) fn hear_runs(&mut self, run: RunId, event: RunsEvent) {
        if run != self.run && self.runs.loading != Some(run) {
            return; // of a run that is over, or one that is no longer wanted
        }
        let runs = &mut self.runs;
        match event {
            RunsEvent::Saved { .. } => runs.saving = false,
            RunsEvent::Copied { .. } => (), // which `ui::autosave` keeps
            RunsEvent::Resumed { record, config } => self.begin_resumed(run, *record, *config),
            RunsEvent::NeedsFile { name, field, problem } => {
                runs.needs_file = Some(NeededFile { name, field, problem });
            }
            RunsEvent::ResumeFailed { message } => {
                (runs.loading, runs.needs_file) = (None, None);
                runs.message = Some(format!("Not loaded, the present run goes on: {message}."));
            }
            RunsEvent::Stopped { message } => runs.stopped = Some(message),
            RunsEvent::WentBack { step, train } => self.go_back(step, *train),
            RunsEvent::LrPoints { points, of } => {
                if let Some(finder) = &mut runs.finder {
                    finder.of = of;
                    Rc::make_mut(&mut finder.points).extend(points);
                }
            }
            RunsEvent::LrFound { suggestion } => {
                if let Some(finder) = &mut runs.finder {
                    (finder.running, finder.suggestion) = (false, suggestion);
                }
            }
        }
    }

    /// The run stands at an earlier step, and its learning rates have changed.
    fn go_back(&mut self, step: u64, train: TrainConfig) {
        let lr = train.max_lr;
        // Settings in which draft and run agreed go on agreeing; others are the user's, and stay.
        let live = FIELDS.iter().filter(|field| field.is_live());
        let agreed: Vec<&Field> = live.filter(|field| self.mark(field.name).is_none()).collect();
        self.runs.train = Some(train);
        if let Some(run) = self.run_config() {
            let mut config = (*self.draft.config).clone();
            agreed.iter().for_each(|field| field.copy(&run, &mut config));
            if let Ok(config) = self.draft.check(config) {
                self.draft.config = config;
            }
        }
        self.step = step;
        Rc::make_mut(&mut self.history).cut_after(step);
        self.look.announcement = format!("Back at step {step}, on with max_lr {lr}.");
    }

    /// A saved run stands in the place of the present one.
    fn begin_resumed(&mut self, run: RunId, record: RunRecord, config: RunConfig) {
        self.keep_run();
        let listed = self.runs.loading_name.take();
        let choice = self.version;
        self.change_draft(SETUP, |draft, drafted| {
            draft.vocabulary = record.corpus.vocabulary.map_or(Vocabulary::OfTheText, |name| Vocabulary::Chosen {
                name,
                vocab_size: config.model.vocab_size,
                choice,
            });
            *drafted = config;
            draft.corpus = record.corpus.choice;
            if draft.corpus == CorpusChoice::File {
                draft.file_name = Some(record.corpus.name);
            }
        });
        self.begin(run);
        self.runs.from_file = true;
        let named = if record.name.is_empty() { listed } else { Some(record.name) };
        self.runs.name = named.unwrap_or_else(|| self.runs.name.clone());
        self.step = record.history.points.last().map_or(0, |point| point.step);
        self.history = Rc::new(record.history);
    }
}
