//! The running experiment: its phases, and when its check is reached. Pure.

pub mod catalogue;
mod checks;
pub mod thumbnails;

use std::collections::BTreeMap;

use super::{RunState, State};
use catalogue::{Begin, EXPERIMENTS, Experiment, Phase, Section};

use crate::units::grouped;
use glasshead::accounting::Account;
use glasshead::config::ValidConfig;
use glasshead::types::{CorpusChoice, RunId};

/// Experiments that take at most this long are listed as short.
pub const SHORT_SECONDS: f64 = 120.0;

/// What the page has to do for the running experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Start the run of the present phase from the draft.
    Start,
    /// Train the run.
    Train,
    /// Pause the run.
    Pause,
}

/// The progress of the present phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for a file of the user's.
    NeedsFile,
    /// The settings are in the draft; the run has to be started.
    Prepared,
    /// The run is being prepared.
    Starting,
    /// The run trains.
    Training,
    /// The check was evaluated.
    Done,
}

/// The result of an experiment's check.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Whether the check was reached.
    pub passed: bool,
    /// The result in a sentence.
    pub sentence: String,
    /// Seconds of training in all phases.
    pub seconds: f64,
}

/// An experiment in progress, or its result.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// The experiment.
    pub experiment: &'static Experiment,
    /// The index of the phase.
    pub phase: usize,
    /// The run of this phase.
    pub run: RunId,
    /// The progress of the phase.
    pub stage: Stage,
    /// The results of the finished phases.
    pub values: Vec<f64>,
    /// Seconds of training in the finished phases.
    pub seconds: f64,
    /// The number of chosen files when the experiment began.
    files: u32,
    /// The result, once there is one.
    pub outcome: Option<Outcome>,
}

impl Running {
    /// The present phase.
    pub fn phase(&self) -> &'static Phase {
        &self.experiment.phases[self.phase]
    }
}

/// Which experiments the gallery shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this section.
    pub section: Option<Section>,
    /// Only experiments that take at most [`SHORT_SECONDS`].
    pub short: bool,
}

/// The state of the experiments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Experiments {
    /// The experiment in progress.
    pub running: Option<Running>,
    /// Seconds that experiments took on this device, by name.
    pub durations: BTreeMap<String, f64>,
    /// Floating-point operations per second in training on this device, once measured.
    pub speed: Option<f64>,
    /// What the gallery shows.
    pub filter: Filter,
}

/// Actions on experiments.
#[derive(Clone, Debug)]
pub enum ExperimentsAction {
    /// Loads what was measured on this device in earlier visits: operations per second, and seconds by experiment.
    Measured(Option<f64>, BTreeMap<String, f64>),
    /// Sets the filter of the gallery.
    Filter(Filter),
    /// Advances the experiment in progress: the order that the page is carrying out.
    Carried(Order),
    /// Hides the result, or gives the experiment up.
    Close,
}

/// Floating-point operations of a training step.
fn step_flops(config: &ValidConfig) -> f64 {
    let account = Account::new(config);
    account.total(|part| account.step_flops(part)) as f64
}

impl Experiments {
    /// The estimated duration of an experiment on this device in seconds; `None` before anything was measured, and for
    /// experiments whose duration depends on the user's file.
    pub fn seconds(&self, experiment: &Experiment) -> Option<f64> {
        if let Some(&seconds) = self.durations.get(experiment.name) {
            return Some(seconds);
        }
        let speed = self.speed.filter(|speed| *speed > 0.0)?;
        experiment.phases.iter().map(|phase| Some(phase.usual as f64 * step_flops(&phase.config()?) / speed)).sum()
    }

    /// How long an experiment takes, in words.
    pub fn time_text(&self, experiment: &Experiment) -> String {
        let measured = self.durations.contains_key(experiment.name);
        match self.seconds(experiment) {
            Some(seconds) if measured => duration(seconds),
            Some(seconds) => format!("about {}", duration(seconds)),
            None => {
                let steps: u64 = experiment.phases.iter().map(|phase| phase.usual).sum();
                if steps == 0 { "depends on your file".into() } else { format!("about {} steps", grouped(steps)) }
            }
        }
    }

    /// Whether the gallery shows an experiment.
    pub fn shown(&self, experiment: &Experiment) -> bool {
        let Filter { section, short } = self.filter;
        let in_section = section.is_none_or(|section| section == experiment.section);
        in_section && (!short || self.seconds(experiment).is_none_or(|seconds| seconds <= SHORT_SECONDS))
    }
}

/// A duration in seconds or minutes.
pub fn duration(seconds: f64) -> String {
    match seconds {
        _ if seconds < 1.0 => "1 s".into(),
        _ if seconds < 90.0 => format!("{seconds:.0} s"),
        _ => format!("{:.0} min", seconds / 60.0),
    }
}

/// The experiment with this name.
pub fn find(name: &str) -> Option<&'static Experiment> {
    EXPERIMENTS.iter().find(|experiment| experiment.name == name)
}

impl State {
    /// Sets an experiment up: its first phase's settings are in the draft already, from the link. An experiment that needs
    /// no files begins with a run of its own; until then, `run` is the present one.
    pub fn begin_experiment(&mut self, name: &str, run: RunId) -> Option<()> {
        let experiment = find(name)?;
        let (stage, run) = match experiment.phases[0].begin {
            Begin::Settings(_) => (Stage::Starting, self.next_run()),
            Begin::Model | Begin::Text => (Stage::NeedsFile, run),
        };
        let (values, files) = (Vec::new(), self.draft.file_count);
        self.experiments.running =
            Some(Running { experiment, phase: 0, run, stage, values, seconds: 0.0, files, outcome: None });
        Some(())
    }

    /// What has to be done next for the experiment in progress, if anything.
    pub fn experiment_order(&self) -> Option<Order> {
        let running = self.experiments.running.as_ref()?;
        match running.stage {
            Stage::NeedsFile => match running.phase().begin {
                Begin::Text => self.has_new_text(running).then_some(Order::Start),
                // Opening a model starts its run.
                _ => None,
            },
            Stage::Prepared => Some(Order::Start),
            Stage::Starting => (self.run == running.run && self.run_state == RunState::Ready).then_some(Order::Train),
            Stage::Training => {
                let ends = self.run == running.run && self.phase_value(running).is_some();
                (ends && running.phase + 1 == running.experiment.phases.len()).then_some(Order::Pause)
            }
            Stage::Done => None,
        }
    }

    fn has_new_text(&self, running: &Running) -> bool {
        let draft = &self.draft;
        draft.corpus == CorpusChoice::File && draft.file_count != running.files && self.data.reading.is_none()
    }

    /// The value of the present phase once it is complete; NaN if its limit passed without one.
    fn phase_value(&self, running: &Running) -> Option<f64> {
        let phase = running.phase();
        let over = (self.step >= phase.limit).then_some(f64::NAN);
        (phase.done)(self).or(over)
    }

    /// Advances the experiment in progress after events: from one phase to the next, and to its result.
    pub(crate) fn advance_experiment(&mut self) {
        let Some(mut running) = self.experiments.running.clone() else { return };
        if running.stage == Stage::NeedsFile && running.phase().begin == Begin::Model {
            if self.runs.from_file && self.run != running.run && self.has_run() && self.maps.is_some() {
                running.run = self.run;
                self.finish_experiment(running);
            }
            return;
        }
        if self.run > running.run && running.stage != Stage::Done {
            self.experiments.running = None; // the user has started another run
            return;
        }
        if self.run != running.run || running.stage != Stage::Training {
            if matches!(self.run_state, RunState::Failed(_))
                && self.run == running.run
                && running.stage == Stage::Starting
            {
                self.experiments.running = None;
            }
            return;
        }
        let Some(value) = self.phase_value(&running) else { return };
        if running.phase + 1 == running.experiment.phases.len() {
            return; // the page pauses the run first, and then finishes
        }
        running.values.push(value);
        running.seconds += self.history.seconds();
        running.phase += 1;
        running.stage = Stage::Prepared;
        if let Some(config) = running.phase().config() {
            self.draft.config = config;
        }
        self.experiments.running = Some(running);
    }

    fn finish_experiment(&mut self, mut running: Running) {
        let value = self.phase_value(&running).unwrap_or(f64::NAN);
        running.values.push(value);
        running.seconds += self.history.seconds();
        let (passed, sentence) = (running.experiment.verdict)(self, &running.values);
        running.stage = Stage::Done;
        running.outcome = Some(Outcome { passed, sentence: sentence.clone(), seconds: running.seconds });
        let timed = passed && running.experiment.phases.iter().all(|phase| phase.usual > 0);
        if timed {
            self.experiments.durations.insert(running.experiment.name.into(), running.seconds);
        }
        self.look.announcement = sentence;
        self.experiments.running = Some(running);
    }

    pub(crate) fn apply_experiments(&mut self, action: ExperimentsAction) {
        match action {
            ExperimentsAction::Measured(speed, durations) => {
                (self.experiments.speed, self.experiments.durations) = (speed, durations);
            }
            ExperimentsAction::Filter(filter) => self.experiments.filter = filter,
            ExperimentsAction::Carried(order) => self.carry(order),
            ExperimentsAction::Close => self.experiments.running = None,
        }
    }

    fn carry(&mut self, order: Order) {
        let next_run = self.next_run();
        let Some(running) = &mut self.experiments.running else { return };
        match order {
            Order::Start => {
                (running.stage, running.run) = (Stage::Starting, next_run);
            }
            Order::Train => {
                running.stage = Stage::Training;
                let name = running.phase().name;
                if !name.is_empty() {
                    self.runs.name = name.into();
                }
            }
            Order::Pause => {
                let running = running.clone();
                self.finish_experiment(running);
            }
        }
    }

    /// Measures this device's speed from the run that trains; before that, from the profile of a step.
    pub(crate) fn measure_speed(&mut self) {
        let training = self.run_state == RunState::Training && self.tokens_per_s > 0.0 && self.step >= 20;
        let profile = self.profile.profile.as_ref().filter(|_| self.experiments.speed.is_none());
        if !training && profile.is_none() {
            return;
        }
        let Some(config) = self.run_config().and_then(|config| ValidConfig::try_from(config).ok()) else { return };
        let seconds = match profile {
            Some(profile) if !training => profile.total().ns / 1e9,
            _ => config.tokens_per_step() as f64 / self.tokens_per_s,
        };
        self.experiments.speed = (seconds > 0.0).then(|| step_flops(&config) / seconds);
    }
}
