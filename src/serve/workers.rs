//! Data parallelism of a session: as the worker that owns the run, and as a helper.

use super::Session;
use crate::parallel::measure::{date_ms, spin, useful_workers};
use crate::parallel::pool::SharedPool;
use crate::parallel::shard::ShardServer;
use crate::types::workers::MAX_WORKERS;
use crate::wire::Event;
use crate::wire::workers::{WorkersCommand, WorkersEvent};

/// Maximum duration of a measurement on a helper.
const MAX_SPIN_MS: f64 = 1_000.0;

/// The worker pool of this session, and its shard as a helper.
pub(super) struct Workers {
    /// Total number of workers.
    n: usize,
    /// Whether `n` is the number reported by the browser, which still has to be measured.
    unmeasured: bool,
    pool: Option<SharedPool>,
    desk: ShardServer,
}

impl Default for Workers {
    fn default() -> Self {
        Self { n: 1, unmeasured: false, pool: None, desk: ShardServer::default() }
    }
}

impl Session {
    /// Sets the worker pool that shares the batches of runs on the CPU.
    pub fn lend(&mut self, pool: SharedPool) {
        self.workers.pool = Some(pool);
    }

    pub(super) async fn handle_workers(&mut self, command: WorkersCommand, bytes: Option<Vec<u8>>) {
        let result = match command {
            WorkersCommand::Share { n } => {
                (self.workers.n, self.workers.unmeasured) = (n.clamp(1, MAX_WORKERS), false);
                return self.share_run().await;
            }
            WorkersCommand::Measure { reported } => {
                (self.workers.n, self.workers.unmeasured) = (reported.clamp(1, MAX_WORKERS), true);
                return self.share_run().await;
            }
            WorkersCommand::Spin { order, from_ms, to_ms } => {
                let rounds = spin(from_ms, to_ms.min(date_ms() + MAX_SPIN_MS));
                return self.tell(Event::Workers { run: 0, event: WorkersEvent::Spun { order, rounds } });
            }
            WorkersCommand::Prepare { config } => self.workers.desk.prepare(&config),
            WorkersCommand::Gradients { order } => {
                let answer = self.workers.desk.gradients(&bytes.unwrap_or_default());
                answer.map(|bytes| {
                    (self.sink)(Event::Workers { run: 0, event: WorkersEvent::Gradients { order } }, Some(bytes));
                })
            }
        };
        if let Err(error) = result {
            self.tell(Event::Failed { run: 0, message: error.to_string() });
        }
    }

    /// Shares the batches of the run between the requested number of workers, and reports the actual number.
    pub(super) async fn share_run(&mut self) {
        self.measure_workers().await;
        let (pool, n) = (self.workers.pool.clone(), self.workers.n);
        let Some(run) = &mut self.run else { return };
        let result = run.driver.share(pool, n, &mut run.view);
        self.tell_run();
        self.report(result.map(|()| true));
    }

    /// Replaces the number of cores reported by the browser by the number of workers that increase throughput, once a run on
    /// the CPU needs it.
    async fn measure_workers(&mut self) {
        let run = self.run.as_ref().filter(|run| self.workers.unmeasured && run.driver.is_on_cpu()).map(|run| run.id());
        let (Some(run), Some(pool)) = (run, self.workers.pool.clone()) else { return };
        let n = useful_workers(&pool, self.workers.n).await;
        (self.workers.n, self.workers.unmeasured) = (n, false);
        self.tell(Event::Workers { run, event: WorkersEvent::Measured { n } });
    }
}
