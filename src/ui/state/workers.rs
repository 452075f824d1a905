//! The workers that share batches on the CPU.

use crate::protocol::Command;
use crate::protocol::workers::{MAX_WORKERS, WorkersCommand, WorkersEvent};

/// How the number of workers was determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// By the user.
    Chosen(usize),
    /// By the browser, which reports this many cores. The worker measures how many of them there are.
    Reported(usize),
    /// By an earlier measurement.
    Measured {
        /// All workers.
        n: usize,
        /// The cores that the browser reports.
        reported: usize,
    },
}

/// How many there are and are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkersState {
    /// How many are asked for.
    pub wanted: usize,
    /// How many compute now.
    pub computing: usize,
    /// The cores that the browser reports, unless the user chose the number.
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
    /// Asks for so many from now on.
    pub fn want(&mut self, wanted: Wanted) {
        let (n, reported, unmeasured) = match wanted {
            Wanted::Chosen(n) => (n, None, false),
            Wanted::Reported(reported) => (reported, Some(reported), true),
            Wanted::Measured { n, reported } => (n, Some(reported), false),
        };
        (self.wanted, self.reported, self.unmeasured) = (n.clamp(1, MAX_WORKERS), reported, unmeasured);
    }

    /// What the worker that owns the run is told.
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

    /// Takes in what the worker reports.
    pub fn hear(&mut self, event: &WorkersEvent) {
        match event {
            WorkersEvent::Computing { n } => self.computing = *n,
            WorkersEvent::Measured { n } if self.unmeasured => (self.wanted, self.unmeasured) = (*n, false),
            _ => (),
        }
    }
}
