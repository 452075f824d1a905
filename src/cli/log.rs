//! Logs of a training that other programs read: `log.csv`, `log.jsonl`, and a TensorBoard event file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::events::{self, Event};
use super::in_file;
use crate::protocol::StepPoint;

const CSV_HEADER: &str = "step,tokens,seconds,loss,lr,grad_norm,val_loss\n";

/// Where the files in words end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    csv_bytes: u64,
    jsonl_bytes: u64,
}

/// Three files that grow while a model trains. Those in words go on where an earlier run has left them.
pub(super) struct Log {
    folder: PathBuf,
    csv: File,
    jsonl: File,
    events: File,
    tokens_per_step: u64,
}

impl Log {
    /// Opens the files in `folder`, which is made if it is missing.
    ///
    /// # Errors
    /// A sentence when they cannot be written.
    pub fn open(folder: &Path, tokens_per_step: usize) -> Result<Self, String> {
        let open = || -> io::Result<Self> {
            fs::create_dir_all(folder)?;
            let append = |name: &str| OpenOptions::new().create(true).append(true).open(folder.join(name));
            let (mut csv, jsonl) = (append("log.csv")?, append("log.jsonl")?);
            if csv.metadata()?.len() == 0 {
                csv.write_all(CSV_HEADER.as_bytes())?;
            }
            // TensorBoard takes all files of a folder as one run, by the seconds in their names.
            let name = format!("events.out.tfevents.{:010}.glasshead.{}", seconds() as u64, std::process::id());
            let mut events = File::create(folder.join(name))?;
            events.write_all(&events::record(&Event::Version.encoded(seconds())))?;
            Ok(Self { folder: folder.into(), csv, jsonl, events, tokens_per_step: tokens_per_step as u64 })
        };
        open().map_err(|error| format!("{}; choose another --log-dir", in_file(folder)(error)))
    }

    /// Steps that were done; they had ended `trained` seconds after training began.
    ///
    /// # Errors
    /// A sentence when the disk is full or the like.
    pub fn steps(&mut self, points: &[StepPoint], trained: f64, tokens_per_s: f64) -> Result<(), String> {
        let (mut csv, mut jsonl, mut records) = (String::new(), String::new(), Vec::new());
        for &StepPoint { step, loss, lr, grad_norm, .. } in points {
            let tokens = step.saturating_mul(self.tokens_per_step);
            csv.push_str(&format!("{step},{tokens},{trained:.3},{loss},{lr},{grad_norm},\n"));
            let line = json!({ "step": step, "tokens": tokens, "seconds": trained, "loss": loss, "lr": lr,
                "grad_norm": grad_norm, "tokens_per_s": tokens_per_s });
            jsonl.push_str(&format!("{line}\n"));
            let scalars = [
                ("loss/train", loss),
                ("learning_rate", lr),
                ("gradient_norm", grad_norm),
                ("tokens_per_second", tokens_per_s as f32),
            ];
            for (tag, value) in scalars {
                records.extend(events::record(&Event::Scalar { step, tag, value }.encoded(seconds())));
            }
        }
        self.write(&csv, &jsonl, &records)
    }

    /// An evaluation on held-out tokens after `step` steps.
    ///
    /// # Errors
    /// As [`Log::steps`].
    pub fn validation(&mut self, step: u64, trained: f64, val_loss: f32) -> Result<(), String> {
        let tokens = step.saturating_mul(self.tokens_per_step);
        let csv = format!("{step},{tokens},{trained:.3},,,,{val_loss}\n");
        let line = json!({ "step": step, "tokens": tokens, "seconds": trained, "val_loss": val_loss });
        let event = Event::Scalar { step, tag: "loss/held-out", value: val_loss };
        self.write(&csv, &format!("{line}\n"), &events::record(&event.encoded(seconds())))
    }

    /// Where the log ends now.
    ///
    /// # Errors
    /// As [`Log::steps`].
    pub fn mark(&self) -> Result<Mark, String> {
        let mark = || Ok(Mark { csv_bytes: self.csv.metadata()?.len(), jsonl_bytes: self.jsonl.metadata()?.len() });
        mark().map_err(|error| self.problem(error))
    }

    /// Forgets what came after `mark`, which was set behind `step`: the run goes on from there. The event file keeps it,
    /// and says that it holds no longer.
    ///
    /// # Errors
    /// As [`Log::steps`].
    pub fn go_back(&mut self, step: u64, mark: Mark) -> Result<(), String> {
        let cut = |name: &str, bytes| {
            // Files that are open to append to cannot be cut everywhere.
            OpenOptions::new().write(true).open(self.folder.join(name))?.set_len(bytes)
        };
        let restart = events::record(&Event::Restart { step: step + 1 }.encoded(seconds()));
        let cut = cut("log.csv", mark.csv_bytes).and_then(|()| cut("log.jsonl", mark.jsonl_bytes));
        let result = cut.and_then(|()| self.events.write_all(&restart));
        result.map_err(|error| self.problem(error))
    }

    fn problem(&self, error: io::Error) -> String {
        in_file(&self.folder)(error)
    }

    fn write(&mut self, csv: &str, jsonl: &str, records: &[u8]) -> Result<(), String> {
        let mut write = || -> io::Result<()> {
            self.csv.write_all(csv.as_bytes())?;
            self.jsonl.write_all(jsonl.as_bytes())?;
            self.events.write_all(records)
        };
        write().map_err(|error| self.problem(error))
    }
}

/// Since 1970.
fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
