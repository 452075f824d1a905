//! The Align view's side of the worker: a project of stages, of which one is loaded and trained. It has a device and a trainer
//! of its own, so that the run stays as it is.

use self::error::DeskError;
use self::live::{Done, Live};
use self::project::{MAX_NODES, Node, Project, ProjectError, Root};
use self::watch::{Watch, entered};
use super::Session;
use super::device::{Device, keep_or_open};
use crate::interop::archive::pack;
use crate::interop::export::export;
use crate::run::SharedClock;
use crate::run::stage::byte_model;
use crate::train::align::Examples;
use crate::train::trainer::TrainingState;
use crate::types::align::{NodeId, NodeInfo, StageSpec};
use crate::types::{BackendChoice, FileInfo};
use crate::wire::align::{AlignCommand, AlignEvent, StageStart};
use crate::wire::{Event, Message};

mod begin;
mod error;
mod fields;
mod live;
mod project;
mod watch;
mod work;

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

impl Session {
    /// Handles one command of the Align view.
    pub(super) async fn handle_align(&mut self, command: AlignCommand, bytes: Vec<u8>) {
        let result = match command {
            AlignCommand::Begin { start, spec, backend } => self.begin_stage(start, *spec, backend).await,
            command => self.align.handle(command, bytes, self.clock.clone()).await,
        };
        if let Err(error) = result {
            self.align.training = false;
            self.align.emit(AlignEvent::Problem { message: error.to_string() });
            self.align.report_running();
        }
        let messages = std::mem::take(&mut self.align.messages);
        self.tell_all(messages);
    }

    /// Trains the loaded stage for a short time; returns whether there is more to do.
    pub(super) async fn work_on_alignment(&mut self) -> bool {
        let clock = self.clock.clone();
        if let Err(error) = self.align.work(clock.clone()).await {
            self.align.training = false;
            self.align.emit(AlignEvent::Problem { message: error.to_string() });
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

    async fn handle(&mut self, command: AlignCommand, bytes: Vec<u8>, clock: SharedClock) -> Result<(), DeskError> {
        let now = clock.now();
        match command {
            AlignCommand::Open => {
                self.emit(AlignEvent::Opened { fields: fields::all() });
                self.report_project();
                self.report_running();
            }
            AlignCommand::Restore { backend } => self.restore(&bytes, backend)?,
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
                self.project.node(node)?;
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
                self.project.remove(node)?;
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

    fn restore(&mut self, bytes: &[u8], backend: BackendChoice) -> Result<(), DeskError> {
        if self.project.nodes.is_empty() {
            (self.project, self.backend) = (Project::from_bytes(bytes)?, backend);
            self.watch.begin();
            self.report_rows();
        }
        self.report_project();
        Ok(())
    }

    fn extend(&mut self, steps: u64) -> Result<(), DeskError> {
        let current = self.project.current.ok_or(DeskError::NothingToExtend)?;
        let node = self.project.node_mut(current)?;
        let Some(spec) = &mut node.info.spec else { return Ok(()) };
        spec.steps = steps.max(1);
        let schedule = live::schedule(spec);
        self.live.iter_mut().filter(|live| live.node == current).for_each(|live| live.driver.set_schedule(schedule));
        self.changed = true;
        self.report_project();
        Ok(())
    }

    /// Stops training, keeps the present state and reports it.
    async fn pause(&mut self, now: f64) -> Result<(), DeskError> {
        if !std::mem::take(&mut self.training) {
            return Ok(());
        }
        self.keep().await?;
        self.report_progress(now, true);
        self.report_running();
        self.snapshot(now)
    }

    /// Makes one update, after the evaluation that is due before it.
    async fn one_step(&mut self, clock: SharedClock) -> Result<(), DeskError> {
        self.load_current(clock.clone()).await?;
        let Some(live) = &mut self.live else { return Ok(()) };
        let step = live.driver.step();
        while live.driver.step() == step && live.work().await? {}
        (self.training, self.changed) = (true, true);
        self.report_batch(clock.now(), true, false).await?;
        self.pause(clock.now()).await
    }

    /// Frees the loaded stage, whose device the next one may use.
    fn unload(&mut self) {
        self.device = self.live.take().map(|live| live.device).or(self.device.take());
    }

    /// Loads the present stage unless it is loaded.
    async fn load_current(&mut self, clock: SharedClock) -> Result<(), DeskError> {
        let current = self.project.current.ok_or(DeskError::NoStage)?;
        if self.live.as_ref().is_some_and(|live| live.node == current) {
            return Ok(());
        }
        self.unload();
        self.emit(AlignEvent::Preparing { what: "Preparing the model".into() });
        let device = keep_or_open(self.device.take(), self.backend).await?;
        let live = Live::load(&self.project, current, device, clock).await?;
        self.watch.begin();
        self.live = Some(live);
        self.report_running();
        Ok(())
    }

    async fn rewind(&mut self, step: u64) -> Result<(), DeskError> {
        let current = self.project.current.ok_or(DeskError::NothingToRewind)?;
        let node = self.project.node_mut(current)?;
        let state = node.state_at(step).cloned().ok_or(DeskError::NoState)?;
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

    fn load_rows(&mut self, name: String, bytes: Vec<u8>) -> Result<(), DeskError> {
        let text = String::from_utf8(bytes).map_err(|_| DeskError::NotText(name.clone()))?;
        begin::count_rows(&text)?;
        self.project.rows = Some((name, text));
        self.changed = true;
        self.report_rows();
        Ok(())
    }

    fn report_rows(&mut self) {
        let Some((name, text)) = &self.project.rows else { return };
        if let Ok(counts) = begin::count_rows(text) {
            let name = name.clone();
            self.emit(AlignEvent::Rows { name, counts });
        }
    }

    async fn export(&mut self, loose: bool) -> Result<(), DeskError> {
        let current = self.project.current.ok_or(DeskError::NothingToExport)?;
        self.keep().await?;
        let params = match self.live.as_mut().filter(|live| live.node == current) {
            Some(live) => live.driver.trainer.params().await?,
            None => self.project.model(current, u64::MAX)?.state.params,
        };
        let (root, node) = (self.project.root(current)?, self.project.node(current)?);
        let files = export(&root.config.model, &root.tokenizer, &params)?;
        let (name, step) = (node.info.name.clone(), node.info.step);
        let info =
            |(name, bytes): &(&str, Vec<u8>)| FileInfo { name: (*name).into(), size: bytes.len(), fields: Vec::new() };
        let (infos, bytes) = match loose {
            true => (files.iter().map(info).collect(), files.into_iter().flat_map(|(_, bytes)| bytes).collect()),
            false => (Vec::new(), pack(&files)?),
        };
        self.messages.push((Event::Align(AlignEvent::Exported { name, step, files: infos }), Some(bytes)));
        Ok(())
    }

    /// Emits the project as a file, if it has changed.
    fn snapshot(&mut self, now: f64) -> Result<(), DeskError> {
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        self.times.snapshot = now;
        let bytes = self.project.to_bytes()?;
        let current = self.project.current.and_then(|id| self.project.node(id).ok());
        let step = current.map_or(0, |node| node.info.step);
        self.messages.push((Event::Align(AlignEvent::Snapshot { step }), Some(bytes)));
        Ok(())
    }
}
