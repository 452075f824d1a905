//! Phases 3 and 4: sketches of the documents, and their clusters.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::parallel::ordered;
use super::progress::Progress;
use super::spool::{Entry, Spool};
use super::{Files, Report, Run, RunError};
use crate::corpus::too_short;
use crate::dedup::{Clusters, Partitions, Repeated, Sketch, Sketcher, cluster, remove_lines};

/// Sets that are kept in memory while clusters are formed.
const CACHED_SETS: usize = 20_000;

/// The sets of all documents in a file.
struct Sets {
    file: File,
    /// By document: the position in the file, in numbers. One more at the end.
    starts: Vec<u64>,
    cache: FxHashMap<u32, Arc<[u64]>>,
}

impl Sets {
    fn get(&mut self, document: u32) -> io::Result<Arc<[u64]>> {
        if let Some(set) = self.cache.get(&document) {
            return Ok(Arc::clone(set));
        }
        let at = document as usize;
        let (start, end) = (self.starts[at], self.starts[at + 1]);
        let mut bytes = vec![0; (end - start) as usize * 8];
        self.file.seek(SeekFrom::Start(start * 8))?;
        self.file.read_exact(&mut bytes)?;
        let (numbers, _) = bytes.as_chunks::<8>();
        let set: Arc<[u64]> = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        if self.cache.len() >= CACHED_SETS {
            self.cache.clear();
        }
        self.cache.insert(document, Arc::clone(&set));
        Ok(set)
    }
}

/// Finds the clusters.
pub(super) fn find(
    run: &mut Run<'_>,
    files: &Files,
    progress: &Progress,
    repeated: &Repeated,
) -> Result<Clusters, RunError> {
    let settings = run.pipeline.settings();
    let sketcher = Sketcher::new(&settings.minhash);
    let path = files.work.join("sets");
    let failed = |error| RunError::file(&path, error);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&path).map_err(failed)?);
    let mut bands = Partitions::open(&files.work, "bands", &[]).map_err(failed)?;
    let mut spool = Spool::open(&files.spool())?;
    let sketch = |document: u32, line: &String| -> Sketch {
        let Ok(entry) = serde_json::from_str::<Entry>(line) else { return Sketch::default() };
        if entry.dropped.is_some() {
            return Sketch::default();
        }
        let (text, removed) = remove_lines(&entry.text, document, repeated, &settings.lines);
        let dropped = too_short(&text, removed, settings.lines.min_words).is_some();
        if dropped { Sketch::default() } else { sketcher.sketch(&text) }
    };
    let mut starts = Vec::with_capacity(progress.funnel.documents as usize + 1);
    starts.push(0u64);
    let report = &mut run.report;
    let work = |(first, lines): (u64, Vec<String>)| -> Vec<Sketch> {
        lines.iter().enumerate().map(|(at, line)| sketch(first as u32 + at as u32, line)).collect()
    };
    ordered(
        run.n_threads,
        || spool.batch(),
        work,
        |batch| {
            for sketch in batch {
                let document = starts.len() as u32 - 1;
                sketch.bands.iter().try_for_each(|&band| bands.add(band, document)).map_err(failed)?;
                sketch.shingles.iter().try_for_each(|shingle| out.write_all(&shingle.to_le_bytes())).map_err(failed)?;
                starts.push(starts[starts.len() - 1] + sketch.shingles.len() as u64);
            }
            let documents = starts.len() as u64 - 1;
            report(Report { phase: 3, documents, bytes: progress.funnel.bytes, input: &path });
            Ok(())
        },
    )?;
    out.flush().map_err(failed)?;
    let documents = starts.len() - 1;
    report(Report { phase: 4, documents: documents as u64, bytes: progress.funnel.bytes, input: &path });
    let mut sets = Sets { file: File::open(&path).map_err(failed)?, starts, cache: FxHashMap::default() };
    let parts = bands.parts().map_err(failed)?;
    cluster(documents, parts, settings.minhash.threshold, |document| sets.get(document)).map_err(failed)
}
