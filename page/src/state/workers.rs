//! The workers that share batches on the CPU.

use glasshead::types::workers::MAX_WORKERS;
use glasshead::wire::Command;
use glasshead::wire::workers::{WorkersCommand, WorkersEvent};

/// How the number of workers was determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Chosen by the user.
    Chosen(usize),
    /// Reported by the browser as its number of cores, still to be measured by the worker.
    Reported(usize),
    /// Measured earlier.
    Measured {
        /// The number of workers.
        n: usize,
        /// The number of cores that the browser reports.
        reported: usize,
    },
}

/// The requested and the actual number of workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkersState {
    /// The requested number.
    pub wanted: usize,
    /// The number currently computing.
    pub computing: usize,
    /// The number of cores that the browser reports, unless the user chose the number.
    pub reported: Option<usize>,
    /// Whether `wanted` still has to be measured.
    unmeasured: bool,
}

impl Default for WorkersState {
    fn default() -> Self {
        Self { wanted: 1, computing: 1, reported: None, unmeasured: false }
    }
}

impl WorkersState {
    /// Sets the requested number.
    pub fn want(&mut self, wanted: Wanted) {
        let (n, reported, unmeasured) = match wanted {
            Wanted::Chosen(n) => (n, None, false),
            Wanted::Reported(reported) => (reported, Some(reported), true),
            Wanted::Measured { n, reported } => (n, Some(reported), false),
        };
        (self.wanted, self.reported, self.unmeasured) = (n.clamp(1, MAX_WORKERS), reported, unmeasured);
    }

    /// The command for the worker that owns the run.
    pub fn command(self) -> Command {
        Command::Workers(match self.unmeasured {
            true => WorkersCommand::Measure { reported: self.wanted },
            false => WorkersCommand::Share { n: self.wanted },
        })
    }

    /// The reported number of cores, if the measurement found fewer.
    pub fn doubted(self) -> Option<usize> {
        self.reported.filter(|&reported| !self.unmeasured && self.wanted < reported.min(MAX_WORKERS))
    }

    /// Handles an event from the worker.
    pub fn hear(&mut self, event: &WorkersEvent) {
        match event {
            WorkersEvent::Computing { n } => self.computing = *n,
            WorkersEvent::Measured { n } if self.unmeasured => (self.wanted, self.unmeasured) = (*n, false),
            _ => (),
        }
    }
}
