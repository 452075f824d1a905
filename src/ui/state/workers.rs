//! The workers that share batches on the CPU.

use crate::protocol::Command;
use crate::protocol::workers::{MOST_WORKERS, WorkersCommand, WorkersEvent};

/// How many there are and are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkersState {
    /// How many are asked for.
    pub wanted: usize,
    /// How many compute now.
    pub computing: usize,
}

impl Default for WorkersState {
    fn default() -> Self {
        Self { wanted: 1, computing: 1 }
    }
}

impl WorkersState {
    /// Asks for so many from now on.
    pub fn want(&mut self, n: usize) {
        self.wanted = n.clamp(1, MOST_WORKERS);
    }

    /// What the worker that owns the run is told.
    pub fn command(self) -> Command {
        Command::Workers(WorkersCommand::Share { n: self.wanted })
    }

    pub(super) fn hear(&mut self, event: &WorkersEvent) {
        if let WorkersEvent::Computing { n } = event {
            self.computing = *n;
        }
    }
}
