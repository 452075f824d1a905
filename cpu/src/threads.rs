//! The one place that splits work between threads. A browser gives its wasm a single one, and says so here.
//!
//! How work is cut into pieces never depends on the number of threads, and no piece adds to what another has written:
//! results are the same to the bit however many there are.

use std::thread;

/// How many threads there are: as many as the processor has cores, or as [`set_count`] or `RAYON_NUM_THREADS` say.
pub fn count() -> usize {
    pool::count()
}

/// Sets how many threads there are, once, before anything uses them.
///
/// # Errors
/// A sentence when they are in use already.
pub fn set_count(n: usize) -> Result<(), String> {
    pool::set_count(n)
}

/// Calls `work` once for each item, on all threads, and waits until all is done.
pub fn each<T: Send>(items: Vec<T>, work: impl Fn(T) + Send + Sync) {
    if items.len() < 2 || count() == 1 {
        items.into_iter().for_each(work);
    } else {
        pool::each(items, work);
    }
}

/// What the crate of matrix products is to use.
pub(crate) fn for_products() -> gemm::Parallelism {
    pool::for_products()
}

/// Runs `worker` once per core, at the same time, and returns what each came to. Workers share what they take work from.
pub fn on_all_cores<T: Send>(worker: impl Fn() -> T + Sync) -> Vec<T> {
    let n_cores = count();
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

#[cfg(not(target_arch = "wasm32"))]
mod pool {
    use rayon::iter::{IntoParallelIterator, ParallelIterator};

    pub fn count() -> usize {
        rayon::current_num_threads()
    }

    pub fn set_count(n: usize) -> Result<(), String> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n);
        pool.build_global().map_err(|error| format!("the number of threads could not be set: {error}"))
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

    pub fn set_count(n: usize) -> Result<(), String> {
        if n == 1 { Ok(()) } else { Err("a browser has one thread for this program".into()) }
    }

    pub fn for_products() -> gemm::Parallelism {
        gemm::Parallelism::None
    }

    pub fn each<T: Send>(items: Vec<T>, work: impl Fn(T) + Send + Sync) {
        items.into_iter().for_each(work);
    }
}
