//! Several workers for one run: as the one that owns the run, and as a helper of another.

use super::Session;
use crate::protocol::Event;
use crate::protocol::workers::{MOST_WORKERS, WorkersCommand, WorkersEvent};
use crate::train::shards::{Desk, SharedCrew};

/// Who helps, whom this one helps.
pub(super) struct Workers {
    /// All that are to compute together.
    n: usize,
    crew: Option<SharedCrew>,
    desk: Desk,
}

impl Default for Workers {
    fn default() -> Self {
        Self { n: 1, crew: None, desk: Desk::default() }
    }
}

impl Session {
    /// Gives the session a crew, which its runs on the CPU share their batches with.
    pub fn lend(&mut self, crew: SharedCrew) {
        self.workers.crew = Some(crew);
    }

    pub(super) fn handle_workers(&mut self, command: WorkersCommand, bytes: Option<Vec<u8>>) {
        let result = match command {
            WorkersCommand::Share { n } => {
                self.workers.n = n.clamp(1, MOST_WORKERS);
                self.share_run();
                return;
            }
            WorkersCommand::Prepare { config } => self.workers.desk.prepare(&config).map_err(|error| error.to_string()),
            WorkersCommand::Gradients { order } => {
                let answer = self.workers.desk.gradients(&bytes.unwrap_or_default());
                answer.map(|bytes| {
                    (self.sink)(Event::Workers { run: 0, event: WorkersEvent::Gradients { order } }, Some(bytes));
                })
            }
        };
        if let Err(message) = result {
            self.tell(Event::Failed { run: 0, message });
        }
    }

    /// Shares the batches of the run between as many workers as are wanted, and says how many those are.
    pub(super) fn share_run(&mut self) {
        let (crew, n) = (self.workers.crew.clone(), self.workers.n);
        let Some(run) = &mut self.run else { return };
        match run.share(crew, n) {
            Ok(event) => self.tell(event),
            Err(error) => drop(self.report(Err(error))),
        }
    }
}
