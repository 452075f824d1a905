//! Recovery from lost devices: another device continues the run, and after several losses the CPU does.

use crate::config::RunConfig;
use crate::gpu::backend::ExecuteError;
use crate::types::BackendChoice;

/// Maximum number of lost devices in a run; after one more it continues on the CPU.
const MAX: u32 = 3;

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

    /// Number of lost devices; each one divides the maximum size of a dispatch on the next device by 4.
    pub fn count(&self) -> u32 {
        self.n
    }

    /// Returns and clears the reason for the latest loss; the caller then continues the run on another device.
    pub fn take_why(&mut self) -> Option<String> {
        self.why.take()
    }

    /// The backends to try next, in this order.
    pub fn successors(&self) -> &'static [BackendChoice] {
        if self.n > MAX { &[BackendChoice::Cpu] } else { &[BackendChoice::Gpu, BackendChoice::Cpu] }
    }

    /// Message for a run that continues from `step` on the chosen backend.
    pub fn goes_on(&self, why: &str, choice: BackendChoice, step: u64) -> String {
        let on = match choice {
            BackendChoice::Cpu => "on the CPU, more slowly".to_string(),
            _ => format!("on a new device (loss {}; after {MAX} the CPU takes over), in smaller pieces", self.n),
        };
        format!("{why}. The run goes on by itself {on}, from step {step}, where the latest copy was kept.")
    }
}
