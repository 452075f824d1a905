//! The Align view's side of the worker: a project of stages, of which one is loaded and trained. It has a device and a trainer
//! of its own, so that the run stays as it is.

use std::fmt::Display;

use self::live::{Done, Live};
use self::project::{MAX_NODES, Node, Project, ProjectError, Root};
use self::watch::{Watch, entered, groups};
use super::Session;
use super::device::{Device, keep_or_open, open_device};
use crate::interop::archive::pack;
use crate::interop::export::export;
use crate::run::SharedClock;
use crate::run::stage::{WhyEnded, byte_model};
use crate::train::align::{Examples, RunError};
use crate::train::trainer::{TrainError, TrainingState};
use crate::types::align::{NodeId, NodeInfo, StageSpec};
use crate::types::{BackendChoice, FileInfo};
use crate::wire::align::{AlignCommand, AlignEvent, StageStart};
use crate::wire::{Event, Message};

mod begin;
mod fields;
mod live;
mod project;
mod watch;

/// Seconds between reports, between batches, between inspections while a stage trains, and between snapshots.
const PROGRESS_SECONDS: f64 = 0.15;
const BATCH_SECONDS: f64 = 0.7;
const WATCH_SECONDS: f64 = 1.5;
const SNAPSHOT_SECONDS: f64 = 8.0;

/// Parts of a stage after which its state is kept, at most every [`KEEP_EVERY`] updates.
const KEPT_PARTS: u64 = 20;
const KEEP_EVERY: u64 = 25;

/// Number of lost devices after which a stage continues on the CPU.
const MAX_LOSSES: u32 = 2;

/// The project and the loaded stage.
#[derive(Default)]
pub(super) struct AlignDesk {
    project: Project,
    live: Option<Live>,
    /// The device of the stage that was loaded before.
    device: Option<Device>,
    backend: BackendChoice,
    training: bool,
    watch: Watch,
    /// Name and content of the user's rows.
    rows: Option<(String, Vec<u8>)>,
    times: Times,
    losses: u32,
    /// Whether something has changed since the latest snapshot.
    changed: bool,
    messages: Vec<Message>,
}

/// When something was sent last, in seconds.
#[derive(Default)]
struct Times {
    progress: f64,
    batch: f64,
    watch: f64,
    snapshot: f64,
}

/// The message of an error.
fn words<E: Display>(error: E) -> String {
    error.to_string()
}

impl Session {
    /// Handles one command of the Align view.
    pub(super) async fn handle_align(&mut self, command: AlignCommand, bytes: Vec<u8>) {
        let result = match command {
            AlignCommand::Begin { start, spec, backend } => self.begin_stage(start, spec, backend).await,
            command => self.align.handle(command, bytes, self.clock.clone()).await,
        };
        if let Err(message) = result {
            self.align.training = false;
            self.align.emit(AlignEvent::Problem { message });
            self.align.report_running();
        }
        let messages = std::mem::take(&mut self.align.messages);
        self.tell_all(messages);
    }

    /// Trains the loaded stage for a short time; returns whether there is more to do.
    pub(super) async fn work_on_alignment(&mut self) -> bool {
        let clock = self.clock.clone();
        if let Err(message) = self.align.work(clock.clone()).await {
            self.align.training = false;
            self.align.emit(AlignEvent::Problem { message });
            self.align.report_running();
        }
        let messages = std::mem::take(&mut self.align.messages);
        self.tell_all(messages);
        self.align.training
    }

    /// Destroys the device of the loaded stage, as a driver reset does; used by tests.
    pub fn lose_alignment_device(&self) {
        let context = self.align.live.as_ref().and_then(|live| live.device.context.as_ref());
        context.into_iter().for_each(|context| context.device.destroy());
    }
}

impl AlignDesk {
    fn emit(&mut self, event: AlignEvent) {
        self.messages.push((Event::Align(event), None));
    }

    fn report_project(&mut self) {
        let (nodes, current) = (self.project.infos(), self.project.current);
        self.emit(AlignEvent::Project { nodes, current });
    }

    fn report_running(&mut self) {
        let device = self.live.as_ref().map(|live| live.device.info.clone());
        self.emit(AlignEvent::Running { on: self.training, device });
    }

    async fn handle(&mut self, command: AlignCommand, bytes: Vec<u8>, clock: SharedClock) -> Result<(), String> {
        let now = clock.now();
        match command {
            AlignCommand::Open => {
                self.emit(AlignEvent::Opened { fields: fields::all() });
                self.report_project();
                self.report_running();
            }
            AlignCommand::Restore => self.restore(&bytes)?,
            AlignCommand::Train => {
                self.training = true;
                self.report_running();
            }
            AlignCommand::Pause => self.pause(now).await?,
            AlignCommand::Step => {
                self.pause(now).await?;
                self.one_step(clock).await?;
            }
            AlignCommand::Extend { steps } => self.extend(steps)?,
            AlignCommand::Select { node } => {
                self.pause(now).await?;
                self.project.node(node).map_err(words)?;
                self.unload();
                self.project.current = Some(node);
                self.watch.begin();
                self.changed = true;
                self.report_project();
            }
            AlignCommand::Rewind { step } => self.rewind(step).await?,
            AlignCommand::Remove { node } => {
                self.pause(now).await?;
                self.unload();
                self.project.remove(node).map_err(words)?;
                self.changed = true;
                self.report_project();
                self.snapshot(now)?;
            }
            AlignCommand::Watch { prompt, before } => {
                (self.watch.prompt, self.watch.before, self.watch.due) = (entered(prompt), before, true);
                self.times.watch = f64::NEG_INFINITY;
            }
            AlignCommand::LoadRows { name } => self.load_rows(name, bytes)?,
            AlignCommand::Export { loose } => self.export(loose).await?,
            // Handled with the session, because it reads the run.
            AlignCommand::Begin { .. } => (),
        }
        Ok(())
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.project.nodes.is_empty() {
            self.project = Project::from_bytes(bytes).map_err(words)?;
            self.watch.begin();
        }
        self.report_project();
        Ok(())
    }

    fn extend(&mut self, steps: u64) -> Result<(), String> {
        let current = self.project.current.ok_or("There is no stage to extend; start one.")?;
        let node = self.project.node_mut(current).map_err(words)?;
        let Some(spec) = &mut node.info.spec else { return Ok(()) };
        spec.steps = steps.max(1);
        let schedule = live::schedule(spec);
        self.live.iter_mut().filter(|live| live.node == current).for_each(|live| live.driver.set_schedule(schedule));
        self.changed = true;
        self.report_project();
        Ok(())
    }

    /// Stops training, keeps the present state and reports it.
    async fn pause(&mut self, now: f64) -> Result<(), String> {
        if !std::mem::take(&mut self.training) {
            return Ok(());
        }
        self.keep().await.map_err(words)?;
        self.report_progress(now, true);
        self.report_running();
        self.snapshot(now)
    }

    /// Makes one update, after the evaluation that is due before it.
    async fn one_step(&mut self, clock: SharedClock) -> Result<(), String> {
        self.load_current(clock.clone()).await?;
        let Some(live) = &mut self.live else { return Ok(()) };
        let step = live.driver.step();
        while live.driver.step() == step && live.work().await.map_err(words)? {}
        (self.training, self.changed) = (true, true);
        self.report_batch(clock.now(), true, false).await.map_err(words)?;
        self.pause(clock.now()).await
    }

    /// Frees the loaded stage, whose device the next one may use.
    fn unload(&mut self) {
        self.device = self.live.take().map(|live| live.device).or(self.device.take());
    }

    /// Loads the present stage unless it is loaded.
    async fn load_current(&mut self, clock: SharedClock) -> Result<(), String> {
        let current = self.project.current.ok_or("There is no stage yet; start one.")?;
        if self.live.as_ref().is_some_and(|live| live.node == current) {
            return Ok(());
        }
        self.unload();
        self.emit(AlignEvent::Preparing { what: "Preparing the model".into() });
        let device = keep_or_open(self.device.take(), self.backend).await.map_err(words)?;
        let rows = self.rows.as_ref().map(|(_, rows)| rows.as_slice());
        let live = Live::load(&self.project, current, device, rows, clock).await?;
        self.watch.begin();
        self.live = Some(live);
        self.report_running();
        Ok(())
    }

    async fn work(&mut self, clock: SharedClock) -> Result<(), String> {
        let now = clock.now();
        let inspects = self.watch.due && (!self.training || now - self.times.watch >= WATCH_SECONDS);
        let has_stage =
            self.project.current.is_some_and(|id| self.project.node(id).is_ok_and(|node| node.info.spec.is_some()));
        if !self.training && !(inspects && has_stage) {
            self.watch.due &= has_stage;
            return Ok(());
        }
        self.load_current(clock.clone()).await?;
        if self.training {
            self.train(&clock).await?;
        }
        self.inspect(&clock).await
    }

    /// Does one unit of training.
    async fn train(&mut self, clock: &SharedClock) -> Result<(), String> {
        let Some(live) = &mut self.live else { return Ok(()) };
        let result = live.work().await;
        let (evaluated, ended) = (!live.done.scores.is_empty(), live.driver.ended());
        self.changed = true;
        match result {
            Ok(_) => (),
            Err(RunError::Train(error)) if error.needs_another_device() => return self.recover(&error, clock).await,
            Err(error) => return self.stop_after(error),
        }
        let now = clock.now();
        self.keep_now_and_then().await.map_err(words)?;
        if let Some(why) = ended {
            self.training = false;
            self.keep().await.map_err(words)?;
            self.report_batch(now, true, true).await.map_err(words)?;
            self.report_progress(now, true);
            let message = match why {
                WhyEnded::Steps(steps) => format!("{steps} updates are done."),
                WhyEnded::Exact(share) => format!("{:.0} % of the held-out prompts are right.", 100.0 * share),
            };
            self.emit(AlignEvent::Ended { message });
            self.report_running();
            self.watch.due = true;
            return self.snapshot(now);
        }
        self.report_batch(now, false, evaluated).await.map_err(words)?;
        self.report_progress(now, false);
        if now - self.times.snapshot >= SNAPSHOT_SECONDS {
            self.keep().await.map_err(words)?;
            self.snapshot(now)?;
        }
        Ok(())
    }

    /// Reports an error after which the stage is paused; it goes back to its latest kept state.
    fn stop_after(&mut self, error: RunError) -> Result<(), String> {
        self.training = false;
        let node = self.live.as_ref().map(|live| live.node);
        self.unload();
        if let Some(node) = node.and_then(|id| self.project.node_mut(id).ok()) {
            let step = node.states.last().map_or(0, |state| state.step);
            node.cut(step);
        }
        self.report_project();
        self.report_running();
        let advice = match error {
            RunError::Train(TrainError::Diverged { .. }) => {
                " Lower the learning rate, or branch from an earlier update."
            }
            _ => "",
        };
        Err(format!("{error}{advice}"))
    }

    /// Continues a stage on another device from its latest kept state.
    async fn recover(&mut self, error: &TrainError, clock: &SharedClock) -> Result<(), String> {
        self.losses += 1;
        let Some(live) = self.live.take() else { return Ok(()) };
        let id = live.node;
        drop(live);
        self.device = None;
        let node = self.project.node_mut(id).map_err(words)?;
        let step = node.states.last().map_or(0, |state| state.step);
        node.cut(step);
        let choices: &[BackendChoice] =
            if self.losses > MAX_LOSSES { &[BackendChoice::Cpu] } else { &[BackendChoice::Gpu, BackendChoice::Cpu] };
        let mut problem = String::new();
        for &backend in choices {
            match open_device(backend).await {
                Ok(device) => {
                    (self.device, self.backend) = (Some(device), backend);
                    self.load_current(clock.clone()).await?;
                    self.report_project();
                    let message = format!("{error}. The stage goes on from update {step}, where it was kept.");
                    self.emit(AlignEvent::Notice { message });
                    return Ok(());
                }
                Err(error) => problem = error.to_string(),
            }
        }
        Err(format!("{error}. No other device could go on ({problem}); update {step} is kept."))
    }

    /// Keeps the state every few updates.
    async fn keep_now_and_then(&mut self) -> Result<(), RunError> {
        let Some(live) = &self.live else { return Ok(()) };
        let Ok(node) = self.project.node(live.node) else { return Ok(()) };
        let steps = node.info.spec.as_ref().map_or(0, |spec| spec.steps);
        let every = (steps / KEPT_PARTS).clamp(1, KEEP_EVERY);
        let latest = node.states.last().map_or(0, |state| state.step);
        if live.driver.step() >= latest + every { self.keep().await } else { Ok(()) }
    }

    /// Keeps the present state, if the stage could go on from it.
    async fn keep(&mut self) -> Result<(), RunError> {
        let Some(live) = self.live.as_mut().filter(|live| live.driver.at_boundary()) else { return Ok(()) };
        let step = live.driver.step();
        let Ok(node) = self.project.node_mut(live.node) else { return Ok(()) };
        if node.states.last().is_none_or(|state| state.step != step) {
            node.keep(live.driver.trainer.state().await?);
        }
        Ok(())
    }

    /// Reports updates and results; at most a few times per second unless `at_once`.
    fn report_progress(&mut self, now: f64, at_once: bool) {
        let Some(live) = &mut self.live else { return };
        if !at_once && now - self.times.progress < PROGRESS_SECONDS {
            return;
        }
        let Ok(node) = self.project.node_mut(live.node) else { return };
        let Done { mut points, scores, batch, updates_per_s, .. } = std::mem::take(&mut live.done);
        live.done.batch = batch;
        live.done.updates_per_s = updates_per_s;
        if points.is_empty() && scores.is_empty() {
            return;
        }
        points.iter_mut().for_each(|point| point.seconds += live.seconds);
        node.info.points.extend_from_slice(&points);
        node.info.scores.retain(|old| scores.iter().all(|new| new.step != old.step));
        node.info.scores.extend_from_slice(&scores);
        node.info.step = live.driver.step();
        let (node, step, kept) = (live.node, node.info.step, node.info.kept.clone());
        self.times.progress = now;
        self.emit(AlignEvent::Progress { node, step, points, scores, kept, updates_per_s: updates_per_s as f32 });
    }

    /// Reports the latest prompts and margins; for stages that sample nothing, held-out prompts after an evaluation.
    async fn report_batch(&mut self, now: f64, at_once: bool, evaluated: bool) -> Result<(), RunError> {
        let Some(live) = &mut self.live else { return Ok(()) };
        let (node, step) = (live.node, live.driver.step());
        if !live.driver.run.samples() && evaluated {
            let groups = live.held_out_groups().await?;
            self.emit(AlignEvent::Batch { node, step, groups });
        }
        let Some(live) = &mut self.live else { return Ok(()) };
        if !at_once && now - self.times.batch < BATCH_SECONDS {
            return Ok(());
        }
        let Some(batch) = live.done.batch.take() else { return Ok(()) };
        self.times.batch = now;
        if !batch.margins.is_empty() {
            let margins = batch.margins.iter().map(|&margin| margin as f32).collect();
            self.emit(AlignEvent::Margins { node, step: batch.point.step, margins });
        }
        if !batch.rollouts.is_empty() {
            let groups = groups(&batch.prompts, &batch.rollouts);
            self.emit(AlignEvent::Batch { node, step: batch.point.step, groups });
            self.watch.batch = Some(batch);
        }
        self.watch.due = true;
        Ok(())
    }

    /// Replies to the inspected prompt, at intervals while a stage trains.
    async fn inspect(&mut self, clock: &SharedClock) -> Result<(), String> {
        let now = clock.now();
        let waits = self.training && now - self.times.watch < WATCH_SECONDS;
        let Some(live) = self.live.as_mut().filter(|_| self.watch.due && !waits) else { return Ok(()) };
        match self.watch.reply(live, &self.project).await {
            Ok(Some((watched, maps))) => {
                self.messages.push((Event::Align(AlignEvent::Watched(Box::new(watched))), Some(maps)));
            }
            Ok(None) => (),
            Err(RunError::Train(error)) if error.needs_another_device() => return self.recover(&error, clock).await,
            // A prompt of the user's that does not fit stops nothing.
            Err(error) => {
                self.watch.prompt = None;
                self.emit(AlignEvent::Notice { message: watch::message(&error) });
            }
        }
        self.times.watch = clock.now();
        Ok(())
    }

    async fn rewind(&mut self, step: u64) -> Result<(), String> {
        let current = self.project.current.ok_or("There is no stage to rewind; start one.")?;
        let node = self.project.node_mut(current).map_err(words)?;
        let state = node.state_at(step).cloned().ok_or("The stage has no kept state.")?;
        node.cut(state.step);
        self.training = false;
        if let Some(live) = self.live.as_mut().filter(|live| live.node == current) {
            live.driver.rewind(&state);
            live.done = Done::default();
        }
        (self.watch.batch, self.watch.due, self.changed) = (None, true, true);
        self.emit(AlignEvent::Rewound { node: current, step: state.step });
        self.report_project();
        self.report_running();
        Ok(())
    }

    fn load_rows(&mut self, name: String, bytes: Vec<u8>) -> Result<(), String> {
        let counts = begin::count_rows(&bytes)?;
        self.rows = Some((name.clone(), bytes));
        self.emit(AlignEvent::Rows { name, counts });
        Ok(())
    }

    async fn export(&mut self, loose: bool) -> Result<(), String> {
        let current = self.project.current.ok_or("There is no model to export; start a stage.")?;
        self.keep().await.map_err(words)?;
        let params = match self.live.as_mut().filter(|live| live.node == current) {
            Some(live) => live.driver.trainer.params().await.map_err(words)?,
            None => self.project.model(current, u64::MAX).map_err(words)?.state.params,
        };
        let (root, node) = (self.project.root(current).map_err(words)?, self.project.node(current).map_err(words)?);
        let files = export(&root.config.model, &root.tokenizer, &params).map_err(words)?;
        let (name, step) = (node.info.name.clone(), node.info.step);
        let info =
            |(name, bytes): &(&str, Vec<u8>)| FileInfo { name: (*name).into(), size: bytes.len(), fields: Vec::new() };
        let (infos, bytes) = match loose {
            true => (files.iter().map(info).collect(), files.into_iter().flat_map(|(_, bytes)| bytes).collect()),
            false => (Vec::new(), pack(&files).map_err(words)?),
        };
        self.messages.push((Event::Align(AlignEvent::Exported { name, step, files: infos }), Some(bytes)));
        Ok(())
    }

    /// Emits the project as a file, if it has changed.
    fn snapshot(&mut self, now: f64) -> Result<(), String> {
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        self.times.snapshot = now;
        let bytes = self.project.to_bytes().map_err(words)?;
        let current = self.project.current.and_then(|id| self.project.node(id).ok());
        let step = current.map_or(0, |node| node.info.step);
        self.messages.push((Event::Align(AlignEvent::Snapshot { step }), Some(bytes)));
        Ok(())
    }
}
