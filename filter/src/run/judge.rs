//! Phase 1: reads the inputs and judges each document alone.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::sync::Mutex;
use std::time::Instant;

use super::parallel::ordered;
use super::progress::Progress;
use super::spool::Entry;
use super::{Files, Item, Open, Report, Run, RunError};
use crate::dedup::Lines;
use crate::dedup::{Partitions, line_hash};
use crate::source::{DocumentReader, Skipped};

/// A batch ends at this many bytes or documents.
const BATCH_BYTES: usize = 2 << 20;
const BATCH_DOCUMENTS: usize = 512;

/// The documents of the inputs in order, in batches.
struct Inputs<'a> {
    paths: &'a [std::path::PathBuf],
    open: Open<'a>,
    at: usize,
    reader: Option<Box<dyn DocumentReader>>,
    /// Documents of the first input that an earlier run has judged.
    pass_over: u64,
    /// What finished inputs skipped, and why inputs ended early, by input.
    ends: &'a Mutex<Vec<(usize, Skipped, Option<String>)>>,
}

impl Inputs<'_> {
    fn next(&mut self) -> Option<Item> {
        loop {
            let path = self.paths.get(self.at)?;
            if self.reader.is_none() {
                match (self.open)(path) {
                    Ok(reader) => self.reader = Some(reader),
                    Err(error) => {
                        self.end(Skipped::default(), Some(error.to_string()));
                        continue;
                    }
                }
            }
            let reader = self.reader.as_mut()?;
            match reader.next_document() {
                Ok(Some(_)) if self.pass_over > 0 => self.pass_over -= 1,
                Ok(Some(document)) => return Some(Item { input: self.at, document }),
                Ok(None) => {
                    let skipped = reader.skipped();
                    self.end(skipped, None);
                }
                Err(error) => {
                    let skipped = reader.skipped();
                    self.end(skipped, Some(error.to_string()));
                }
            }
        }
    }

    fn end(&mut self, skipped: Skipped, problem: Option<String>) {
        let problem = problem.map(|problem| format!("{} {problem}", self.paths[self.at].display()));
        if let Ok(mut ends) = self.ends.lock() {
            ends.push((self.at, skipped, problem));
        }
        (self.at, self.reader, self.pass_over) = (self.at + 1, None, 0);
    }

    fn batch(&mut self) -> Option<Vec<Item>> {
        let (mut items, mut n_bytes) = (Vec::new(), 0);
        while n_bytes < BATCH_BYTES && items.len() < BATCH_DOCUMENTS {
            let Some(item) = self.next() else { break };
            n_bytes += item.document.n_bytes();
            items.push(item);
        }
        (!items.is_empty()).then_some(items)
    }
}

/// A judged document: its input, its entry, the line of the spool, and the hashes of its lines.
type Judged = (usize, Entry, Vec<u8>, Vec<u64>);

struct Writer<'a> {
    files: &'a Files,
    spool: BufWriter<File>,
    lines: Partitions,
    progress: Progress,
    saved: Instant,
}

impl Writer<'_> {
    fn add(&mut self, (input, entry, line, hashes): &Judged) -> Result<(), RunError> {
        let progress = &mut self.progress;
        if *input != progress.input {
            (progress.input, progress.input_documents) = (*input, 0);
        }
        progress.input_documents += 1;
        progress.funnel.add(entry.bytes);
        if let Some(drop) = &entry.dropped {
            progress.funnel.drop(drop, entry.text_bytes);
        }
        if progress.funnel.documents >= u64::from(u32::MAX) {
            return Err(RunError::TooMany);
        }
        let document = progress.funnel.documents as u32 - 1;
        progress.spool_bytes += line.len() as u64;
        self.spool.write_all(line).map_err(|error| RunError::file(&self.files.spool(), error))?;
        for &hash in hashes {
            self.lines.add(hash, document).map_err(|error| RunError::file(&self.files.work, error))?;
        }
        Ok(())
    }

    fn save(&mut self) -> Result<(), RunError> {
        let failed = |error| RunError::file(&self.files.work, error);
        self.spool.flush().map_err(failed)?;
        self.progress.line_bytes = self.lines.flush().map_err(failed)?;
        self.saved = Instant::now();
        self.progress.write(&self.files.progress()).map_err(failed)
    }
}

/// Judges all documents that are left.
pub(super) fn judge(run: &mut Run<'_>, files: &Files, progress: Progress) -> Result<Progress, RunError> {
    let failed = |error| RunError::file(&files.work, error);
    let spool = OpenOptions::new().create(true).append(true).open(files.spool()).map_err(failed)?;
    spool.set_len(progress.spool_bytes).map_err(failed)?;
    let lines = Partitions::open(&files.work, "lines", &progress.line_bytes).map_err(failed)?;
    let ends = Mutex::new(Vec::new());
    let mut inputs = Inputs {
        paths: &run.inputs,
        open: run.open,
        at: progress.input,
        reader: None,
        pass_over: progress.input_documents,
        ends: &ends,
    };
    let (earlier_skipped, earlier_problems) = (progress.skipped, progress.problems.clone());
    let spool = BufWriter::with_capacity(1 << 20, spool);
    let mut writer = Writer { files, spool, lines, progress, saved: Instant::now() };
    let (pipeline, report) = (run.pipeline, &mut run.report);
    let settings = pipeline.settings();
    let judge = |items: Vec<Item>| -> Vec<Judged> {
        let judge =
            |item: Item| judged(item.input, Entry::from(pipeline.judge(&item.document, false)), &settings.lines);
        items.into_iter().map(judge).collect()
    };
    ordered(
        run.n_threads,
        || inputs.batch(),
        judge,
        |batch| {
            batch.iter().try_for_each(|judged| writer.add(judged))?;
            let Progress { input, funnel, .. } = &writer.progress;
            report(Report { phase: 1, documents: funnel.documents, bytes: funnel.bytes, input: &run.inputs[*input] });
            if writer.saved.elapsed() < run.save_every {
                return Ok(());
            }
            // Inputs before the current one are finished, and are not read again.
            let ends = ends.lock().map(|ends| ends.clone()).unwrap_or_default();
            let finished = ends.iter().filter(|end| end.0 < writer.progress.input);
            (writer.progress.skipped, writer.progress.problems) = (earlier_skipped, earlier_problems.clone());
            for (_, skipped, problem) in finished {
                writer.progress.skipped.add(*skipped);
                writer.progress.problems.extend(problem.clone());
            }
            writer.save()
        },
    )?;
    (writer.progress.skipped, writer.progress.problems) = (earlier_skipped, earlier_problems);
    for (_, skipped, problem) in ends.into_inner().unwrap_or_default() {
        writer.progress.skipped.add(skipped);
        writer.progress.problems.extend(problem);
    }
    writer.progress.complete = true;
    writer.save()?;
    Ok(writer.progress)
}

fn judged(input: usize, entry: Entry, settings: &Lines) -> Judged {
    let mut line = serde_json::to_vec(&entry).unwrap_or_default();
    line.push(b'\n');
    let hashes = match settings.enabled && entry.dropped.is_none() {
        true => entry.text.split('\n').filter_map(|line| line_hash(line, settings)).collect(),
        false => Vec::new(),
    };
    (input, entry, line, hashes)
}
