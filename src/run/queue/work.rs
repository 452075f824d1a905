//! Workers of a queue.

use std::fs::File;
use std::sync::Mutex;
use std::thread;

use super::lock::claim;
use super::{Entry, LOCK, Queue, QueueError, STATE, State, in_file, write_json};
use crate::run::native::log::LogObserver;
use crate::run::native::{self, Outcome, RunError, StoreError, load};
use crate::run::{Evaluation, Observer};

/// What a worker reports.
#[derive(Clone, Copy, Debug)]
pub enum Report<'a> {
    /// A run begins, or continues from its checkpoint.
    Began(&'a Entry),
    /// The held-out loss of a run.
    Evaluated(&'a Entry, Evaluation),
    /// A run has ended, or was stopped with the queue.
    Ended(&'a Entry, &'a State),
    /// A message about a run that continues.
    Notice(&'a Entry, &'a str),
}

/// Number of runs that this call has trained to their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Runs that have ended by their rules.
    pub done: usize,
    /// Runs that have ended with an error.
    pub failed: usize,
    /// Runs that were stopped because the queue was paused.
    pub stopped: usize,
}

impl Queue {
    /// Trains the runs that are neither finished nor trained by another process, on `n_threads` threads, until none is left or
    /// the queue is paused. Runs that are added meanwhile are trained, too.
    ///
    /// # Errors
    /// If a file of the queue cannot be read or written. A run that fails does not end the others.
    pub fn run(&self, n_threads: usize, report: &(dyn Fn(Report<'_>) + Sync)) -> Result<Summary, QueueError> {
        let results: Mutex<Vec<Result<Summary, QueueError>>> = Mutex::default();
        thread::scope(|scope| {
            for _ in 0..n_threads.max(1) {
                scope.spawn(|| {
                    let result = self.work(report);
                    results.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(result);
                });
            }
        });
        let results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        results.into_iter().try_fold(Summary::default(), |sum, result| {
            let Summary { done, failed, stopped } = result?;
            Ok(Summary { done: sum.done + done, failed: sum.failed + failed, stopped: sum.stopped + stopped })
        })
    }

    /// Trains one run after the other.
    fn work(&self, report: &(dyn Fn(Report<'_>) + Sync)) -> Result<Summary, QueueError> {
        let mut summary = Summary::default();
        while !self.is_paused()
            && let Some((entry, _lock)) = self.claim()?
        {
            report(Report::Began(&entry));
            let state = self.train(&entry, report);
            match state {
                State::Done { .. } => summary.done += 1,
                State::Failed { .. } => summary.failed += 1,
                State::Waiting | State::Stopped { .. } => summary.stopped += 1,
            }
            write_json(&entry.folder.join(STATE), &state)?;
            report(Report::Ended(&entry, &state));
        }
        Ok(summary)
    }

    /// The first run that is left, and the lock that claims it until it is dropped.
    fn claim(&self) -> Result<Option<(Entry, File)>, QueueError> {
        for entry in self.entries_unlocked()? {
            if entry.state.is_final() {
                continue;
            }
            let path = entry.folder.join(LOCK);
            let Some(lock) = claim(&path).map_err(in_file(&path))? else { continue };
            // Another worker may have finished it since its state was read.
            let state = self.state(&entry.folder)?;
            if !state.is_final() {
                return Ok(Some((Entry { state, ..entry }, lock)));
            }
        }
        Ok(None)
    }

    fn train(&self, entry: &Entry, report: &(dyn Fn(Report<'_>) + Sync)) -> State {
        let mut watch = Watch { queue: self, entry, report };
        let mut log = LogObserver::new(Some(entry.log()));
        let trained = match load(&entry.model()) {
            Ok(saved) => Ok(Some(saved)),
            Err(StoreError::NoCheckpoint(_)) => {
                // The log of a process that was killed before its first save.
                std::fs::remove_dir_all(entry.log()).ok();
                Ok(None)
            }
            Err(error) => Err(RunError::from(error)),
        };
        let trained = trained.and_then(|saved| {
            let mut spec = entry.spec.clone();
            if let Some(saved) = &saved {
                // The vocabulary may have become smaller than what was asked for.
                spec.config.model = saved.checkpoint.config.model.clone();
            }
            pollster::block_on(native::run(&spec, &entry.model(), saved, &mut (&mut watch, &mut log)))
        });
        match trained {
            Ok(Outcome { step, reason: None, .. }) => State::Stopped { step },
            Ok(Outcome { step, val_loss, baselines, reason: Some(reason) }) => {
                State::Done { step, val_loss, baselines, reason }
            }
            Err(error) => State::Failed { message: error.to_string() },
        }
    }
}

/// Reports a run, and stops it when the queue is paused.
struct Watch<'a> {
    queue: &'a Queue,
    entry: &'a Entry,
    report: &'a (dyn Fn(Report<'_>) + Sync),
}

impl Observer for Watch<'_> {
    fn evaluated(&mut self, evaluation: Evaluation) {
        (self.report)(Report::Evaluated(self.entry, evaluation));
    }

    fn notice(&mut self, message: &str) {
        (self.report)(Report::Notice(self.entry, message));
    }

    fn warn(&mut self, message: &str) {
        (self.report)(Report::Notice(self.entry, message));
    }

    fn stops_now(&self) -> bool {
        self.queue.is_paused()
    }
}
