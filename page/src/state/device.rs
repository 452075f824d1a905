//! Whether the device of the next run can train the draft. Only the worker opens devices; the page keeps their limits.

use super::error::DraftError;
use super::{Refused, State};
use glasshead::accounting::device::{DeviceError, check};
use glasshead::config::{RunConfig, ValidConfig};
use glasshead::types::{BackendChoice, DeviceInfo};

/// The name under which a draft is refused that the device cannot train.
pub(super) const DEVICE: &str = "device";

impl State {
    /// Stores the device of the run, for checks of later drafts.
    pub(super) fn hear_device(&mut self, device: DeviceInfo) {
        let choice = self.started.as_ref().map_or(self.draft.backend, |started| started.backend);
        self.devices.retain(|(known, _)| *known != choice);
        self.devices.push((choice, device.clone()));
        self.device = Some(device);
    }

    /// The device that a run of the draft would use, if it is known: that of the last run with the same backend, or one
    /// that the backend would open.
    pub fn draft_device(&self) -> Option<&DeviceInfo> {
        let choice = self.draft.backend;
        let same = self.devices.iter().find(|(known, _)| *known == choice);
        let other = self.devices.iter().find(|(_, device)| device.is_cpu() == (choice == BackendChoice::Cpu));
        same.or(other).map(|(_, device)| device)
    }

    /// Why the device cannot train a configuration.
    fn device_problem(&self, config: &ValidConfig) -> Option<DeviceError> {
        let device = self.draft_device()?;
        check(config, &device.limits, &device.name).err()
    }

    /// Validates a configuration for the draft. A device that cannot train the draft as it is refuses no further change,
    /// because several may be needed.
    ///
    /// # Errors
    /// A message that says what to change.
    pub(super) fn check_draft(&self, config: RunConfig) -> Result<ValidConfig, DraftError> {
        let config = self.draft.check(config)?;
        match self.device_problem(&config) {
            Some(problem) if self.refused(DEVICE).is_none() => Err(problem.into()),
            _ => Ok(config),
        }
    }

    /// Refuses the draft as a whole while the device cannot train it.
    pub(super) fn review_device(&mut self) {
        let problem = self.device_problem(&self.draft.config).map(|error| error.to_string());
        if self.refused(DEVICE).map(|refused| &refused.problem) == problem.as_ref() {
            return;
        }
        self.accept(DEVICE);
        if let Some(problem) = problem {
            self.refused.push(Refused { name: DEVICE.into(), text: String::new(), problem });
        }
    }
}
