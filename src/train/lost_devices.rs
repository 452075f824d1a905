//! Devices that are lost while a model trains on them: another one takes over, and after several losses the CPU does.

use crate::config::RunConfig;
use crate::gpu::backend::ExecuteError;
use crate::protocol::BackendChoice;

/// So many devices may be lost in one run until the CPU takes it up.
const MAX: u32 = 3;

/// The devices that a run has lost.
#[derive(Default)]
pub struct LostDevices {
    n: u32,
    /// The latest of them, in a sentence, until the run goes on.
    why: Option<String>,
}

impl LostDevices {
    /// One more is gone or has no memory left; the run that it computed has this configuration.
    pub fn add(&mut self, error: ExecuteError, config: Option<&RunConfig>) {
        let why = match error {
            ExecuteError::OutOfMemory(why) => {
                let advice = config.map_or_else(String::new, |config| config.advice(|_| true));
                format!("The GPU has no memory left ({}); if that happens again, {advice}", why.trim_end_matches('.'))
            }
            ExecuteError::DeviceLost(why) => format!("The GPU was lost: {}", why.trim_end_matches('.')),
            // No other needs another device.
            other => other.to_string(),
        };
        self.n += 1;
        self.why = Some(why);
    }

    /// How many were lost so far: the next one computes in pieces that are so many times four times smaller.
    pub fn count(&self) -> u32 {
        self.n
    }

    /// Why the latest one is gone, once: who asks takes the run up on another.
    pub fn take_why(&mut self) -> Option<String> {
        self.why.take()
    }

    /// What is to be tried in its place, in this order.
    pub fn successors(&self) -> &'static [BackendChoice] {
        if self.n > MAX { &[BackendChoice::Cpu] } else { &[BackendChoice::Gpu, BackendChoice::Cpu] }
    }

    /// The sentence for a run that goes on from `step` on what was chosen.
    pub fn goes_on(&self, why: &str, choice: BackendChoice, step: u64) -> String {
        let on = match choice {
            BackendChoice::Cpu => "on the CPU, more slowly".to_string(),
            _ => format!("on a new device (loss {}; after {MAX} the CPU takes over), in smaller pieces", self.n),
        };
        format!("{why}. The run goes on by itself {on}, from step {step}, where the latest copy was kept.")
    }
}
