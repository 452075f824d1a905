//! Commands of the Profile view.

use super::Session;
use crate::gpu::backend::ExecuteError;
use crate::train::trainer::TrainError;
use crate::wire::Event;
use crate::wire::profile::{ProfileCommand, ProfileEvent};

impl Session {
    pub(super) async fn handle_profile(&mut self, command: ProfileCommand) {
        let ProfileCommand::Measure = command;
        let unavailable = |reason: &str| ProfileEvent::Unavailable { reason: reason.into() };
        let Some(run) = &mut self.run else {
            let event = unavailable("There is no run to time; start one.");
            return self.tell(Event::Profile { run: self.run_id, event });
        };
        let result = run.profile(self.device.as_ref().and_then(|device| device.context.as_ref())).await;
        let run = run.id();
        self.tell_run();
        let event = match result {
            Ok(profile) => ProfileEvent::Measured(Box::new(profile)),
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
}
