//! Trains the loaded stage and reports what it does.

use super::live::Done;
use super::watch::groups;
use super::{AlignDesk, DeskError};
use crate::run::SharedClock;
use crate::run::stage::WhyEnded;
use crate::serve::device::open_device;
use crate::train::align::RunError;
use crate::train::trainer::TrainError;
use crate::types::BackendChoice;
use crate::wire::Event;
use crate::wire::align::AlignEvent;

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

impl AlignDesk {
    pub(super) async fn work(&mut self, clock: SharedClock) -> Result<(), DeskError> {
        let now = clock.now();
        let inspects = self.watch.due && (!self.training || now - self.times.watch >= WATCH_SECONDS);
        let has_stage =
            self.project.current.is_some_and(|id| self.project.node(id).is_ok_and(|node| node.info.spec.is_some()));
        if !(self.training || inspects && has_stage) {
            self.watch.due &= has_stage;
            return Ok(());
        }
        if let Err(error) = self.load_current(clock.clone()).await {
            self.watch.due = false;
            return Err(error);
        }
        if self.training {
            self.train(&clock).await?;
        }
        self.inspect(&clock).await
    }

    /// Does one unit of training.
    async fn train(&mut self, clock: &SharedClock) -> Result<(), DeskError> {
        let Some(live) = &mut self.live else { return Ok(()) };
        let result = live.work().await;
        let (evaluated, ended) = (!live.done.scores.is_empty(), live.driver.ended());
        self.changed = true;
        match result {
            Ok(_) => (),
            Err(RunError::Train(error)) if error.needs_another_device() => return self.recover(error, clock).await,
            Err(error) => return self.stop_after(error),
        }
        let now = clock.now();
        self.keep_now_and_then().await?;
        if let Some(why) = ended {
            self.training = false;
            self.keep().await?;
            self.report_batch(now, true, true).await?;
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
        self.report_batch(now, false, evaluated).await?;
        self.report_progress(now, false);
        if now - self.times.snapshot >= SNAPSHOT_SECONDS {
            self.keep().await?;
            self.snapshot(now)?;
        }
        Ok(())
    }

    /// Reports an error after which the stage is paused; it goes back to its latest kept state.
    fn stop_after(&mut self, error: RunError) -> Result<(), DeskError> {
        self.training = false;
        let node = self.live.as_ref().map(|live| live.node);
        self.unload();
        if let Some(node) = node.and_then(|id| self.project.node_mut(id).ok()) {
            let step = node.states.last().map_or(0, |state| state.step);
            node.cut(step);
        }
        self.report_project();
        self.report_running();
        Err(match error {
            RunError::Train(TrainError::Diverged { .. }) => DeskError::Diverged(error),
            _ => error.into(),
        })
    }

    /// Continues a stage on another device from its latest kept state.
    async fn recover(&mut self, error: TrainError, clock: &SharedClock) -> Result<(), DeskError> {
        self.losses += 1;
        let Some(live) = self.live.take() else { return Ok(()) };
        let id = live.node;
        drop(live);
        self.device = None;
        let node = self.project.node_mut(id)?;
        let step = node.states.last().map_or(0, |state| state.step);
        node.cut(step);
        let choices: &[BackendChoice] =
            if self.losses > MAX_LOSSES { &[BackendChoice::Cpu] } else { &[BackendChoice::Gpu, BackendChoice::Cpu] };
        let mut problem = None;
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
                Err(error) => problem = Some(error),
            }
        }
        Err(match problem {
            Some(problem) => DeskError::NoOtherDevice { error: Box::new(error), problem: Box::new(problem), step },
            None => error.into(),
        })
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
    pub(super) async fn keep(&mut self) -> Result<(), RunError> {
        let Some(live) = self.live.as_mut().filter(|live| live.driver.at_boundary()) else { return Ok(()) };
        let step = live.driver.step();
        let Ok(node) = self.project.node_mut(live.node) else { return Ok(()) };
        if node.states.last().is_none_or(|state| state.step != step) {
            node.keep(live.driver.trainer.state().await?);
        }
        Ok(())
    }

    /// Reports updates and results; at most a few times per second unless `at_once`.
    pub(super) fn report_progress(&mut self, now: f64, at_once: bool) {
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
    pub(super) async fn report_batch(&mut self, now: f64, at_once: bool, evaluated: bool) -> Result<(), RunError> {
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
    async fn inspect(&mut self, clock: &SharedClock) -> Result<(), DeskError> {
        let now = clock.now();
        let waits = self.training && now - self.times.watch < WATCH_SECONDS;
        let Some(live) = self.live.as_mut().filter(|_| self.watch.due && !waits) else { return Ok(()) };
        match self.watch.reply(live, &self.project).await {
            Ok(Some((watched, maps))) => {
                self.messages.push((Event::Align(AlignEvent::Watched(Box::new(watched))), Some(maps)));
            }
            Ok(None) => (),
            Err(RunError::Train(error)) if error.needs_another_device() => return self.recover(error, clock).await,
            // A prompt of the user's that does not fit stops nothing.
            Err(error) => {
                self.watch.prompt = None;
                self.emit(AlignEvent::Notice { message: error.to_string() });
            }
        }
        self.times.watch = clock.now();
        Ok(())
    }
}
