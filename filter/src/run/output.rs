//! Phase 5: the kept texts, every decision, and the clusters.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use super::parallel::ordered;
use super::progress::Progress;
use super::spool::{Entry, Spool};
use super::{Files, Report, Run, RunError, Summary};
use crate::corpus::{add_masked, duplicate_of, too_short};
use crate::decision::{Decision, Kept};
use crate::dedup::{Clusters, Repeated, remove_lines};
use crate::mask::{Masked, mask};

/// A document after the stages that compare documents.
struct Finished {
    decision: Decision,
    text: String,
    /// Dropped in the first phase, and counted there.
    counted: bool,
}

struct Outputs {
    kept: BufWriter<File>,
    decisions: BufWriter<File>,
    kept_path: PathBuf,
}

impl Outputs {
    fn create(files: &Files) -> Result<Self, RunError> {
        let create = |name: &str| {
            let path = files.out.join(name);
            File::create(&path)
                .map(|file| BufWriter::with_capacity(1 << 20, file))
                .map_err(|error| RunError::file(&path, error))
        };
        Ok(Self {
            kept: create("kept.jsonl")?,
            decisions: create("decisions.jsonl")?,
            kept_path: files.out.join("kept.jsonl"),
        })
    }

    fn write(&mut self, finished: Finished) -> std::io::Result<()> {
        serde_json::to_writer(&mut self.decisions, &finished.decision)?;
        self.decisions.write_all(b"\n")?;
        if finished.decision.keep {
            let Decision { id, url, .. } = finished.decision;
            serde_json::to_writer(&mut self.kept, &Kept { id, url, text: finished.text })?;
            self.kept.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// Writes the output and returns the summary.
pub(super) fn write(
    run: &mut Run<'_>,
    files: &Files,
    progress: Progress,
    repeated: &Repeated,
    mut clusters: Clusters,
) -> Result<Summary, RunError> {
    let mut outputs = Outputs::create(files)?;
    let kept_path = outputs.kept_path.clone();
    let failed = |error| RunError::file(&kept_path, error);
    let mut spool = Spool::open(&files.spool())?;
    let kept_instead: Vec<u32> =
        (0..progress.funnel.documents as u32).map(|document| clusters.kept(document)).collect();
    let settings = run.pipeline.settings();
    let finish = |(first, lines): (u64, Vec<String>)| -> Vec<Finished> {
        let entries = lines.iter().filter_map(|line| serde_json::from_str::<Entry>(line).ok());
        let finish = |(at, mut entry): (usize, Entry)| {
            let id = first + at as u64;
            let counted = entry.dropped.is_some();
            let (mut removed_lines, mut masked) = (0, Masked::default());
            let mut text = std::mem::take(&mut entry.text);
            if !counted {
                (text, removed_lines) = remove_lines(&text, id as u32, repeated, &settings.lines);
                let instead = kept_instead.get(id as usize).map_or(id, |&kept| u64::from(kept));
                let duplicate = || (instead != id).then(|| duplicate_of(instead));
                entry.dropped = too_short(&text, removed_lines, settings.lines.min_words).or_else(duplicate);
            }
            if entry.dropped.is_none() && settings.mask.enabled {
                (text, masked) = mask(&text, &settings.mask);
            }
            let Entry { url, bytes, language, dropped, measures, .. } = entry;
            let decision = Decision {
                id,
                url,
                bytes,
                keep: dropped.is_none(),
                dropped,
                language,
                measures,
                removed_lines,
                masked,
            };
            Finished { decision, text, counted }
        };
        entries.enumerate().map(finish).collect()
    };
    let mut funnel = progress.funnel;
    let report = &mut run.report;
    let mut n_documents = 0;
    ordered(
        run.n_threads,
        || spool.batch(),
        finish,
        |batch| {
            for finished in batch {
                n_documents += 1;
                let decision = &finished.decision;
                match &decision.dropped {
                    Some(drop) if !finished.counted => funnel.drop(drop, finished.text.len()),
                    Some(_) => {}
                    None => {
                        funnel.kept += 1;
                        funnel.kept_bytes += finished.text.len() as u64;
                        funnel.removed_lines += decision.removed_lines as u64;
                        add_masked(&mut funnel, decision.masked);
                    }
                }
                outputs.write(finished).map_err(failed)?;
            }
            report(Report { phase: 5, documents: n_documents, bytes: funnel.bytes, input: &kept_path });
            Ok(())
        },
    )?;
    outputs.kept.flush().and_then(|()| outputs.decisions.flush()).map_err(failed)?;
    let found = write_clusters(files, &mut clusters)?;
    Ok(Summary {
        funnel,
        skipped: progress.skipped,
        problems: progress.problems,
        clusters: found.0,
        largest_cluster: found.1,
        compared_pairs: clusters.n_compared,
    })
}

/// Writes `clusters.jsonl`; returns the number of clusters and the size of the largest.
fn write_clusters(files: &Files, clusters: &mut Clusters) -> Result<(usize, usize), RunError> {
    let path = files.out.join("clusters.jsonl");
    let failed = |error| RunError::file(&path, error);
    let mut out = BufWriter::new(File::create(&path).map_err(failed)?);
    let clusters = clusters.clusters();
    for cluster in &clusters {
        serde_json::to_writer(&mut out, cluster).map_err(|error| failed(error.into()))?;
        out.write_all(b"\n").map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    Ok((clusters.len(), clusters.first().map_or(0, |cluster| cluster.documents.len())))
}
