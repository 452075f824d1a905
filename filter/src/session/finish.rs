//! The stages that compare documents, in short units of work, without changing what they compare; and the counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Fate, Session};
use crate::corpus::too_short;
use crate::dedup::{Cluster, LineCounts, MinHash, Repeated, Sketch, Sketcher, cluster, remove_lines};
use crate::generate::Label;
use crate::mask::{Masked, mask};
use crate::settings::Stage;
use crate::wire::{Funnel, StageCount};

/// Documents of one unit of work.
const AT_ONCE: usize = 200;

/// Sketches are kept for documents of at most this many words in all: 8 bytes each.
const MAX_KEPT_SHINGLES: usize = 20_000_000;

/// Work in progress.
#[derive(Default)]
pub(super) struct Finish {
    repeated: Option<Repeated>,
    sketcher: Option<Sketcher>,
    sets: Vec<Arc<[u64]>>,
    entries: Vec<(u64, u32)>,
    /// The next document to sketch.
    at: usize,
    clustered: bool,
    /// The next document to mask.
    mask_at: usize,
    masked: Masked,
    kept_bytes: u64,
}

impl Finish {
    /// The share that is done, 0 to 1.
    pub fn share(&self, n_documents: usize) -> f64 {
        (self.at + self.mask_at) as f64 / (2 * n_documents).max(1) as f64
    }
}

/// The latest complete comparison.
#[derive(Default)]
pub(super) struct Outcome {
    pub fates: Vec<Fate>,
    pub clusters: Vec<Cluster>,
    pub repeated: Repeated,
    pub masked: Masked,
    pub kept_bytes: u64,
    /// It belongs to the present settings.
    pub compared: bool,
    /// Sketches by document, and the settings that they were made with.
    sketches: FxHashMap<u32, Sketch>,
    sketched_with: Option<MinHash>,
    n_shingles: usize,
}

impl Session {
    /// Does a unit of work; true when the comparison is complete.
    pub(super) fn compare(&mut self) -> bool {
        if self.finish.repeated.is_none() {
            self.begin_comparison();
        } else if self.finish.at < self.docs.len() {
            self.sketch_some();
        } else if !self.finish.clustered {
            self.cluster();
        } else {
            return self.mask_some();
        }
        false
    }

    /// Decides by the rules alone, and finds repeated lines.
    fn begin_comparison(&mut self) {
        let unreadable: Vec<bool> = self.docs.iter().map(|doc| doc.unreadable.is_some()).collect();
        self.fates = self.table.decide(self.settings(), &unreadable);
        let settings = self.settings().clone();
        let mut repeated = Repeated::default();
        if settings.lines.enabled {
            let mut counts = LineCounts::default();
            for at in (0..self.docs.len()).filter(|at| self.fates[*at] == Fate::Kept) {
                counts.add(self.judged_text(at), at as u32, &settings.lines);
            }
            repeated = counts.repeated(&settings.lines).collect();
            for at in 0..self.docs.len() {
                if self.fates[at] == Fate::Kept {
                    let (text, removed) = remove_lines(self.judged_text(at), at as u32, &repeated, &settings.lines);
                    if too_short(&text, removed, settings.lines.min_words).is_some() {
                        self.fates[at] = Fate::Lines;
                    }
                }
            }
        }
        // Removed lines change what is sketched.
        let sketched_with = (!settings.lines.enabled).then(|| settings.minhash.clone());
        if self.outcome.sketched_with != sketched_with || sketched_with.is_none() {
            (self.outcome.sketches, self.outcome.n_shingles) = (FxHashMap::default(), 0);
            self.outcome.sketched_with = sketched_with;
        }
        self.finish.repeated = Some(repeated);
        if settings.minhash.enabled {
            self.finish.sketcher = Some(Sketcher::new(&settings.minhash));
        } else {
            (self.finish.at, self.finish.clustered) = (self.docs.len(), true);
            self.outcome.clusters.clear();
        }
    }

    fn sketch_some(&mut self) {
        let end = (self.finish.at + AT_ONCE).min(self.docs.len());
        let Some(sketcher) = self.finish.sketcher.take() else { return };
        let keeps = self.outcome.sketched_with.is_some();
        for at in self.finish.at..end {
            let number = at as u32;
            let sketch = match self.outcome.sketches.get(&number) {
                _ if self.fates[at] != Fate::Kept => Sketch::default(),
                Some(sketch) => sketch.clone(),
                None => sketcher.sketch(&self.text_without_lines(at)),
            };
            self.finish.entries.extend(sketch.bands.iter().map(|band| (*band, number)));
            self.finish.sets.push(sketch.shingles.as_slice().into());
            let room = self.outcome.n_shingles + sketch.shingles.len() <= MAX_KEPT_SHINGLES;
            if keeps && room && self.fates[at] == Fate::Kept && !self.outcome.sketches.contains_key(&number) {
                self.outcome.n_shingles += sketch.shingles.len();
                self.outcome.sketches.insert(number, sketch);
            }
        }
        (self.finish.at, self.finish.sketcher) = (end, Some(sketcher));
    }

    fn cluster(&mut self) {
        let (sets, entries) = (std::mem::take(&mut self.finish.sets), std::mem::take(&mut self.finish.entries));
        let threshold = self.settings().minhash.threshold;
        let found = cluster(self.docs.len(), [Ok(entries)], threshold, |at| Ok(Arc::clone(&sets[at as usize])));
        // Sets in memory can always be read.
        let mut clusters = found.unwrap_or_default();
        for at in 0..self.docs.len() {
            let kept = clusters.kept(at as u32);
            if kept as usize != at {
                self.fates[at] = Fate::Duplicate(kept);
            }
        }
        self.outcome.clusters = clusters.clusters();
        self.finish.clustered = true;
    }

    /// Counts personal data in kept documents; true when all are counted.
    fn mask_some(&mut self) -> bool {
        if let Some(repeated) = self.finish.repeated.as_mut().filter(|_| self.finish.mask_at == 0) {
            // Texts are final from here on.
            self.outcome.repeated = std::mem::take(repeated);
        }
        let end = (self.finish.mask_at + AT_ONCE).min(self.docs.len());
        let settings = self.settings().clone();
        for at in self.finish.mask_at..end {
            if self.fates[at] != Fate::Kept {
                continue;
            }
            let text = self.text_without_lines(at);
            let (text, masked) =
                if settings.mask.enabled { mask(&text, &settings.mask) } else { (text, Masked::default()) };
            self.finish.kept_bytes += text.len() as u64;
            self.finish.masked.emails += masked.emails;
            self.finish.masked.phones += masked.phones;
            self.finish.masked.ips += masked.ips;
        }
        self.finish.mask_at = end;
        if end < self.docs.len() {
            return false;
        }
        (self.outcome.masked, self.outcome.kept_bytes) = (self.finish.masked, self.finish.kept_bytes);
        (self.outcome.fates, self.outcome.compared) = (self.fates.clone(), true);
        self.finish = Finish::default();
        self.version += 1;
        true
    }

    /// The text of a document without repeated lines.
    pub(super) fn text_without_lines(&self, at: usize) -> String {
        let text = self.judged_text(at);
        let lines = &self.settings().lines;
        let repeated = self.finish.repeated.as_ref().filter(|repeated| !repeated.is_empty());
        let repeated = repeated.unwrap_or(&self.outcome.repeated);
        if lines.enabled { remove_lines(text, at as u32, repeated, lines).0 } else { text.to_string() }
    }

    /// The text of a kept document.
    pub(super) fn final_text(&self, at: usize) -> String {
        let (text, settings) = (self.text_without_lines(at), self.settings());
        if settings.mask.enabled { mask(&text, &settings.mask).0 } else { text }
    }

    /// The counts.
    pub fn funnel(&self) -> Funnel {
        let mut counts: BTreeMap<Stage, StageCount> = BTreeMap::new();
        for stage in Stage::ALL.into_iter().filter(|stage| self.settings().enabled(*stage) && *stage != Stage::Mask) {
            counts.insert(stage, StageCount { stage, dropped: 0, dropped_bytes: 0, rules: Vec::new() });
        }
        let mut rules: FxHashMap<(Stage, &str), u64> = FxHashMap::default();
        let (mut kept, mut kept_bytes, mut text_bytes, mut bytes) = (0, 0, 0, 0);
        let mut labels = [0; 4];
        for (at, (doc, fate)) in self.docs.iter().zip(&self.fates).enumerate() {
            bytes += doc.n_bytes as u64;
            text_bytes += doc.text.len() as u64;
            let stage = self.stage_of(*fate);
            if let Some(label) = doc.label {
                let good = usize::from(!Label::is_good(label)) * 2;
                labels[good] += 1;
                labels[good + 1] += u64::from(stage.is_none() == label.is_good());
            }
            let Some(stage) = stage else {
                (kept, kept_bytes) = (kept + 1, kept_bytes + self.judged_text(at).len() as u64);
                continue;
            };
            if let Some(count) = counts.get_mut(&stage) {
                count.dropped += 1;
                count.dropped_bytes += doc.text.len() as u64;
            }
            let rule = match fate {
                Fate::Rule(column) => self.table.column(*column).map_or("", |column| column.rule),
                Fate::Unreadable => doc.unreadable.as_deref().unwrap_or_default(),
                Fate::Lines => "repeated_lines",
                _ => "duplicate",
            };
            *rules.entry((stage, rule)).or_default() += 1;
        }
        for ((stage, rule), n) in rules {
            counts.entry(stage).and_modify(|count| count.rules.push((rule.to_string(), n)));
        }
        let mut stages: Vec<StageCount> = counts.into_values().collect();
        stages.iter_mut().for_each(|count| count.rules.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0))));
        let outcome = &self.outcome;
        let largest = outcome.clusters.first().map_or(0, |cluster| cluster.documents.len());
        Funnel {
            documents: self.docs.len() as u64,
            bytes,
            text_bytes,
            stages,
            kept,
            kept_bytes: if outcome.compared { outcome.kept_bytes } else { kept_bytes },
            masked: [outcome.masked.emails, outcome.masked.phones, outcome.masked.ips],
            clusters: (outcome.clusters.len(), largest),
            compared: outcome.compared,
            labels: (labels[0] + labels[2] > 0).then_some(labels),
        }
    }
}
