//! Runs as a whole: finished ones that stay for comparison, checkpoints in the browser, stopping rules, and the
//! learning rate finder.

use std::rc::Rc;

use super::autosave::Autosave;
use super::draft::SETUP;
use super::{State, Vocabulary};
use glasshead::config::fields::Field;
use glasshead::config::rules::Rules;
use glasshead::config::table::FIELDS;
use glasshead::config::{RunConfig, TrainConfig};
use glasshead::types::runs::{CheckpointInfo, LrPoint, RunRecord};
use glasshead::types::{CorpusChoice, History, RunId, StepPoint};
use glasshead::wire::Command;
use glasshead::wire::runs::{RunsCommand, RunsEvent};

/// Maximum number of finished runs.
pub const MAX_RUNS: usize = 8;

/// Maximum number of points stored for each of them.
const MAX_POINTS: usize = 10_000;

/// Names are truncated to this many characters to fit next to the chart.
const MAX_CHARACTERS: usize = 24;

/// The names of the rules' fields.
const RULES: [&str; 5] = ["stop_steps", "stop_tokens", "stop_loss", "stop_seconds", "evaluate_every"];

/// The x axis of the loss chart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Axis {
    /// Training steps.
    #[default]
    Steps,
    /// Tokens trained on.
    Tokens,
    /// Seconds of training.
    Seconds,
}

impl Axis {
    /// All axes, the default first.
    pub const ALL: [Axis; 3] = [Self::Steps, Self::Tokens, Self::Seconds];

    /// The name in the list.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Tokens => "tokens",
            Self::Seconds => "seconds",
        }
    }

    /// The position of a step on this axis.
    pub fn of(self, point: &StepPoint, tokens_per_step: usize) -> f64 {
        match self {
            Self::Steps => point.step as f64,
            Self::Tokens => point.step as f64 * tokens_per_step as f64,
            Self::Seconds => point.seconds,
        }
    }
}

/// A run that can be compared: the present one or a finished one.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownRun {
    /// Identifies finished runs; 0 is the present run.
    pub id: u32,
    /// Assigned by the page; the user can change it.
    pub name: String,
    /// Its configuration.
    pub config: RunConfig,
    /// The name of the training data.
    pub corpus: String,
    /// The name of the device.
    pub device: String,
    /// Its losses.
    pub history: Rc<History>,
    /// Whether it is in the chart.
    pub shown: bool,
}

/// A checkpoint in the browser's storage.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptCheckpoint {
    /// Its key in the browser's storage.
    pub key: String,
    /// Its description.
    pub about: CheckpointInfo,
    /// Size of the file in bytes.
    pub bytes: usize,
    /// The save time, formatted for display.
    pub saved: String,
    /// The key of the older autosave in its rotation, if it is an autosave.
    pub older: Option<String>,
}

/// The training file that a checkpoint requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededFile {
    /// Its name.
    pub name: String,
    /// The field of its records that contains the text, if it has records.
    pub field: Option<String>,
    /// Why an offered file was refused.
    pub problem: Option<String>,
}

/// The learning rate finder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finder {
    /// Whether it is running.
    pub running: bool,
    /// The curve so far.
    pub points: Rc<Vec<LrPoint>>,
    /// Maximum number of steps; 0 until the first one.
    pub of: usize,
    /// The suggested learning rate.
    pub suggestion: Option<f64>,
}

/// The state of all runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runs {
    /// The name of the present run.
    pub name: String,
    /// Counts assigned names.
    named: u32,
    /// How often the present run went back after it diverged.
    pub went_back: u32,
    /// Finished runs, oldest first.
    pub over: Vec<ShownRun>,
    /// The x axis of the chart.
    pub axis: Axis,
    /// Whether the chart's x axis is linear instead of logarithmic.
    pub linear: bool,
    /// Whether the present run was loaded from a file, so that its weights are not random.
    pub from_file: bool,
    /// The checkpoints in storage, latest first; none until they have been listed.
    pub kept: Option<Vec<KeptCheckpoint>>,
    /// The number of the checkpoint's run being loaded.
    pub loading: Option<RunId>,
    /// Its name in the list of saved runs; the file may not contain one.
    loading_name: Option<String>,
    /// The training file that it requires.
    pub needs_file: Option<NeededFile>,
    /// Whether a save is in progress.
    pub saving: bool,
    /// The result of the latest save or load.
    pub message: Option<String>,
    /// The training settings last sent to the worker.
    pub(super) train: Option<TrainConfig>,
    /// The stopping rules.
    pub rules: Rules,
    /// The rule that stopped the run, if any.
    pub stopped: Option<String>,
    /// The learning rate finder, if it was started.
    pub finder: Option<Finder>,
    /// Autosaves.
    pub autosave: Autosave,
}

/// Actions on runs.
#[derive(Clone, Debug)]
pub enum RunsAction {
    /// Renames a run; 0 is the present run.
    Name(u32, String),
    /// Shows or hides a finished run.
    Toggle(u32),
    /// Removes a finished run.
    Remove(u32),
    /// Sets the x axis.
    Axis(Axis),
    /// Toggles the logarithmic x axis.
    ToggleLog,
    /// The checkpoints in storage.
    Kept(Vec<KeptCheckpoint>),
    /// A save was requested from the worker.
    Saving,
    /// A checkpoint was sent to the worker; its name in the list of saved runs.
    Loading(Option<String>),
    /// Cancels the request for a training file.
    ForgetFile,
    /// A message about files.
    Message(String),
    /// Sets the stopping rules.
    Rules(Rules),
    /// The finder was started.
    Finding,
    /// Closes the finder.
    CloseFinder,
    /// Sets the autosave interval in seconds.
    SaveEvery(Option<u32>),
    /// An autosave succeeded or failed; the message.
    SavedByItself(String),
    /// The user declined the autosave of an earlier visit.
    Decline,
}

impl Runs {
    /// The listed name of the checkpoint being loaded.
    pub fn loading_name(&self) -> Option<String> {
        self.loading_name.clone()
    }
}

impl State {
    /// The number of the next run.
    pub fn next_run(&self) -> RunId {
        self.run.max(self.runs.loading.unwrap_or(0)) + 1
    }

    /// The command that resumes a checkpoint, to be sent with its bytes; dispatch [`RunsAction::Loading`] afterwards.
    pub fn resume_command(&self) -> Command {
        let command =
            RunsCommand::Resume { run: self.next_run(), backend: self.draft.backend, probe: self.probe.clone() };
        Command::Runs { command }
    }

    /// The present run, if it has a configuration.
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

    /// The present run, followed by the finished ones.
    pub fn all_runs(&self) -> Vec<ShownRun> {
        self.present_run().into_iter().chain(self.runs.over.iter().cloned()).collect()
    }

    /// Adds the present run to the finished ones, if it has trained.
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

    /// Starts a new run: assigns a name and resets what belongs to the previous one.
    pub(super) fn begin_runs(&mut self) {
        let runs = &mut self.runs;
        runs.named += 1;
        runs.name = format!("run {}", runs.named);
        (runs.train, runs.went_back) = (None, 0);
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
            RunsAction::ToggleLog => runs.linear = !runs.linear,
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
            return; // of an earlier run, or no longer wanted
        }
        let runs = &mut self.runs;
        match event {
            RunsEvent::Saved { .. } => runs.saving = false,
            RunsEvent::Copied { .. } => (), // stored by `ui::autosave`
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

    /// Handles the run's return to an earlier step, with changed learning rates.
    fn go_back(&mut self, step: u64, train: TrainConfig) {
        self.runs.went_back += 1;
        let lr = train.max_lr;
        // Live settings that were equal in draft and run stay equal; others were changed by the user and are kept.
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

    /// Replaces the present run by a resumed one.
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
