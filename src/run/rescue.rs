//! Snapshots of a run in main memory, taken at regular intervals and restored when it diverged or its device was lost.

use super::{Message, Run};
use crate::gpu::interpret::has_room;
use crate::train::trainer::{TrainError, TrainingState, WeightsVersion};
use crate::types::StepPoint;
use crate::wire::Event;
use crate::wire::runs::RunsEvent;

/// Default interval between snapshots, in seconds.
pub(super) const EVERY_SECONDS: f64 = 30.0;

/// A snapshot's loss is the mean over this number of steps.
const STEPS: usize = 20;

/// If the loss has risen by more than this since the last snapshot, in nats, the run is about to diverge and no snapshot is
/// taken.
const MAX_RISE: f32 = 1.0;

/// A snapshot.
pub(super) struct Rescue {
    state: TrainingState,
    loss: Option<f32>,
    taken: f64,
    /// Version of its weights.
    version: WeightsVersion,
}

impl Run {
    /// Stores this state until the next snapshot.
    pub(super) fn keep_copy(&mut self, state: TrainingState) {
        self.rescue = Some(Rescue {
            loss: recent_loss(&self.history.points),
            state,
            taken: self.now(),
            version: self.trainer.weights_version(),
        });
    }

    /// Takes a snapshot if the last one is old, unless the loss has increased substantially.
    pub(super) async fn copy_regularly(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        let taken = self.rescue.as_ref().map_or(self.began, |rescue| rescue.taken);
        if self.now() < taken + self.copies.0 {
            return Ok(());
        }
        self.copy_now(messages).await
    }

    /// Takes a snapshot before the run pauses, if snapshots are reported and steps were done since the last one.
    pub(super) async fn copy_at_pause(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        let now = self.trainer.weights_version();
        let known = self.rescue.as_ref().map_or(self.first_version, |rescue| rescue.version);
        if self.copies.1 && now != known { self.copy_now(messages).await } else { Ok(()) }
    }

    async fn copy_now(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        if !copies_fit(self.trainer.config().model.n_params(), usize::MAX as u64) || !self.has_room_for_file() {
            self.copies = (f64::INFINITY, false);
            let message = "There is no room in memory for copies of this model while it trains; save the run yourself.";
            messages.push((Event::Notice { run: self.id, message: message.into() }, None));
            return Ok(());
        }
        self.settle().await?;
        messages.push((self.progress(Vec::new()), None));
        let before = match &self.rescue {
            Some(rescue) => rescue.loss,
            None => self.history.points.first().map(|point| point.loss),
        };
        let worse = recent_loss(&self.history.points).zip(before).is_some_and(|(now, before)| now > before + MAX_RISE);
        match &mut self.rescue {
            Some(rescue) if worse => rescue.taken = (self.clock)(),
            None if worse => self.began = self.now(),
            _ => {
                let state = self.trainer.state().await?;
                self.tell_copy(&state, messages);
                self.keep_copy(state);
            }
        }
        Ok(())
    }

    fn tell_copy(&self, state: &TrainingState, messages: &mut Vec<Message>) {
        // Errors are reported when the user saves the run explicitly.
        if self.copies.1
            && let Ok(Some((about, bytes))) = self.file(state, &self.name)
        {
            messages.push((Event::Runs { run: self.id, event: RunsEvent::Copied { about } }, Some(bytes)));
        }
    }

    /// Sets the snapshot interval and whether snapshots are reported.
    pub fn set_copies(&mut self, every_seconds: Option<u32>) {
        self.copies = (every_seconds.map_or(EVERY_SECONDS, f64::from), every_seconds.is_some());
    }

    /// The latest snapshot, or the untrained model if there is none.
    pub(super) fn copy(&self) -> TrainingState {
        self.rescue.as_ref().map_or_else(|| self.trainer.fresh_state(), |rescue| rescue.state.clone())
    }

    /// Restores the latest snapshot and resumes with half the learning rate.
    pub fn go_on_slower(&mut self, messages: &mut Vec<Message>) {
        let state = self.copy();
        self.history.cut_after(state.step);
        self.points.clear();
        (self.steps_done, self.seconds) = (state.step, self.history.seconds());
        self.trainer.restore(&state);
        let mut train = self.trainer.config().train.clone();
        (train.max_lr, train.min_lr) = (train.max_lr / 2.0, train.min_lr / 2.0);
        // Half of a valid learning rate is valid.
        drop(self.trainer.tune(&train));
        self.probe_changed = true;
        let (run, step) = (self.id, state.step);
        messages.push((Event::Runs { run, event: RunsEvent::WentBack { step, train: Box::new(train) } }, None));
        messages.push((self.train(), None));
    }
}

impl Run {
    /// Whether there is enough memory for a copy of the state and its file; running out of memory would terminate the program.
    pub(super) fn has_room_for_file(&self) -> bool {
        // The parameters of a model in memory can be counted in a `usize`.
        has_room([3 * 4 * self.trainer.config().model.n_params() as usize; 2])
    }
}

/// Whether a snapshot, the previous one and a file fit into half of the addressable memory: the page's worker has 4 GiB, which
/// also contain the run.
fn copies_fit(n_params: u64, addressable: u64) -> bool {
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
        assert!(copies_fit(22_696_448, worker), "the largest preset is");
        assert!(!copies_fit(124_439_808, worker), "GPT-2 small is not");
        assert!(copies_fit(124_439_808, u64::MAX));
    }
}
