//! Filters files of any size natively: all cores, bounded memory, and continuation after an interruption.
//!
//! 1. Read the inputs, judge each document alone, and write it to a spool with its measurements; the hashes of kept lines
//!    go to partitions on disk. Progress is saved regularly.
//! 2. Find the repeated lines, partition by partition.
//! 3. Read the spool, remove repeated lines, and write the sets and band hashes of what remains.
//! 4. Join near duplicates.
//! 5. Read the spool again and write the output, with personal data masked.
//!
//! An interrupted run repeats the phase it was in, except the first, which continues.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::dedup::{Clusters, LineCounts, Partitions, Repeated};
use crate::document::Document;
use crate::pipeline::{Funnel, Pipeline};
use crate::source::{DocumentReader, Skipped, SourceError};

mod compare;
mod duplicates;
mod judge;
mod output;
mod parallel;
mod progress;
mod spool;

pub use crate::decision::{Decision, Kept};
pub use compare::{Comparison, compare};

use progress::Progress;

/// Opens an input as a stream of documents.
pub type Open<'a> = &'a (dyn Fn(&Path) -> Result<Box<dyn DocumentReader>, SourceError> + Sync);

/// What to run.
pub struct Run<'a> {
    /// The stages with their settings.
    pub pipeline: &'a Pipeline,
    /// The files, in order.
    pub inputs: Vec<PathBuf>,
    /// Opens an input.
    pub open: Open<'a>,
    /// The folder for the output; created if it does not exist.
    pub out: PathBuf,
    /// The number of threads that judge documents.
    pub n_threads: usize,
    /// Progress is saved this often.
    pub save_every: Duration,
    /// Receives the progress.
    pub report: &'a mut dyn FnMut(Report<'_>),
}

/// Progress of a run.
#[derive(Clone, Copy, Debug)]
pub struct Report<'r> {
    /// The phase, from 1 to 5.
    pub phase: usize,
    /// Documents so far in this phase.
    pub documents: u64,
    /// Bytes of the source so far.
    pub bytes: u64,
    /// The current input in phase 1.
    pub input: &'r Path,
}

/// Why a run fails.
#[derive(Debug, Error)]
pub enum RunError {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's message.
        source: io::Error,
    },
    /// No document could be read.
    #[error("there is no document in the input{0}")]
    NoDocuments(String),
    /// The folder belongs to another run.
    #[error(
        "{path} has the output of another run, with other settings or inputs; choose another folder, or delete this one",
        path = .0.display()
    )]
    OtherRun(PathBuf),
    /// The run has been completed before.
    #[error("{path} is complete; choose another folder, or delete this one to run again", path = .0.display())]
    Complete(PathBuf),
    /// Too many documents.
    #[error("there are more than {} documents; split the input into several runs", u32::MAX)]
    TooMany,
}

impl RunError {
    fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.into(), source }
    }
}

/// The summary of a run, `summary.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Counts by stage.
    pub funnel: Funnel,
    /// What the sources could not deliver.
    pub skipped: Skipped,
    /// Inputs that ended early, and why.
    pub problems: Vec<String>,
    /// Clusters of near duplicates.
    pub clusters: usize,
    /// The size of the largest one.
    pub largest_cluster: usize,
    /// Pairs whose similarity was computed.
    pub compared_pairs: u64,
}

/// The files of a run.
struct Files {
    out: PathBuf,
    work: PathBuf,
}

impl Files {
    fn spool(&self) -> PathBuf {
        self.work.join("spool.jsonl")
    }

    fn progress(&self) -> PathBuf {
        self.work.join("progress.json")
    }

    fn summary(&self) -> PathBuf {
        self.out.join("summary.json")
    }
}

/// Runs all phases.
///
/// # Errors
/// When a file cannot be read or written, the folder belongs to another run, or there is no document.
pub fn run(mut run: Run<'_>) -> Result<Summary, RunError> {
    let files = Files { out: run.out.clone(), work: run.out.join("work") };
    fs::create_dir_all(&files.out).map_err(|error| RunError::file(&files.out, error))?;
    let progress = start(&run, &files)?;
    fs::create_dir_all(&files.work).map_err(|error| RunError::file(&files.work, error))?;
    let progress = if progress.complete { progress } else { judge::judge(&mut run, &files, progress)? };
    if progress.funnel.documents == 0 {
        let reasons = progress.problems.iter().map(|problem| format!("; {problem}")).collect::<String>();
        return Err(RunError::NoDocuments(reasons));
    }
    let repeated = repeated_lines(&mut run, &files, &progress)?;
    let clusters = if run.pipeline.settings().minhash.enabled {
        duplicates::find(&mut run, &files, &progress, &repeated)?
    } else {
        Clusters::new(progress.funnel.documents as usize)
    };
    let summary = output::write(&mut run, &files, progress, &repeated, clusters)?;
    let text = serde_json::to_vec_pretty(&summary).map_err(io::Error::from);
    text.and_then(|text| fs::write(files.summary(), text)).map_err(|error| RunError::file(&files.summary(), error))?;
    fs::remove_dir_all(&files.work).map_err(|error| RunError::file(&files.work, error))?;
    Ok(summary)
}

/// The progress to start with: that of an earlier run of the same settings and inputs, or none.
fn start(run: &Run<'_>, files: &Files) -> Result<Progress, RunError> {
    let names: Vec<String> = run.inputs.iter().map(|path| path.display().to_string()).collect();
    let fingerprint = run.pipeline.settings().fingerprint() ^ crate::hash::hash(names.join("\n").as_bytes());
    let new = Progress { fingerprint, ..Progress::default() };
    if files.summary().exists() {
        return Err(RunError::Complete(files.out.clone()));
    }
    match Progress::read(&files.progress()) {
        Some(progress) if progress.fingerprint == fingerprint => Ok(progress),
        Some(_) => Err(RunError::OtherRun(files.out.clone())),
        None => Ok(new),
    }
}

/// Phase 2.
fn repeated_lines(run: &mut Run<'_>, files: &Files, progress: &Progress) -> Result<Repeated, RunError> {
    let settings = &run.pipeline.settings().lines;
    let mut repeated = Repeated::default();
    if !settings.enabled {
        return Ok(repeated);
    }
    (run.report)(Report {
        phase: 2,
        documents: progress.funnel.documents,
        bytes: progress.funnel.bytes,
        input: &files.out,
    });
    let failed = |error| RunError::file(&files.work, error);
    let mut partitions = Partitions::open(&files.work, "lines", &progress.line_bytes).map_err(failed)?;
    for part in partitions.parts().map_err(failed)? {
        let mut counts = LineCounts::default();
        part.map_err(failed)?.into_iter().for_each(|(hash, document)| counts.add_hash(hash, document));
        repeated.extend(counts.repeated(settings));
    }
    Ok(repeated)
}

/// A document with its place in the inputs.
struct Item {
    input: usize,
    document: Document,
}
