//! Recovery from lost devices: another device continues the run, and after several losses the CPU does.

use std::fmt::Display;

use super::driver::{Driver, LostRun, Observer};
use crate::config::RunConfig;
use crate::gpu::backend::ExecuteError;
use crate::train::trainer::{TrainError, Trainer};
use crate::types::BackendChoice;

/// Maximum number of lost devices in a run; after one more it continues on the CPU.
const MAX: u32 = 3;

/// Builds trainers for a run.
#[allow(async_fn_in_trait)] // the future does not have to be `Send`: a driver stays on one thread
pub trait Builder {
    /// Why a device cannot continue a run.
    type Error: Display;

    /// Frees the lost device and everything on it.
    fn release(&mut self);

    /// Opens a device and builds a trainer for the run on it. `losses` devices were lost so far.
    ///
    /// # Errors
    /// If the device cannot continue the run.
    async fn build(&mut self, run: &LostRun, backend: BackendChoice, losses: u32) -> Result<Trainer, Self::Error>;
}

/// A run that no device can continue.
pub struct Unrecoverable {
    /// The run.
    pub run: LostRun,
    /// Why its device was lost.
    pub why: String,
    /// Why the last device could not continue it.
    pub problem: String,
}

/// The devices that a run has lost.
#[derive(Default)]
pub struct LostDevices {
    n: u32,
    /// The latest loss, in a sentence, until the run continues.
    why: Option<String>,
}

impl LostDevices {
    /// Records a device that was lost or is out of memory; `config` is the configuration of its run.
    pub fn add(&mut self, error: ExecuteError, config: Option<&RunConfig>) {
        let why = match error {
            ExecuteError::OutOfMemory(why) => {
                let advice = config.map_or_else(String::new, |config| config.advice(|_| true));
                format!("The GPU has no memory left ({}); if that happens again, {advice}", why.trim_end_matches('.'))
            }
            ExecuteError::DeviceLost(why) => format!("The GPU was lost: {}", why.trim_end_matches('.')),
            // Other errors do not require another device.
            other => other.to_string(),
        };
        self.n += 1;
        self.why = Some(why);
    }

    /// Whether a device was lost and its run has not continued yet.
    pub fn is_pending(&self) -> bool {
        self.why.is_some()
    }

    /// The backends to try next, in this order.
    fn successors(&self) -> &'static [BackendChoice] {
        if self.n > MAX { &[BackendChoice::Cpu] } else { &[BackendChoice::Gpu, BackendChoice::Cpu] }
    }

    /// Continues a run whose device was lost on another one, from its latest snapshot.
    ///
    /// # Errors
    /// If no device can continue it.
    pub async fn recover<B: Builder, O: Observer>(
        &mut self,
        run: LostRun,
        builder: &mut B,
        observer: &mut O,
    ) -> Result<Driver, Box<Unrecoverable>> {
        let why = self.why.take().unwrap_or_default();
        builder.release();
        let mut problem = String::new();
        for &backend in self.successors() {
            match builder.build(&run, backend, self.n).await {
                Ok(trainer) => {
                    let notice = self.notice(&why, backend, run.step());
                    let driver = Driver::continue_lost(run, trainer, observer);
                    observer.notice(&notice);
                    return Ok(driver);
                }
                Err(error) => problem = error.to_string(),
            }
        }
        Err(Box::new(Unrecoverable { run, why, problem }))
    }

    /// Message for a run that continues from `step` on the chosen backend.
    fn notice(&self, why: &str, backend: BackendChoice, step: u64) -> String {
        let on = match backend {
            BackendChoice::Cpu => "on the CPU, more slowly".to_string(),
            _ => format!("on a new device (loss {}; after {MAX} the CPU takes over), in smaller pieces", self.n),
        };
        format!("{why}. The run goes on by itself {on}, from step {step}, where the latest copy was kept.")
    }
}

impl TrainError {
    /// Whether the run can continue on another device.
    pub fn needs_another_device(&self) -> bool {
        matches!(self, Self::Execute(error) if error.needs_another_device())
    }
}
