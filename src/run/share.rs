//! Data parallelism of a run.

use super::{Message, Run};
use crate::parallel::pool::SharedPool;
use crate::train::trainer::TrainError;
use crate::wire::Event;
use crate::wire::workers::WorkersEvent;

impl Run {
    /// Shares the batches of further steps between `n` workers, including this one; reports the actual number of workers.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn share(&mut self, crew: Option<SharedPool>, n: usize) -> Result<Event, TrainError> {
        self.trainer.share(crew, n)?;
        self.meter.forget();
        Ok(self.computing())
    }

    /// Whether the run uses the CPU backend.
    pub fn is_on_cpu(&self) -> bool {
        self.trainer.is_on_cpu()
    }

    /// Emits a notice if the helpers have failed.
    pub(super) fn tell_desertion(&mut self, messages: &mut Vec<Message>) {
        let Some(reason) = self.trainer.deserted() else { return };
        self.meter.forget();
        let message = format!("Training goes on with one worker, because another one failed: {reason}.");
        messages.push((Event::Notice { run: self.id, message }, None));
        messages.push((self.computing(), None));
    }

    fn computing(&self) -> Event {
        Event::Workers { run: self.id, event: WorkersEvent::Computing { n: self.trainer.n_workers() } }
    }
}
