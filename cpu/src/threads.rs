//! The only module that splits work between threads. A browser gives its wasm a single thread.
//!
//! The division of work into pieces never depends on the number of threads, and no piece adds to the results of another:
//! results are bit-identical for any number of threads.

use std::thread;

/// The number of threads: the number of processor cores, unless [`set_count`] or `RAYON_NUM_THREADS` sets another.
pub fn count() -> usize {
    pool::count()
}

/// Sets the number of threads, once, before their first use.
///
/// # Errors
/// When the threads are already in use.
#[cfg(not(target_arch = "wasm32"))]
pub fn set_count(n: usize) -> Result<(), rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new().num_threads(n).build_global()
}

/// Calls `work` once for each item, on all threads, and waits until all calls have returned.
pub fn each<T: Send>(items: Vec<T>, work: impl Fn(T) + Send + Sync) {
    if items.len() < 2 || count() == 1 {
        items.into_iter().for_each(work);
    } else {
        pool::each(items, work);
    }
}

/// Parallelism setting for the matmul crate.
pub(crate) fn for_products() -> gemm::Parallelism {
    pool::for_products()
}

/// Runs `worker` once per core, in parallel, and returns the results. Workers take their work from shared state.
pub fn on_all_cores<T: Send>(worker: impl Fn() -> T + Sync) -> Vec<T> {
    let n_cores = count();
    if n_cores == 1 {
        return vec![worker()];
    }
    thread::scope(|scope| {
        let workers: Vec<_> = (0..n_cores).map(|_| scope.spawn(&worker)).collect();
        // A panic continues in the calling thread.
        let join =
            |worker: thread::ScopedJoinHandle<'_, T>| worker.join().unwrap_or_else(|p| std::panic::resume_unwind(p));
        workers.into_iter().map(join).collect()
    })
}

#[cfg(not(target_arch = "wasm32"))]
mod pool {
    use rayon::iter::{IntoParallelIterator, ParallelIterator};

    pub fn count() -> usize {
        rayon::current_num_threads()
    }

    pub fn for_products() -> gemm::Parallelism {
        if count() == 1 { gemm::Parallelism::None } else { gemm::Parallelism::Rayon(count()) }
    }

    pub fn each<T: Send>(items: Vec<T>, work: impl Fn(T) + Send + Sync) {
        items.into_par_iter().for_each(work);
    }
}

#[cfg(target_arch = "wasm32")]
mod pool {
    pub fn count() -> usize {
        1
    }

    pub fn for_products() -> gemm::Parallelism {
        gemm::Parallelism::None
    }

    pub fn each<T: Send>(items: Vec<T>, work: impl Fn(T) + Send + Sync) {
        items.into_iter().for_each(work);
    }
}
