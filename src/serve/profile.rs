//! Commands of the Systems view.

use super::Session;
use crate::gpu::backend::ExecuteError;
use crate::systems::precision::Histogram;
use crate::train::trainer::TrainError;
use crate::wire::Event;
use crate::wire::profile::{ProfileCommand, ProfileEvent};

impl Session {
    pub(super) async fn handle_profile(&mut self, command: ProfileCommand) {
        match command {
            ProfileCommand::Measure => self.measure_step().await,
            ProfileCommand::Round { tensor, scale } => self.round_tensor(tensor, scale).await,
        }
    }

    async fn measure_step(&mut self) {
        let unavailable = |reason: &str| ProfileEvent::Unavailable { reason: reason.into() };
        let Some(run) = &mut self.run else {
            let event = unavailable("There is no run to time; start one.");
            return self.tell(Event::Profile { run: self.run_id, event });
        };
        let result = run.profile(self.device.as_ref().and_then(|device| device.context.as_ref())).await;
        let tensors = run.tensor_names();
        let run = run.id();
        self.tell_run();
        let event = match result {
            Ok(measured) => {
                let (trace, memory) = (Box::new(measured.trace), Box::new(measured.memory));
                let event = ProfileEvent::Timeline { trace, memory, tensors };
                self.tell(Event::Profile { run, event });
                ProfileEvent::Measured(Box::new(measured.profile))
            }
            Err(TrainError::Execute(ExecuteError::NoTimestamps)) => unavailable(
                "This adapter takes no timestamps, so its kernels cannot be timed one by one; the CPU backend's can.",
            ),
            Err(error) => {
                self.report(Err(error));
                unavailable("The step could not be timed.")
            }
        };
        self.tell(Event::Profile { run, event });
    }

    async fn round_tensor(&mut self, tensor: String, scale: f32) {
        let Some(run) = &mut self.run else { return };
        match run.tensor(&tensor).await {
            Ok(Some(values)) => {
                let histogram = Box::new(Histogram::new(&values, scale));
                let event = ProfileEvent::Rounded { tensor, scale, histogram };
                let run = run.id();
                self.tell(Event::Profile { run, event });
            }
            Ok(None) => (),
            Err(error) => {
                self.report(Err(error));
            }
        }
    }
}
