//! The stage that is loaded: its driver on a device, and what it has done since the last report.

use super::DeskError;
use super::project::{Project, ProjectError};
use crate::align::PromptTemplate;
use crate::run::SharedClock;
use crate::run::stage::{self, Pace, Schedule, StageDriver, StageError, StageModel, StageObserver, Task};
use crate::serve::device::Device;
use crate::train::align::{Evaluation, Examples, RunError, Stage, StepReport};
use crate::train::trainer::{Row, Trainer};
use crate::types::align::{NodeId, StagePoint, StageScore, StageSpec};

/// Number of windows of the old text on which the loss is computed.
const OLD_WINDOWS: usize = 16;

/// What a stage has done since the last report to the page.
#[derive(Default)]
pub(super) struct Done {
    pub points: Vec<StagePoint>,
    pub scores: Vec<StageScore>,
    /// The latest update that sampled responses, or has pairs.
    pub batch: Option<StepReport>,
    /// Whether a score still lacks the loss on the old text.
    pub unscored: bool,
    pub updates_per_s: f64,
}

impl StageObserver for Done {
    fn updated(&mut self, report: StepReport, pace: Pace) {
        self.points.push(point(&report, pace.seconds));
        self.updates_per_s = pace.updates_per_s;
        if !report.rollouts.is_empty() || !report.margins.is_empty() {
            self.batch = Some(report);
        }
    }

    fn evaluated(&mut self, step: u64, evaluation: &Evaluation) {
        let &Evaluation { prompts, sampled, greedy, reward, accuracy, .. } = evaluation;
        self.unscored = true;
        self.scores.push(StageScore {
            step,
            prompts: prompts as u32,
            sampled: sampled as f32,
            greedy: greedy as f32,
            reward: reward as f32,
            accuracy: accuracy.map(|accuracy| accuracy as f32),
            old_loss: f32::NAN,
        });
    }
}

fn point(report: &StepReport, seconds: f64) -> StagePoint {
    let metrics = &report.metrics;
    let f = |value: Option<f64>| value.map(|value| value as f32).filter(|value| value.is_finite());
    StagePoint {
        step: report.point.step,
        loss: report.point.loss,
        lr: report.point.lr,
        grad_norm: report.point.grad_norm,
        seconds: seconds as f32,
        reward: f(metrics.reward),
        exact: f(metrics.exact),
        format: f(metrics.format),
        length: f(metrics.length),
        entropy: f(metrics.entropy),
        without_signal: f(metrics.without_signal),
        clip_fraction: f(metrics.clip_fraction),
        kl: f(metrics.kl),
        accuracy: f(metrics.accuracy),
        chosen: f(metrics.chosen),
        rejected: f(metrics.rejected),
    }
}

/// A stage on a device.
pub(super) struct Live {
    pub node: NodeId,
    pub driver: StageDriver,
    pub device: Device,
    pub done: Done,
    /// Seconds of training before this driver was created.
    pub seconds: f32,
    old_text: Vec<u32>,
}

/// The stage with this name.
pub(super) fn named(name: &str) -> Result<Stage, StageError> {
    let known = || Stage::ALL.map(Stage::name).join(", ");
    Stage::from_name(name).ok_or_else(|| StageError::Stage { name: name.into(), known: known() })
}

fn task_of(spec: &StageSpec) -> Result<Option<Task>, StageError> {
    let Some(name) = &spec.task else { return Ok(None) };
    let known = || Task::ALL.map(Task::name).join(", ");
    Task::from_name(name).map(Some).ok_or_else(|| StageError::Task { name: name.clone(), known: known() })
}

/// When a stage with this specification evaluates and ends.
pub(super) fn schedule(spec: &StageSpec) -> Schedule {
    Schedule {
        steps: spec.steps,
        stop_exact: spec.stop_exact,
        evaluate_every: spec.evaluate_every.max(1),
        prompts: spec.evaluation_prompts as usize,
        thorough_end: false,
    }
}

/// A stage that is ready except for its device.
pub(super) struct Plan {
    prepared: stage::Prepared,
    schedule: Schedule,
}

/// Prepares a stage from `model`. `rows` are the user's JSON Lines.
pub(super) fn plan(spec: &StageSpec, mut model: StageModel, rows: Option<&str>) -> Result<Plan, DeskError> {
    let (kind, task) = (named(&spec.stage)?, task_of(spec)?);
    model.config.train.seed = spec.seed;
    let settings = stage::configure(kind, model.fresh, spec.steps.max(1), &spec.changes, &mut model.config)?;
    let template = match spec.template.as_str() {
        "" => PromptTemplate::line(),
        text => text.parse()?,
    };
    let rewards = stage::rewards(&spec.judges, &spec.answer_after, task)?;
    let examples = match (task, rows) {
        (Some(task), _) => Examples::Task(task),
        (None, Some(rows)) => stage::read_rows(kind, &rewards, rows.as_bytes())?,
        (None, None) => return Err(DeskError::NoRows),
    };
    let prepared = stage::prepare(kind, settings, examples, (template, rewards), &model)?;
    Ok(Plan { prepared, schedule: schedule(spec) })
}

impl Live {
    /// Loads a stage of the project in its latest state.
    pub async fn load(project: &Project, node: NodeId, device: Device, clock: SharedClock) -> Result<Self, DeskError> {
        let found = project.node(node)?;
        let damaged = || ProjectError::Damaged("a stage has no state");
        let spec = found.info.spec.as_ref().ok_or(DeskError::NotAStage)?;
        let (first, last) = (found.states.first().ok_or_else(damaged)?, found.states.last().ok_or_else(damaged)?);
        let mut model = project.model(node, first.step)?;
        let parent_is_root = match found.info.parent {
            Some((parent, _)) => project.node(parent)?.root.is_some(),
            None => false,
        };
        let root = project.root(node)?;
        model.fresh = root.fresh && parent_is_root;
        let Plan { prepared, schedule } = plan(spec, model, project.rows.as_ref().map(|(_, rows)| rows.as_str()))?;
        let objective = prepared.run.objective();
        let made = Trainer::for_objective(prepared.config, device.context.as_ref(), &*objective).await;
        let mut trainer = made?;
        trainer.restore(last);
        let seconds = found.info.points.last().map_or(0.0, |point| point.seconds);
        let driver = StageDriver::new(prepared.run, trainer, schedule, clock, last.step > 0);
        Ok(Self { node, driver, device, done: Done::default(), seconds, old_text: root.old_text.clone() })
    }

    /// Does one unit of work and returns whether there is more.
    pub async fn work(&mut self) -> Result<bool, RunError> {
        let more = self.driver.work(&mut self.done).await?;
        if std::mem::take(&mut self.done.unscored) {
            let loss = self.old_loss().await?;
            self.done.scores.iter_mut().filter(|score| score.old_loss.is_nan()).for_each(|score| score.old_loss = loss);
        }
        Ok(more)
    }

    /// Mean loss on windows of the old text, in nats per token; 0 without one.
    async fn old_loss(&mut self) -> Result<f32, RunError> {
        let window = self.driver.trainer.config().model.context_length + 1;
        let rows: Vec<Row<'_>> =
            self.old_text.chunks(window).take(OLD_WINDOWS).filter(|row| row.len() > 1).map(Row::of).collect();
        if rows.is_empty() {
            return Ok(0.0);
        }
        let scores = self.driver.trainer.score_rows(&rows).await?;
        let losses = scores.iter().flat_map(|scores| &scores.log_probs).map(|&log_prob| -f64::from(log_prob));
        let (sum, n) = losses.fold((0.0, 0_u32), |(sum, n), loss| (sum + loss, n + 1));
        Ok((sum / f64::from(n.max(1))) as f32)
    }
}
