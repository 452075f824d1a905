//! What a driver does besides training, and when.

/// Default interval between snapshots, in seconds.
pub const SNAPSHOT_SECONDS: f64 = 30.0;

/// The policy of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// Whether the run can be paused and is watched: evaluations, the task's examples and samples then take a limited share of
    /// the time, in short pieces. Otherwise they follow the evaluation interval and run as a whole.
    pub interactive: bool,
    /// Seconds between two snapshots.
    pub snapshot_seconds: f64,
    /// Whether snapshots are reported to the observer, which stores them.
    pub report_snapshots: bool,
    /// Whether the latest snapshot stays in memory, to go back to it.
    pub keep_snapshot: bool,
    /// Whether samples are generated.
    pub samples: bool,
}

impl Policy {
    /// The policy of the page.
    pub fn interactive() -> Self {
        Self {
            interactive: true,
            snapshot_seconds: SNAPSHOT_SECONDS,
            report_snapshots: false,
            keep_snapshot: true,
            samples: true,
        }
    }

    /// The policy of a run that nobody watches: it is saved at this interval, and with every fifth evaluation.
    pub fn unattended(snapshot_seconds: f64) -> Self {
        Self { interactive: false, snapshot_seconds, report_snapshots: true, keep_snapshot: false, samples: false }
    }
}
