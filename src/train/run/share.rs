//! A run whose batches several workers share.

use super::{Message, Run};
use crate::protocol::Event;
use crate::protocol::workers::WorkersEvent;
use crate::train::shards::SharedCrew;
use crate::train::trainer::TrainError;

impl Run {
    /// Shares the batches of further steps between `n` workers, this one among them; how many it are.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn share(&mut self, crew: Option<SharedCrew>, n: usize) -> Result<Event, TrainError> {
        self.trainer.share(crew, n)?;
        self.meter.forget();
        Ok(self.computing())
    }

    /// Whether the run is computed by the CPU backend.
    pub fn is_on_cpu(&self) -> bool {
        self.trainer.is_on_cpu()
    }

    /// Says that the others are gone, if they are.
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
