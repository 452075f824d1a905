//! Queues of runs: a folder with one folder per run, which survives a kill.
//!
//! ```text
//! QUEUE/paused            exists while the queue is paused
//! QUEUE/0001-NAME/
//!     spec.json           the specification, as it was added
//!     state.json          how far it is: waiting, stopped, done or failed
//!     lock                locked by the process that trains it
//!     log/                log.csv, log.jsonl and an event file
//!     model/              checkpoints, with the record of losses
//! ```
//!
//! Runs are added at any time, also while others train. Each worker takes the first run that is neither finished nor locked, so
//! several threads and several processes can work on one queue. A run whose process was killed is unlocked, and the next worker
//! resumes it from its checkpoint.

pub mod lock;
mod work;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::work::{Report, Summary};
use super::RunSpec;
use super::native::{StoreError, load};
use crate::config::ConfigError;
use crate::data::DataError;
use crate::types::series::Series;
use crate::types::{Baselines, History};

/// Names of the files of a run.
const SPEC: &str = "spec.json";
const STATE: &str = "state.json";
const LOCK: &str = "lock";
const LOG: &str = "log";
const MODEL: &str = "model";

/// The file that pauses a queue.
const PAUSED: &str = "paused";

/// Why a queue cannot be used.
#[derive(Debug, Error)]
pub enum QueueError {
    /// A file cannot be read or written.
    #[error("{}", DataError::of_file(path, source))]
    File {
        /// Path of the file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} is not valid ({problem}); correct it or remove its folder", path.display())]
    Format {
        /// Path of the file.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
    /// A specification is invalid.
    #[error("the run {name} cannot be added: {error}")]
    Spec {
        /// Name of the run.
        name: String,
        /// The first invalid field.
        error: ConfigError,
    },
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum State {
    /// It has not begun, or its process was killed.
    #[default]
    Waiting,
    /// It was stopped with the queue, and continues from its checkpoint.
    Stopped {
        /// Steps done.
        step: u64,
    },
    /// It has ended by its rules.
    Done {
        /// Steps done.
        step: u64,
        /// The last held-out loss, in nats per token.
        val_loss: Option<f32>,
        /// Losses of simple models on the same tokens.
        baselines: Baselines,
        /// The rule, in words.
        reason: String,
    },
    /// It has ended with an error, for example because it diverged.
    Failed {
        /// The error.
        message: String,
    },
}

impl State {
    /// Whether nothing is left to do.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed { .. })
    }
}

/// A run of a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The name of its folder: a number and the run's name.
    pub id: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The specification.
    pub spec: RunSpec,
    /// How far it is.
    pub state: State,
    /// Whether a process trains it now.
    pub running: bool,
}

impl Entry {
    /// The folder of its checkpoints.
    pub fn model(&self) -> PathBuf {
        self.folder.join(MODEL)
    }

    /// The folder of its log.
    pub fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// The losses in its latest checkpoint; empty before the first one.
    ///
    /// # Errors
    /// If its checkpoints are damaged.
    pub fn history(&self) -> Result<History, StoreError> {
        match load(&self.model()) {
            Ok(saved) => Ok(saved.record.map(|record| record.history).unwrap_or_default()),
            Err(StoreError::NoCheckpoint(_)) => Ok(History::default()),
            Err(error) => Err(error),
        }
    }
}

/// A list of runs in a folder.
#[derive(Clone, Debug)]
pub struct Queue {
    folder: PathBuf,
}

impl Queue {
    /// Opens the queue in `folder`, which is created if it is missing.
    ///
    /// # Errors
    /// If the folder cannot be created.
    pub fn open(folder: &Path) -> Result<Self, QueueError> {
        fs::create_dir_all(folder).map_err(in_file(folder))?;
        Ok(Self { folder: folder.into() })
    }

    /// Adds a run at the end; returns its id.
    ///
    /// # Errors
    /// If the specification is invalid or cannot be written.
    pub fn add(&self, spec: &RunSpec) -> Result<String, QueueError> {
        spec.validate().map_err(|error| QueueError::Spec { name: spec.name.clone(), error })?;
        let name: String =
            spec.name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
        loop {
            let number = self.ids()?.iter().filter_map(|id| id.split('-').next()?.parse().ok()).max().unwrap_or(0_u32);
            let id = format!("{:04}-{name}", number + 1);
            let folder = self.folder.join(&id);
            match fs::create_dir(&folder) {
                // Another process has taken the number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                created => created.map_err(in_file(&folder))?,
            }
            write_json(&folder.join(SPEC), spec)?;
            return Ok(id);
        }
    }

    /// Adds several runs in order.
    ///
    /// # Errors
    /// As [`Queue::add`].
    pub fn extend<'s>(&self, specs: impl IntoIterator<Item = &'s RunSpec>) -> Result<Vec<String>, QueueError> {
        specs.into_iter().map(|spec| self.add(spec)).collect()
    }

    /// All runs, in the order in which they were added.
    ///
    /// # Errors
    /// If a file cannot be read or is invalid.
    pub fn entries(&self) -> Result<Vec<Entry>, QueueError> {
        let mut entries = self.entries_unlocked()?;
        entries.iter_mut().for_each(|entry| entry.running = lock::is_claimed(&entry.folder.join(LOCK)));
        Ok(entries)
    }

    /// All runs, without finding out whether they are running.
    fn entries_unlocked(&self) -> Result<Vec<Entry>, QueueError> {
        self.ids()?.into_iter().map(|id| self.entry(id)).collect()
    }

    fn entry(&self, id: String) -> Result<Entry, QueueError> {
        let folder = self.folder.join(&id);
        let spec: RunSpec = read_json(&folder.join(SPEC))?;
        let state = self.state(&folder)?;
        Ok(Entry { id, folder, spec, state, running: false })
    }

    fn state(&self, folder: &Path) -> Result<State, QueueError> {
        let path = folder.join(STATE);
        if path.exists() { read_json(&path) } else { Ok(State::Waiting) }
    }

    /// The ids of complete entries; one that is being added has no specification yet.
    fn ids(&self) -> Result<Vec<String>, QueueError> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(in_file(&self.folder))? {
            let entry = entry.map_err(in_file(&self.folder))?;
            if entry.path().join(SPEC).exists() {
                ids.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        ids.sort();
        Ok(ids)
    }

    /// Lets a run that failed or was stopped by a rule train again, with this specification; it continues from its checkpoint.
    ///
    /// # Errors
    /// If the specification is invalid or cannot be written.
    pub fn continue_with(&self, entry: &Entry, spec: &RunSpec) -> Result<(), QueueError> {
        spec.validate().map_err(|error| QueueError::Spec { name: spec.name.clone(), error })?;
        write_json(&entry.folder.join(SPEC), spec)?;
        write_json(&entry.folder.join(STATE), &State::Waiting)
    }

    /// Pauses the queue: its runs are saved and stop within a second, and no other begins.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn pause(&self) -> Result<(), QueueError> {
        let path = self.folder.join(PAUSED);
        fs::write(&path, "").map_err(in_file(&path))
    }

    /// Ends the pause. Workers have to be started again.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn unpause(&self) -> Result<(), QueueError> {
        let path = self.folder.join(PAUSED);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(in_file(&path)(error)),
            _ => Ok(()),
        }
    }

    /// Whether the queue is paused.
    pub fn is_paused(&self) -> bool {
        self.folder.join(PAUSED).exists()
    }

    /// Runs that differ only in name and seed, as series in the order of their first run, each with its entries.
    ///
    /// # Errors
    /// If a file cannot be read or is invalid.
    pub fn series(&self) -> Result<Vec<(Vec<Entry>, Series)>, QueueError> {
        let mut groups: Vec<(RunSpec, Vec<Entry>)> = Vec::new();
        for entry in self.entries()? {
            let mut spec = entry.spec.clone();
            (spec.name, spec.config.train.seed) = (String::new(), 0);
            match groups.iter_mut().find(|(other, _)| *other == spec) {
                Some((_, entries)) => entries.push(entry),
                None => groups.push((spec, vec![entry])),
            }
        }
        let series = |(_, entries): (RunSpec, Vec<Entry>)| {
            let history = |entry: &Entry| {
                entry.history().map_err(|error| QueueError::Format { path: entry.model(), problem: error.to_string() })
            };
            let histories = entries.iter().map(history).collect::<Result<Vec<_>, _>>()?;
            Ok((entries, Series::new(&histories)))
        };
        groups.into_iter().map(series).collect()
    }
}

fn in_file(path: &Path) -> impl Fn(io::Error) -> QueueError {
    |source| QueueError::File { path: path.into(), source }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, QueueError> {
    let text = fs::read_to_string(path).map_err(in_file(path))?;
    serde_json::from_str(&text).map_err(|error| QueueError::Format { path: path.into(), problem: error.to_string() })
}

/// Writes a file that is complete whenever the program terminates.
fn write_json(path: &Path, value: &impl Serialize) -> Result<(), QueueError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| QueueError::Format { path: path.into(), problem: error.to_string() })?;
    let part = path.with_extension("part");
    let write = || -> io::Result<()> {
        let mut file = File::create(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(in_file(path))
}
