//! Recovery: reports a divergence with its origin, and after a lost device continues the run on another one from its latest
//! snapshot.

use super::Session;
use super::device::open_device;
use super::error::ServeError;
use super::run::PageRun;
use crate::data::Dataset;
use crate::gpu::backend::ExecuteError;
use crate::run::LostRun;
use crate::run::recovery::{Builder, Unrecoverable};
use crate::train::trainer::Trainer;
use crate::types::BackendChoice;
use crate::wire::Event;
use crate::wire::runs::RunsEvent;

impl Session {
    /// Destroys the run's device, as a driver reset does; used by tests.
    pub fn lose_device(&self) {
        let context = self.device.as_ref().and_then(|device| device.context.as_ref());
        context.into_iter().for_each(|context| context.device.destroy());
    }

    /// Reports a divergence and its origin.
    pub(super) async fn trace_divergence(&mut self) {
        let Some((step, message)) = self.diverged.take() else { return };
        let Some(run) = &mut self.run else { return };
        match run.driver.trace().await {
            Ok(origin) => {
                let run = run.id();
                let message = format!("{message}; {origin}.");
                self.tell(Event::Diverged { run, step, message });
            }
            Err(error) => drop(self.report(Err(error))),
        }
    }

    /// Records that the device was lost or is out of memory; the next unit of work recovers the run.
    pub(super) fn lost(&mut self, error: ExecuteError) {
        let config = self.run.as_ref().map(|run| run.driver.config());
        self.lost_devices.add(error, config.as_ref());
    }

    /// Continues the run on another device if its own was lost: on a new one, or on the CPU after several losses. If that fails
    /// as well, the run ends and its file is offered for download.
    pub(super) async fn recover(&mut self) {
        let Some(PageRun { driver, mut view, .. }) = self.run.take_if(|_| self.lost_devices.is_pending()) else {
            return;
        };
        let mut lost_devices = std::mem::take(&mut self.lost_devices);
        let recovered = lost_devices.recover(driver.into_lost(), self, &mut view).await;
        self.lost_devices = lost_devices;
        match recovered {
            Ok(driver) => {
                self.run = Some(PageRun::from_parts(driver, view));
                self.tell_run();
                self.share_run().await;
            }
            Err(end) => self.end_lost(*end),
        }
    }

    /// Ends a run that no device can continue, and emits its file.
    fn end_lost(&mut self, Unrecoverable { run, why, problem }: Unrecoverable) {
        let id = self.run_id;
        if let Ok(Some((about, bytes))) = run.file() {
            (self.sink)(Event::Runs { run: id, event: RunsEvent::Saved { about } }, Some(bytes));
        }
        let message = format!("{why}. No other device could go on ({problem}); step {} is saved", run.step());
        self.tell(Event::Failed { run: id, message });
    }
}

impl Builder for Session {
    type Error = ServeError;

    fn release(&mut self) {
        self.device = None;
    }

    async fn build(&mut self, run: &LostRun, backend: BackendChoice, losses: u32) -> Result<Trainer, ServeError> {
        let corpus = run.corpus.as_ref().ok_or(ServeError::NoText)?;
        let (_, text) = self.read_corpus(corpus.choice, &corpus.asked)?;
        let mut device = open_device(backend).await?;
        device.context.iter().for_each(|context| context.losses.set(losses));
        let dataset = Dataset::new(&run.tokenizer, &text, run.config.model.context_length);
        let trainer = self.trainer(self.run_id, run.config.clone(), &mut device, &dataset?).await?;
        self.tell_device(self.run_id, &device);
        self.device = Some(device);
        Ok(trainer)
    }
}
