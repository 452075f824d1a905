//! Work on several threads whose results arrive in order, with a bounded number of items in flight.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Condvar, Mutex, PoisonError};

/// How many items may be in flight for each thread.
const AHEAD: usize = 3;

/// Counts finished items, so that the producer can wait.
#[derive(Default)]
struct Window {
    finished: Mutex<usize>,
    moved: Condvar,
}

impl Window {
    fn wait(&self, until: usize) {
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        while *finished < until {
            finished = self.moved.wait(finished).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn advance(&self, to: usize) {
        *self.finished.lock().unwrap_or_else(PoisonError::into_inner) = to;
        self.moved.notify_all();
    }
}

/// Produces items on one thread, transforms them on `n_threads`, and consumes the results in order on this one. The
/// first error of `consume` stops everything.
///
/// # Errors
/// The error of `consume`.
pub(super) fn ordered<T: Send, R: Send, E>(
    n_threads: usize,
    mut produce: impl FnMut() -> Option<T> + Send,
    work: impl Fn(T) -> R + Sync,
    mut consume: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let n_threads = n_threads.max(1);
    let (items_in, items_out) = mpsc::sync_channel::<(usize, T)>(n_threads);
    let (results_in, results_out) = mpsc::channel::<(usize, R)>();
    let items_out = Mutex::new(Some(items_out));
    let window = Window::default();
    std::thread::scope(|scope| {
        let window = &window;
        scope.spawn(move || {
            let mut at = 0;
            while let Some(item) = produce() {
                window.wait((at + 1usize).saturating_sub(AHEAD * n_threads));
                if items_in.send((at, item)).is_err() {
                    return;
                }
                at += 1;
            }
        });
        for _ in 0..n_threads {
            let (items, results, work) = (&items_out, results_in.clone(), &work);
            scope.spawn(move || {
                while let Some((at, item)) = next(items) {
                    if results.send((at, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(results_in);
        let result = in_order(&results_out, |result, n| {
            let consumed = consume(result);
            window.advance(n);
            consumed
        });
        // Lets the producer and the workers end.
        drop(results_out);
        window.advance(usize::MAX);
        items_out.lock().unwrap_or_else(PoisonError::into_inner).take();
        result
    })
}

fn next<T>(items: &Mutex<Option<Receiver<T>>>) -> Option<T> {
    items.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.recv().ok()
}

fn in_order<R, E>(results: &Receiver<(usize, R)>, mut consume: impl FnMut(R, usize) -> Result<(), E>) -> Result<(), E> {
    let (mut early, mut at) = (BTreeMap::new(), 0);
    for (index, result) in results {
        early.insert(index, result);
        while let Some(result) = early.remove(&at) {
            at += 1;
            consume(result, at)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_arrive_in_order_and_errors_stop() {
        let mut numbers = 0..1000;
        let mut seen = Vec::new();
        let all: Result<(), ()> = ordered(
            3,
            || numbers.next(),
            |n| n * 2,
            |n| {
                seen.push(n);
                Ok(())
            },
        );
        assert_eq!((all, seen), (Ok(()), (0..1000).map(|n| n * 2).collect()));
        let (mut endless, mut n_seen) = (0.., 0);
        let stopped = ordered(
            2,
            || endless.next(),
            |n| n,
            |n| {
                n_seen += 1;
                if n == 5 { Err("stop") } else { Ok(()) }
            },
        );
        assert_eq!((stopped, n_seen), (Err("stop"), 6));
    }
}
