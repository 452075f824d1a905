//! A corpus in memory: for the page, and as the plain form of what the native runner does with files.

use std::sync::Arc;

use crate::dedup::{Clusters, LineCounts, Repeated, Sketcher, cluster, remove_lines};
use crate::document::Document;
use crate::mask::{Masked, mask};
use crate::pipeline::{Drop, Funnel, Pipeline, Record};
use crate::settings::Stage;

/// Documents with their results.
#[derive(Default)]
pub struct Corpus {
    /// One per document, in order.
    pub records: Vec<Record>,
    /// The clusters of near duplicates, after [`Corpus::finish`].
    pub clusters: Clusters,
    /// The counts, after [`Corpus::finish`].
    pub funnel: Funnel,
}

impl Corpus {
    /// Judges a document.
    pub fn add(&mut self, pipeline: &Pipeline, document: &Document, all: bool) {
        self.records.push(pipeline.judge(document, all));
    }

    /// Runs the stages that compare documents, and masks the kept ones.
    pub fn finish(&mut self, pipeline: &Pipeline) {
        let settings = pipeline.settings();
        let mut repeated = Repeated::default();
        if settings.lines.enabled {
            let mut counts = LineCounts::default();
            for (at, record) in self.records.iter().enumerate().filter(|(_, record)| record.dropped.is_none()) {
                counts.add(&record.text, at as u32, &settings.lines);
            }
            repeated = counts.repeated(&settings.lines).collect();
        }
        let kept = self.records.iter_mut().enumerate().filter(|(_, record)| record.dropped.is_none());
        for (at, record) in kept {
            let (text, removed) = remove_lines(&record.text, at as u32, &repeated, &settings.lines);
            record.text = text;
            record.removed_lines = removed;
            record.dropped = too_short(&record.text, removed, settings.lines.min_words);
        }
        if settings.minhash.enabled {
            self.drop_duplicates(pipeline);
        }
        for record in &mut self.records {
            self.funnel.add(record.n_bytes);
            let Some(dropped) = &record.dropped else {
                let masked;
                (record.text, masked) = if settings.mask.enabled {
                    mask(&record.text, &settings.mask)
                } else {
                    (std::mem::take(&mut record.text), Masked::default())
                };
                add_masked(&mut self.funnel, masked);
                self.funnel.kept += 1;
                self.funnel.removed_lines += record.removed_lines as u64;
                self.funnel.kept_bytes += record.text.len() as u64;
                continue;
            };
            self.funnel.drop(dropped, record.text.len());
        }
    }

    /// The kept records.
    pub fn kept(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.dropped.is_none())
    }

    fn drop_duplicates(&mut self, pipeline: &Pipeline) {
        let minhash = &pipeline.settings().minhash;
        let sketcher = Sketcher::new(minhash);
        let mut sets: Vec<Arc<[u64]>> = Vec::with_capacity(self.records.len());
        let mut entries = Vec::new();
        for (at, record) in self.records.iter().enumerate() {
            let sketch = if record.dropped.is_none() { sketcher.sketch(&record.text) } else { Default::default() };
            entries.extend(sketch.bands.iter().map(|band| (*band, at as u32)));
            sets.push(sketch.shingles.into());
        }
        let parts = [Ok(entries)];
        let clusters = cluster(self.records.len(), parts, minhash.threshold, |at| Ok(Arc::clone(&sets[at as usize])));
        // Sets in memory can always be read.
        self.clusters = clusters.unwrap_or_default();
        for (at, record) in self.records.iter_mut().enumerate() {
            let kept = self.clusters.kept(at as u32);
            if kept as usize != at {
                record.dropped = Some(duplicate_of(u64::from(kept)));
            }
        }
    }
}

/// Adds counts of masked data.
pub(crate) fn add_masked(funnel: &mut Funnel, masked: Masked) {
    funnel.masked.emails += masked.emails;
    funnel.masked.phones += masked.phones;
    funnel.masked.ips += masked.ips;
}

/// Why a document is dropped after lines were removed.
pub(crate) fn too_short(text: &str, removed: usize, min_words: usize) -> Option<Drop> {
    let n_words = text.split_whitespace().count();
    (removed > 0 && n_words < min_words).then(|| Drop {
        stage: Stage::Lines,
        reason: "repeated_lines".into(),
        value: Some(n_words as f64),
        limit: Some(min_words as f64),
    })
}

/// Why a near duplicate is dropped; the value is the number of the kept document.
pub(crate) fn duplicate_of(document: u64) -> Drop {
    Drop { stage: Stage::Minhash, reason: "duplicate".into(), value: Some(document as f64), limit: None }
}
