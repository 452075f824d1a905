//! Recovery: reports a divergence with its origin, and after a lost device continues the run on another one from its latest
//! snapshot.

use super::Session;
use super::device::{Device, open_device};
use crate::data::prepare::encode;
use crate::gpu::backend::ExecuteError;
use crate::run::{Lost, Run};
use crate::types::BackendChoice;
use crate::types::runs::CorpusRecord;
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
        match run.trace().await {
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
        let config = self.run.as_ref().map(Run::config);
        self.lost_devices.add(error, config.as_ref());
    }

    /// Continues the run on another device if its own was lost: on a new one, or on the CPU after several losses. If that fails
    /// as well, the run ends and its file is offered for download.
    pub(super) async fn recover(&mut self) {
        let Some(why) = self.lost_devices.take_why() else { return };
        let Some(lost) = self.run.take().and_then(Run::into_lost) else { return };
        // Frees the memory of a device that is out of memory but not lost.
        self.device = None;
        let run = lost.id;
        let mut problem = String::new();
        for &choice in self.lost_devices.successors() {
            match self.take_up(&lost, choice).await {
                Ok(()) => {
                    let message = self.lost_devices.goes_on(&why, choice, lost.state.step);
                    self.tell(Event::Notice { run, message });
                    return;
                }
                Err(message) => problem = message,
            }
        }
        self.offer(&lost);
        let step = lost.state.step;
        let message = format!("{why}. No other device could go on ({problem}); step {step} is saved");
        self.tell(Event::Failed { run, message });
    }

    async fn take_up(&mut self, lost: &Lost, choice: BackendChoice) -> Result<(), String> {
        let CorpusRecord { choice: corpus, asked, .. } = &lost.corpus;
        let (_, text) = self.read_corpus(*corpus, asked)?;
        let mut device: Device = open_device(choice).await?;
        device.context.iter().for_each(|context| context.losses.set(self.lost_devices.count()));
        let tokenizer = lost.tokenizer();
        let data = encode(&text, tokenizer, &lost.config).map_err(|error| error.to_string())?;
        let (mut run, _) =
            self.build(lost.id, lost.config.clone(), &mut device, data, lost.corpus.clone(), text.len()).await?;
        run.take_up(lost);
        self.tell_device(lost.id, &device);
        let (step, train) = (lost.state.step, Box::new(run.config().train));
        self.tell(Event::Runs { run: lost.id, event: RunsEvent::WentBack { step, train } });
        let on = lost.training.then(|| run.train());
        (self.run, self.device) = (Some(run), Some(device));
        on.into_iter().for_each(|event| self.tell(event));
        self.share_run().await;
        Ok(())
    }

    /// Emits the run's file.
    fn offer(&mut self, lost: &Lost) {
        if let Ok((about, bytes)) = lost.file() {
            (self.sink)(Event::Runs { run: lost.id, event: RunsEvent::Saved { about } }, Some(bytes));
        }
    }
}
