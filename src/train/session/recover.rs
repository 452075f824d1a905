//! What happens when the numbers ran away, which is told with the place where it began, and when the device is gone: another
//! one takes the run up at the latest copy that was kept of it.

use super::Session;
use super::device::{Device, open_device};
use crate::gpu::backend::ExecuteError;
use crate::protocol::runs::{CorpusRecord, RunsEvent};
use crate::protocol::{BackendChoice, Event};
use crate::train::prepare::encode;
use crate::train::run::{Lost, Run};

impl Session {
    /// Destroys the run's device, as a reset of its driver does; tests look at what happens then.
    pub fn lose_device(&self) {
        let context = self.device.as_ref().and_then(|device| device.context.as_ref());
        context.into_iter().for_each(|context| context.device.destroy());
    }

    /// Tells that the numbers ran away, and where that began.
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

    /// Remembers that the device is gone or has no memory left; the next piece of work mends it.
    pub(super) fn lost(&mut self, error: ExecuteError) {
        let config = self.run.as_ref().map(Run::config);
        self.lost_devices.add(error, config.as_ref());
    }

    /// Takes the run up on another device, if its own is gone: on a new one, after several losses on the CPU. Where that
    /// fails as well, the run ends and its file is offered.
    pub(super) async fn recover(&mut self) {
        let Some(why) = self.lost_devices.take_why() else { return };
        let Some(lost) = self.run.take().and_then(Run::into_lost) else { return };
        // One that is not gone, but has no memory left, gives back what it has.
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

    /// Tells the run's file.
    fn offer(&mut self, lost: &Lost) {
        if let Ok((about, bytes)) = lost.file() {
            (self.sink)(Event::Runs { run: lost.id, event: RunsEvent::Saved { about } }, Some(bytes));
        }
    }
}
