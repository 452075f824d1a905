//! Snapshots of a run, taken at regular intervals: stored by the observer, and kept in memory to go back to when the run diverged
//! or its device was lost.

use super::observer::{Observer, Work};
use super::{Driver, Mode};
use crate::gpu::interpret::has_room;
use crate::run::policy::{Policy, SNAPSHOT_SECONDS};
use crate::train::trainer::{TrainError, TrainingState, WeightsVersion};
use crate::types::{History, StepPoint};

/// A snapshot's loss is the mean over this number of steps.
const STEPS: usize = 20;

/// If the loss has risen by more than this since the last snapshot, in nats, the run is about to diverge and no snapshot is
/// taken.
const MAX_RISE: f32 = 1.0;

/// The latest snapshot and the schedule of the next one.
pub(super) struct Snapshots {
    latest: Option<Snapshot>,
    every_seconds: f64,
    /// Whether they are reported.
    reported: bool,
    /// When the latest one was taken or the run was created, on the clock.
    taken: f64,
    /// Version of its weights, or of the initial ones.
    version: WeightsVersion,
    /// Mean loss at that time.
    loss: Option<f32>,
}

/// A snapshot in memory.
struct Snapshot {
    state: TrainingState,
    evaluated_at: Option<u64>,
}

impl Snapshots {
    pub fn new(policy: &Policy, now: f64, version: WeightsVersion) -> Self {
        let (every_seconds, reported) = (policy.snapshot_seconds, policy.report_snapshots);
        Self { latest: None, every_seconds, reported, taken: now, version, loss: None }
    }

    /// `policy` with the settings in use.
    pub fn policy(&self, policy: Policy) -> Policy {
        Policy { snapshot_seconds: self.every_seconds, report_snapshots: self.reported, ..policy }
    }
}

/// Where a run goes back to.
pub(super) struct Past {
    pub state: TrainingState,
    pub evaluated_at: Option<u64>,
}

impl Driver {
    /// Resumes from a saved state, after `seconds` of training.
    pub fn resume(&mut self, state: TrainingState, history: History, seconds: f64) {
        self.trainer.restore(&state);
        (self.steps_done, self.seconds) = (state.step, seconds);
        (self.history, self.resumed_at) = (history, Some(state.step));
        self.snapshot_taken(state);
    }

    /// Records a snapshot and keeps it in memory if the policy asks for it.
    fn snapshot_taken(&mut self, state: TrainingState) {
        let snapshots = &mut self.snapshots;
        snapshots.loss = recent_loss(&self.history.points).or(snapshots.loss);
        (snapshots.taken, snapshots.version) = (self.clock.now(), self.trainer.weights_version());
        snapshots.latest = self.policy.keep_snapshot.then_some(Snapshot { state, evaluated_at: self.evaluated_at });
    }

    /// Takes a snapshot if the last one is old, unless the loss has increased substantially.
    pub(super) async fn save_regularly<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        let is_old = self.now() >= self.snapshots.taken + self.snapshots.every_seconds;
        if is_old && self.trainer.weights_version() != self.snapshots.version {
            self.save_unless_worse(observer).await?;
        }
        Ok(())
    }

    /// Takes a snapshot before the run pauses, if snapshots are reported and steps were done since the last one.
    pub(super) async fn save_at_pause<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        match self.snapshots.reported && self.trainer.weights_version() != self.snapshots.version {
            true => self.save_unless_worse(observer).await,
            false => Ok(()),
        }
    }

    async fn save_unless_worse<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        if !snapshots_fit(self.trainer.config().model.n_params(), usize::MAX as u64) || !self.has_room_for_file() {
            (self.snapshots.every_seconds, self.snapshots.reported) = (f64::INFINITY, false);
            observer
                .notice("There is no room in memory for copies of this model while it trains; save the run yourself.");
            return Ok(());
        }
        self.settle(observer).await?;
        let before = self.snapshots.loss.or(self.history.points.first().map(|point| point.loss));
        let now = recent_loss(&self.history.points);
        if now.zip(before).is_some_and(|(now, before)| now > before + MAX_RISE) {
            self.snapshots.taken = self.now();
            return Ok(());
        }
        self.save_now(observer).await
    }

    /// Takes a snapshot. No steps may be in flight.
    pub(super) async fn save_now<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        observer.before(Work::Save, self.steps_done);
        let state = self.trainer.state().await?;
        if self.snapshots.reported {
            observer.snapshot(self, &state);
        }
        self.snapshot_taken(state);
        Ok(())
    }

    /// Waits for the steps in flight and takes a snapshot.
    ///
    /// # Errors
    /// If the device failed or the run diverged.
    pub async fn save<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        self.settle(observer).await?;
        self.save_now(observer).await
    }

    /// Sets the interval between snapshots, and whether they are reported.
    pub fn set_snapshots(&mut self, every_seconds: Option<u32>) {
        let snapshots = &mut self.snapshots;
        snapshots.every_seconds = every_seconds.map_or(SNAPSHOT_SECONDS, f64::from);
        snapshots.reported = every_seconds.is_some();
    }

    /// The latest snapshot, or the untrained model if there is none.
    pub(super) fn past(&mut self) -> Past {
        match self.snapshots.latest.take() {
            Some(Snapshot { state, evaluated_at }) => Past { state, evaluated_at },
            None => Past { state: self.trainer.fresh_state(), evaluated_at: None },
        }
    }

    /// Goes back to the latest snapshot and continues with half the learning rate.
    pub fn continue_slower<O: Observer>(&mut self, observer: &mut O) {
        let past = self.past();
        let step = past.state.step;
        self.history.cut_after(step);
        let (history, resumed_at) = (std::mem::take(&mut self.history), self.resumed_at);
        self.evaluated_at = past.evaluated_at;
        self.resume(past.state, history, self.seconds);
        self.resumed_at = resumed_at;
        let mut train = self.trainer.config().train.clone();
        (train.max_lr, train.min_lr) = (train.max_lr / 2.0, train.min_lr / 2.0);
        // Half of a valid learning rate is valid.
        let _ = self.trainer.tune(&train);
        observer.went_back(step, &train);
        self.mode = Mode::Paused;
        self.train(observer);
    }

    /// Whether there is enough memory for a copy of the state and its file; running out of memory would terminate the program.
    pub(crate) fn has_room_for_file(&self) -> bool {
        // The parameters of a model in memory can be counted in a `usize`.
        has_room([3 * 4 * self.trainer.config().model.n_params() as usize; 2])
    }
}

/// Whether a snapshot, the previous one and a file fit into half of the addressable memory: the page's worker has 4 GiB, which
/// also contain the run.
fn snapshots_fit(n_params: u64, addressable: u64) -> bool {
    let bytes_of_one = 3 * 4 * n_params;
    3 * bytes_of_one <= addressable / 2
}

fn recent_loss(points: &[StepPoint]) -> Option<f32> {
    let recent = &points[points.len().saturating_sub(STEPS)..];
    (!recent.is_empty()).then(|| recent.iter().map(|point| point.loss).sum::<f32>() / recent.len() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_models_that_leave_room_are_copied() {
        let worker = u64::from(u32::MAX);
        assert!(snapshots_fit(22_696_448, worker), "the largest preset is");
        assert!(!snapshots_fit(124_439_808, worker), "GPT-2 small is not");
        assert!(snapshots_fit(124_439_808, u64::MAX));
    }
}
