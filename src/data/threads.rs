//! The one place that splits work between threads. A browser gives its wasm a single one, and says so here.

use std::thread;

/// Runs `worker` once per core, at the same time, and returns what each came to. Workers share what they take work from.
pub fn on_all_cores<T: Send>(worker: impl Fn() -> T + Sync) -> Vec<T> {
    let n_cores = thread::available_parallelism().map_or(1, |n| n.get());
    if n_cores == 1 {
        return vec![worker()];
    }
    thread::scope(|scope| {
        let workers: Vec<_> = (0..n_cores).map(|_| scope.spawn(&worker)).collect();
        // A panic goes on in the thread that asked for the work.
        let join =
            |worker: thread::ScopedJoinHandle<'_, T>| worker.join().unwrap_or_else(|p| std::panic::resume_unwind(p));
        workers.into_iter().map(join).collect()
    })
}
