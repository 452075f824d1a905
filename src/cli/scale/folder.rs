//! A sweep as a folder, on which any number of processes can work, on one machine or on a shared file system.
//!
//! | path | content |
//! |---|---|
//! | `plan.json` | the plan, the token file and the measurements behind it; never changed |
//! | `runs/ID.json` | the specification of a run |
//! | `locks/ID` | locked by the process that executes the run; the system releases it when the process ends, however it ends |
//! | `state/ID/` | checkpoints of a run that is not finished |
//! | `results/ID.json` | the result of a finished run |
//! | `runs.csv` | all results but those of checks as a table |
//! | `log.jsonl` | when runs were started and finished, and by which process |
//! | `predictions/` | sealed predictions and what happened to them |

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{in_file, sentence};
use crate::data::{TokenFile, Tokenizer};
use crate::run::queue::lock;
use crate::scaling::pilot::Pilot;
use crate::scaling::plan::Plan;
use crate::scaling::spec::{Outcome, Purpose, RunResult, SweepRun};
use crate::scaling::sweep::Sweep;
use crate::scaling::variable::Variable;

/// The format of the folder.
const VERSION: u32 = 1;

/// Maximum size of a file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// What `plan.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// [`VERSION`].
    pub version: u32,
    /// The plan.
    pub plan: Plan,
    /// Name of the token file in the folder.
    pub tokens: String,
    /// Number of training tokens; the others are held out.
    pub n_train: usize,
    /// The learning rates that were tried at the smallest size; empty if the user chose one.
    pub pilot: Pilot,
    /// Device of the measurements.
    pub device: String,
}

/// A sweep's folder.
pub(super) struct Folder {
    path: PathBuf,
    pub stored: Stored,
}

/// A claimed run: its lock is released when this is dropped, or when the process ends.
pub(super) struct Claim {
    _lock: File,
}

impl Folder {
    /// Creates the folder of a plan.
    ///
    /// # Errors
    /// If it already holds a sweep, or cannot be written.
    pub fn create(path: &Path, stored: Stored, tokenizer: &Tokenizer) -> Result<Self, String> {
        let plan = path.join("plan.json");
        if plan.exists() {
            return Err(format!("{} already holds a sweep; choose another folder", path.display()));
        }
        for name in ["runs", "locks", "state", "results", "predictions"] {
            let folder = path.join(name);
            fs::create_dir_all(&folder).map_err(in_file(&folder))?;
        }
        let folder = Self { path: path.into(), stored: Stored { version: VERSION, ..stored } };
        folder.write("tokenizer.json", tokenizer.to_json().map_err(sentence)?.as_bytes())?;
        for run in &folder.stored.plan.runs {
            folder.add(run)?;
        }
        // Last: a folder with a plan is complete.
        folder.write_json("plan.json", &folder.stored)?;
        Ok(folder)
    }

    /// Opens the folder of a plan.
    ///
    /// # Errors
    /// If there is no plan, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, String> {
        let plan = path.join("plan.json");
        if !plan.exists() {
            return Err(format!(
                "{} has no plan.json; create it with glasshead scale plan --out {}",
                path.display(),
                path.display()
            ));
        }
        let stored: Stored = read_json(&plan)?;
        if stored.version != VERSION {
            return Err(format!("{} has format {}; this program reads {VERSION}", plan.display(), stored.version));
        }
        stored.plan.check().map_err(|error| format!("{}: {error}", plan.display()))?;
        if stored.tokens.contains(['/', '\\']) {
            return Err(format!("{}: the token file is outside the folder", plan.display()));
        }
        Ok(Self { path: path.into(), stored })
    }

    /// The tokenizer and the tokens, of which the first `n_train` are for training.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn data(&self) -> Result<(Tokenizer, TokenFile), String> {
        let path = self.path.join("tokenizer.json");
        let text = fs::read_to_string(&path).map_err(in_file(&path))?;
        let tokenizer = Tokenizer::from_json(&text).map_err(sentence)?;
        let tokens = TokenFile::open(&self.path.join(&self.stored.tokens), tokenizer.vocab_size()).map_err(sentence)?;
        let context = self.stored.plan.request.task.context_length;
        if self.stored.n_train <= context || tokens.len() <= self.stored.n_train + context {
            return Err(format!("{} is shorter than the plan says; plan again", self.stored.tokens));
        }
        Ok((tokenizer, tokens))
    }

    /// All specifications and results.
    ///
    /// # Errors
    /// If one cannot be read, or is not valid.
    pub fn sweep(&self) -> Result<Sweep, String> {
        let mut sweep = Sweep::default();
        for path in json_files(&self.path.join("runs"))? {
            let spec: SweepRun = read_json(&path)?;
            if let Some(problem) = spec.problem() {
                return Err(format!("{}: {problem}", path.display()));
            }
            if path.file_stem().is_none_or(|stem| stem != spec.id.as_str()) {
                return Err(format!("{}: the file has to be named like its id, {}", path.display(), spec.id));
            }
            sweep.specs.insert(spec.id.clone(), spec);
        }
        for path in json_files(&self.path.join("results"))? {
            let result: RunResult = read_json(&path)?;
            sweep.results.insert(result.id.clone(), result);
        }
        Ok(sweep)
    }

    /// Adds a run, unless it exists.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&self, spec: &SweepRun) -> Result<(), String> {
        let name = format!("runs/{}.json", spec.id);
        if self.path.join(&name).exists() { Ok(()) } else { self.write_json(&name, spec) }
    }

    /// Claims a run; `None` if another process has it, or it is finished.
    ///
    /// # Errors
    /// If the file system has no locks.
    pub fn claim(&self, id: &str) -> Result<Option<Claim>, String> {
        let path = self.path.join("locks").join(id);
        let lock = lock::claim(&path)
            .map_err(|error| format!("{} cannot be locked ({error}); use a file system with locks", path.display()))?;
        let Some(lock) = lock else { return Ok(None) };
        // Another process may have finished it between listing and locking.
        Ok((!self.is_finished(id)).then_some(Claim { _lock: lock }))
    }

    /// Whether a run has a result.
    pub fn is_finished(&self, id: &str) -> bool {
        self.path.join(format!("results/{id}.json")).exists()
    }

    /// Whether another process executes this run now.
    pub fn is_running(&self, id: &str) -> bool {
        lock::is_claimed(&self.path.join("locks").join(id))
    }

    /// Locks the decisions about further runs until the returned file is dropped.
    ///
    /// # Errors
    /// If the file system has no locks.
    pub fn exclusive(&self) -> Result<File, String> {
        let path = self.path.join("locks/decisions");
        let lock = OpenOptions::new().create(true).append(true).open(&path).map_err(in_file(&path))?;
        lock.lock().map_err(in_file(&path))?;
        Ok(lock)
    }

    /// Stores a result and removes the run's checkpoints.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(&self, result: &RunResult) -> Result<(), String> {
        self.write_json(&format!("results/{}.json", result.id), result)?;
        // Only disk space is lost if they cannot be removed.
        fs::remove_dir_all(self.state_of(&result.id)).ok();
        Ok(())
    }

    /// The folder of a run's checkpoints.
    pub fn state_of(&self, id: &str) -> PathBuf {
        self.path.join("state").join(id)
    }

    /// Appends a line to the log.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn log(&self, event: &str, id: &str) -> Result<(), String> {
        let path = self.path.join("log.jsonl");
        let line = json!({ "event": event, "run": id, "process": std::process::id(), "time_unix_s": unix_s() });
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(in_file(&path))?;
        // One write, so that lines of several processes do not mix.
        file.write_all(format!("{line}\n").as_bytes()).map_err(in_file(&path))
    }

    /// Writes `runs.csv`, from which `scale fit` and other programs read.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_table(&self, sweep: &Sweep) -> Result<(), String> {
        // Without a column of parameters, `scale fit --columns n=value` finds the best value of each budget.
        let first = if self.stored.plan.request.variable == Variable::Size { "n,d" } else { "value,tokens" };
        let budget = if first == "n,d" { "budget" } else { "flops" };
        let mut rows = vec![format!("{first},loss,{budget},seed,lr,outcome,purpose,id")];
        for (spec, result) in sweep.finished().filter(|(spec, _)| spec.purpose != Purpose::Check) {
            let end = format!(
                "{},{},{},{},{}",
                spec.config.train.seed,
                spec.config.train.max_lr,
                word(&result.outcome),
                word(&spec.purpose),
                spec.id
            );
            for point in result.points.iter().filter(|_| result.outcome != Outcome::Diverged) {
                rows.push(format!("{},{},{},{:e},{end}", spec.value(), point.tokens, point.loss, point.budget));
            }
            if result.outcome == Outcome::Diverged {
                rows.push(format!("{},,,,{end}", spec.value()));
            }
        }
        self.write("runs.csv", (rows.join("\n") + "\n").as_bytes())
    }

    /// Reads a JSON file of the folder; `None` if it does not exist.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, String> {
        let path = self.path.join(name);
        if path.exists() { read_json(&path).map(Some) } else { Ok(None) }
    }

    /// Paths of the JSON files in a folder of this folder, sorted by name.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub fn list(&self, name: &str) -> Result<Vec<PathBuf>, String> {
        json_files(&self.path.join(name))
    }

    /// Writes a JSON file atomically.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), String> {
        self.write(name, serde_json::to_string_pretty(value).map_err(sentence)?.as_bytes())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        write_atomically(&self.path.join(name), bytes)
    }
}

/// Writes a file so that it is either complete or missing, even if the process is killed.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let part = PathBuf::from(format!("{}.{}.part", path.display(), std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(in_file(path))
}

/// Seconds since 1970 (UTC).
pub(super) fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Reads a JSON file.
///
/// # Errors
/// If it is missing, too large, or not of this type.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    if fs::metadata(path).map_err(in_file(path))?.len() > MAX_FILE {
        return Err(format!("{} is larger than {} MiB", path.display(), MAX_FILE >> 20));
    }
    let bytes = fs::read(path).map_err(in_file(path))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display()))
}

fn json_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(in_file(folder))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    Ok(paths)
}

/// The name of a choice, as JSON has it.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}
