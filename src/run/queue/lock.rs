//! Locks that claim a run for one process: the system releases them when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How often a lock is tried, and the time between two attempts: those that only inspect a lock hold it for a moment.
const ATTEMPTS: usize = 4;
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(10);

/// Locks a file, which is created if it is missing, until the returned one is dropped; `None` if another process or thread has
/// locked it.
///
/// # Errors
/// If the file cannot be opened, or the file system has no locks.
pub fn claim(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            thread::sleep(ATTEMPT_INTERVAL);
        }
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => (),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether another process or thread has locked the file.
pub fn is_claimed(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}
