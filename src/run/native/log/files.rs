//! The files of a training log. A resumed run continues them, with each step once.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::tensorboard::{self as events, Event, HELD_OUT};
use super::{LogError, resume};
use crate::types::StepPoint;

const CSV_HEADER: &str = "step,tokens,seconds,loss,lr,grad_norm,val_loss\n";

/// The names of the text files.
const NAMES: [&str; 2] = ["log.csv", "log.jsonl"];

/// A position in both text files.
#[derive(Clone, Copy, Debug)]
pub struct Mark([WordsMark; 2]);

#[derive(Clone, Copy, Debug)]
struct WordsMark {
    bytes: u64,
    evaluated: Option<u64>,
}

/// A text file, open for appending.
struct Words {
    file: File,
    /// The latest step with a held-out loss in the file.
    evaluated: Option<u64>,
}

impl Words {
    fn mark(&self) -> io::Result<WordsMark> {
        Ok(WordsMark { bytes: self.file.metadata()?.len(), evaluated: self.evaluated })
    }
}

/// The log files of a run.
pub struct Log {
    folder: PathBuf,
    csv: Words,
    jsonl: Words,
    events: File,
    /// The steps with a held-out loss in the event files.
    evaluated: BTreeSet<u64>,
    tokens_per_step: u64,
    /// Seconds of training before this process.
    seconds_before: f64,
}

impl Log {
    /// Opens the files in `folder`, which is created if it is missing. A run resumed after `resumed_at` steps continues
    /// the log there; rows of later steps are removed.
    ///
    /// # Errors
    /// When the files cannot be written or belong to another run.
    pub fn open(folder: &Path, tokens_per_step: usize, resumed_at: Option<u64>) -> Result<Self, LogError> {
        let problem = |source| LogError::Open { folder: folder.into(), source };
        let open = || -> io::Result<Option<Self>> {
            fs::create_dir_all(folder)?;
            let [csv, jsonl] = NAMES.map(|name| resume::scan_file(&folder.join(name), resumed_at.unwrap_or(0)));
            let scans = [csv?, jsonl?];
            if resumed_at.is_none() && scans.iter().any(|scan| scan.rows > 0) {
                return Ok(None);
            }
            let [mut csv, jsonl] = [words(folder, NAMES[0], &scans[0])?, words(folder, NAMES[1], &scans[1])?];
            if csv.file.metadata()?.len() == 0 {
                csv.file.write_all(CSV_HEADER.as_bytes())?;
            }
            let evaluated = resumed_at.map_or(Ok(BTreeSet::new()), |step| resume::cut_events(folder, step))?;
            let mut log = Self {
                folder: folder.into(),
                csv,
                jsonl,
                events: event_file(folder)?,
                evaluated,
                tokens_per_step: tokens_per_step as u64,
                seconds_before: scans.iter().fold(0.0, |most, scan| scan.seconds.max(most)),
            };
            resumed_at.map_or(Ok(()), |step| log.restart(step))?;
            Ok(Some(log))
        };
        open().map_err(problem)?.ok_or_else(|| LogError::AnotherRun { folder: folder.into() })
    }

    /// Logs completed steps, which ended after `trained` seconds of training in this process.
    ///
    /// # Errors
    /// When writing fails, for example because the disk is full.
    pub fn steps(&mut self, points: &[StepPoint], trained: f64, tokens_per_s: f64) -> Result<(), LogError> {
        let seconds = self.seconds_before + trained;
        let (mut csv, mut jsonl, mut records) = (String::new(), String::new(), Vec::new());
        for &StepPoint { step, loss, lr, grad_norm, .. } in points {
            let tokens = step.saturating_mul(self.tokens_per_step);
            csv.push_str(&format!("{step},{tokens},{seconds:.3},{loss},{lr},{grad_norm},\n"));
            let line = json!({ "step": step, "tokens": tokens, "seconds": seconds, "loss": loss, "lr": lr,
                "grad_norm": grad_norm, "tokens_per_s": tokens_per_s });
            jsonl.push_str(&format!("{line}\n"));
            let scalars = [
                ("loss/train", loss),
                ("learning_rate", lr),
                ("gradient_norm", grad_norm),
                ("tokens_per_second", tokens_per_s as f32),
            ];
            for (tag, value) in scalars {
                records.extend(events::record(&Event::Scalar { step, tag, value }.encoded(now())));
            }
        }
        let written = self.csv.file.write_all(csv.as_bytes());
        let written = written.and_then(|()| self.jsonl.file.write_all(jsonl.as_bytes()));
        written.and_then(|()| self.events.write_all(&records)).map_err(|error| self.problem(error))
    }

    /// Logs further measurements after `step` steps, with their names: a row in log.jsonl, and scalars for TensorBoard.
    ///
    /// # Errors
    /// Same as [`Log::steps`].
    pub fn measurements(&mut self, step: u64, named: &[(&'static str, f64)]) -> Result<(), LogError> {
        if named.is_empty() {
            return Ok(());
        }
        let mut line = json!({ "step": step });
        let mut records = Vec::new();
        for &(tag, value) in named {
            line[tag] = json!(value);
            records.extend(events::record(&Event::Scalar { step, tag, value: value as f32 }.encoded(now())));
        }
        let written = self.jsonl.file.write_all(format!("{line}\n").as_bytes());
        written.and_then(|()| self.events.write_all(&records)).map_err(|error| self.problem(error))
    }

    /// Logs an evaluation on held-out tokens after `step` steps, unless the files already contain it.
    ///
    /// # Errors
    /// Same as [`Log::steps`].
    pub fn validation(&mut self, step: u64, trained: f64, val_loss: f32) -> Result<(), LogError> {
        let (tokens, seconds) = (step.saturating_mul(self.tokens_per_step), self.seconds_before + trained);
        let csv = format!("{step},{tokens},{seconds:.3},,,,{val_loss}\n");
        let line = json!({ "step": step, "tokens": tokens, "seconds": seconds, "val_loss": val_loss });
        let write = || -> io::Result<()> {
            for (words, row) in [(&mut self.csv, csv), (&mut self.jsonl, format!("{line}\n"))] {
                if words.evaluated != Some(step) {
                    words.file.write_all(row.as_bytes())?;
                    words.evaluated = Some(step);
                }
            }
            if self.evaluated.insert(step) {
                let event = Event::Scalar { step, tag: HELD_OUT, value: val_loss };
                self.events.write_all(&events::record(&event.encoded(now())))?;
            }
            Ok(())
        };
        write().map_err(|error| self.problem(error))
    }

    /// The current end of the log.
    ///
    /// # Errors
    /// Same as [`Log::steps`].
    pub fn mark(&self) -> Result<Mark, LogError> {
        let mark = || Ok(Mark([self.csv.mark()?, self.jsonl.mark()?]));
        mark().map_err(|error| self.problem(error))
    }

    /// Truncates the log to `mark`, which was taken after `step` steps and from which the run continues. The event file
    /// keeps later events and marks them as discarded.
    ///
    /// # Errors
    /// Same as [`Log::steps`].
    pub fn go_back(&mut self, step: u64, Mark(marks): Mark) -> Result<(), LogError> {
        let mut cut = || -> io::Result<()> {
            for ((words, mark), name) in [&mut self.csv, &mut self.jsonl].into_iter().zip(marks).zip(NAMES) {
                cut_to(&self.folder.join(name), mark.bytes)?;
                words.evaluated = mark.evaluated;
            }
            self.evaluated.retain(|&evaluated| evaluated <= step);
            self.restart(step)
        };
        cut().map_err(|error| self.problem(error))
    }

    /// Marks the events after `step` as discarded.
    fn restart(&mut self, step: u64) -> io::Result<()> {
        self.events.write_all(&events::record(&Event::Restart { step: step + 1 }.encoded(now())))
    }

    fn problem(&self, source: io::Error) -> LogError {
        LogError::Write { folder: self.folder.clone(), source }
    }
}

/// Truncates a file to the part that a scan keeps, and opens it for appending.
fn words(folder: &Path, name: &str, scan: &resume::Scan) -> io::Result<Words> {
    let path = folder.join(name);
    let file = OpenOptions::new().create(true).append(true).open(&path)?;
    if file.metadata()?.len() > scan.bytes {
        cut_to(&path, scan.bytes)?;
    }
    Ok(Words { file, evaluated: scan.evaluated })
}

/// Truncates a file. It is reopened because not every system can truncate a file that is open for appending.
fn cut_to(path: &Path, bytes: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.set_len(bytes)
}

/// Creates an event file. TensorBoard reads all files of a folder as one run, in the order of the seconds in their
/// names.
fn event_file(folder: &Path) -> io::Result<File> {
    let latest = resume::event_files(folder)?.pop().map_or(0, |(seconds, _)| seconds);
    let seconds = (now() as u64).max(latest.saturating_add(1));
    let name = format!("{}{seconds:010}.glasshead.{}", resume::EVENTS_PREFIX, std::process::id());
    let mut file = File::create(folder.join(name))?;
    file.write_all(&events::record(&Event::Version.encoded(now())))?;
    Ok(file)
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
