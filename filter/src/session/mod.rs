//! Filtering in short units of work, for a worker of the page: documents are read and measured once, and moving a limit needs no
//! second look at their texts.

use std::collections::VecDeque;
use std::io::Read;

use crate::classify::Classifier;
use crate::dedup::Cluster;
use crate::fields::measured_by;
use crate::generate::{Label, Page};
use crate::pipeline::Pipeline;
use crate::settings::{Settings, Stage};
use crate::source::Skipped;
use crate::wire::{Phase, Progress};

pub mod examples;
mod export;
mod finish;
mod lists;
mod reading;
mod similar;
mod table;
#[cfg(test)]
mod tests;

use finish::{Finish, Outcome};
use reading::{Open, Source};
pub use similar::plant;
pub use table::Fate;
use table::Table;

/// Documents that are measured again in one unit of work.
const MEASURED_AT_ONCE: usize = 64;

/// A document with what does not depend on limits.
struct Doc {
    url: String,
    n_bytes: usize,
    /// The extracted text; empty if there is none.
    text: String,
    /// The text after C4's line rules, if they change it.
    changed: Option<String>,
    language: Option<&'static str>,
    /// Why no text could be extracted.
    unreadable: Option<String>,
    /// The label of a generated page.
    label: Option<Label>,
}

/// What is done at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Idle,
    Reading,
    /// Measuring again, from this document on.
    Measuring(usize),
    Comparing,
}

/// The documents, their measurements and decisions.
pub struct Session {
    pipeline: Pipeline,
    field: String,
    docs: Vec<Doc>,
    table: Table,
    fates: Vec<Fate>,
    finish: Finish,
    outcome: Outcome,
    waiting: VecDeque<Source>,
    open: Option<Open>,
    work: Work,
    skipped: Skipped,
    problems: Vec<String>,
    /// Bytes of all sources, and of those that have been read completely.
    total_bytes: u64,
    read_bytes: u64,
    /// Counts changes of decisions, for lists that are computed from them.
    version: u64,
    listed: Option<(u64, crate::wire::List, Vec<u32>)>,
}

impl Default for Session {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Session {
    /// A session without documents.
    pub fn new(settings: Settings) -> Self {
        Self {
            pipeline: Pipeline::new(settings, None),
            field: "text".into(),
            docs: Vec::new(),
            table: Table::default(),
            fates: Vec::new(),
            finish: Finish::default(),
            outcome: Outcome::default(),
            waiting: VecDeque::new(),
            open: None,
            work: Work::Idle,
            skipped: Skipped::default(),
            problems: Vec::new(),
            total_bytes: 0,
            read_bytes: 0,
            version: 0,
            listed: None,
        }
    }

    /// Forgets all documents. `field` is the field of JSON Lines with the text.
    pub fn clear(&mut self, field: &str) {
        let classifier = self.pipeline.take_classifier();
        let mut empty = Self::new(self.pipeline.settings().clone());
        empty.pipeline = Pipeline::new(self.pipeline.settings().clone(), classifier);
        (empty.field, empty.version) = (field.into(), self.version + 1);
        *self = empty;
    }

    /// Adds a file of this many bytes.
    pub fn add_file(&mut self, name: String, reader: Box<dyn Read + Send>, bytes: u64) {
        self.add(Source::File { name, reader, bytes });
    }

    /// Adds generated pages, up to this many bytes.
    pub fn add_pages(&mut self, pages: Box<dyn Iterator<Item = Page> + Send>, bytes: u64) {
        self.add(Source::Pages { pages, bytes });
    }

    fn add(&mut self, source: Source) {
        self.total_bytes += source.bytes();
        self.waiting.push_back(source);
        self.work = Work::Reading;
    }

    /// Stops reading; the documents so far stay.
    pub fn cancel(&mut self) {
        if self.work == Work::Reading {
            self.waiting.clear();
            self.open = None;
            self.total_bytes = self.read_bytes;
            self.problems.push("Reading was stopped; the documents before that are used.".into());
            self.finish_reading();
        }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        self.pipeline.settings()
    }

    /// Uses other settings. Decisions that follow from measurements are in force at once; what else is needed is done by
    /// [`Session::work`].
    pub fn set(&mut self, settings: Settings) {
        let measured = measured_by(&settings) == measured_by(self.settings());
        let extracted = settings.extract == self.settings().extract;
        let classifier = self.pipeline.take_classifier();
        self.pipeline = Pipeline::new(settings, classifier);
        if !extracted {
            self.problems.push("Text is extracted with the new setting when the pages are read again.".into());
        }
        if measured { self.decide() } else { self.measure_again() }
    }

    /// Uses another classifier.
    pub fn set_classifier(&mut self, classifier: Classifier) {
        self.pipeline = Pipeline::new(self.settings().clone(), Some(classifier));
        self.measure_again();
    }

    fn measure_again(&mut self) {
        if self.work != Work::Reading {
            (self.table, self.work) = (Table::default(), Work::Measuring(0));
            return;
        }
        // The documents so far are measured before more are read.
        self.table = Table::default();
        for at in 0..self.docs.len() {
            self.measure(at);
        }
        self.decide_rules();
    }

    /// Decides by the rules, and looks for duplicates afterwards.
    fn decide(&mut self) {
        if matches!(self.work, Work::Measuring(_)) {
            return; // decided at its end
        }
        self.decide_rules();
        if self.work != Work::Reading {
            self.work = if self.docs.is_empty() { Work::Idle } else { Work::Comparing };
        }
    }

    fn decide_rules(&mut self) {
        self.table.complete();
        let unreadable: Vec<bool> = self.docs.iter().map(|doc| doc.unreadable.is_some()).collect();
        self.fates = self.table.decide(self.pipeline.settings(), &unreadable);
        // Until duplicates have been looked for again, earlier ones count.
        for (fate, earlier) in self.fates.iter_mut().zip(&self.outcome.fates) {
            let runs = match earlier {
                Fate::Duplicate(_) => self.pipeline.settings().minhash.enabled,
                Fate::Lines => self.pipeline.settings().lines.enabled,
                _ => false,
            };
            if *fate == Fate::Kept && runs {
                *fate = *earlier;
            }
        }
        self.finish = Finish::default();
        self.outcome.compared = false;
        self.version += 1;
    }

    /// Does a short unit of work; false if there is none.
    pub fn work(&mut self) -> bool {
        match self.work {
            Work::Idle => return false,
            Work::Reading => self.read(),
            Work::Measuring(at) => {
                let end = (at + MEASURED_AT_ONCE).min(self.docs.len());
                (at..end).for_each(|at| self.measure(at));
                self.work = Work::Measuring(end);
                if end == self.docs.len() {
                    self.work = Work::Idle;
                    self.decide();
                }
            }
            Work::Comparing => {
                if self.compare() {
                    self.work = Work::Idle;
                }
            }
        }
        true
    }

    fn measure(&mut self, at: usize) {
        let doc = &mut self.docs[at];
        let mut measures = self.pipeline.measure_url(&doc.url);
        if doc.unreadable.is_none() {
            let measured = self.pipeline.measure(&doc.text);
            measures.extend(measured.measures);
            (doc.changed, doc.language) = (measured.changed, measured.language);
        }
        self.table.add(&measures);
    }

    /// How far the work is; `seconds` is the time that it took.
    pub fn progress(&self, seconds: f64) -> Progress {
        let mut skipped = self.skipped;
        let inside = match &self.open {
            Some(Open::Pages { left, bytes, .. }) => bytes.saturating_sub((*left).max(0) as u64),
            Some(Open::File { reader, .. }) => {
                skipped.add(reader.skipped());
                0
            }
            None => 0,
        };
        let (phase, share) = match self.work {
            Work::Idle => (None, 1.0),
            Work::Reading => (Some(Phase::Reading), (self.read_bytes + inside) as f64 / self.total_bytes.max(1) as f64),
            Work::Measuring(at) => (Some(Phase::Measuring), at as f64 / self.docs.len().max(1) as f64),
            Work::Comparing => (Some(Phase::Comparing), self.finish.share(self.docs.len())),
        };
        let mut problems = self.problems.clone();
        let counts =
            [(skipped.too_long, "longer than 8 MiB"), (skipped.damaged, "damaged"), (skipped.no_text, "without text")];
        problems.extend(
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, why)| format!("Documents skipped because {why}: {n}.")),
        );
        let bytes = self.docs.iter().map(|doc| doc.n_bytes as u64).sum();
        Progress { documents: self.docs.len(), bytes, share: share.min(1.0), seconds, phase, problems }
    }

    /// Decides about the documents that have been read so far.
    pub fn decide_so_far(&mut self) {
        if self.work == Work::Reading {
            self.decide_rules();
        }
    }

    /// Whether documents are being read.
    pub fn is_reading(&self) -> bool {
        self.work == Work::Reading
    }

    /// The text of a document after the stages that change it before deduplication.
    fn judged_text(&self, at: usize) -> &str {
        let doc = &self.docs[at];
        let changed = doc.changed.as_deref().filter(|_| self.settings().c4.enabled);
        changed.unwrap_or(&doc.text)
    }

    /// The stage that dropped a document.
    fn stage_of(&self, fate: Fate) -> Option<Stage> {
        match fate {
            Fate::Kept => None,
            Fate::Unreadable => Some(Stage::Extract),
            Fate::Rule(column) => self.table.column(column).map(|column| column.stage),
            Fate::Lines => Some(Stage::Lines),
            Fate::Duplicate(_) => Some(Stage::Minhash),
        }
    }

    /// The stage and the rule that dropped a document.
    fn reason(&self, at: usize) -> Option<(Stage, String)> {
        let fate = *self.fates.get(at)?;
        let rule = match fate {
            Fate::Kept => return None,
            Fate::Unreadable => self.docs[at].unreadable.clone().unwrap_or_default(),
            Fate::Rule(column) => self.table.column(column)?.rule.into(),
            Fate::Lines => "repeated_lines".into(),
            Fate::Duplicate(_) => "duplicate".into(),
        };
        Some((self.stage_of(fate)?, rule))
    }

    /// The text of a document as the rule that dropped it saw it, or as it is kept.
    fn shown_text(&self, at: usize) -> String {
        let doc = &self.docs[at];
        match self.stage_of(self.fates[at]) {
            None => self.final_text(at),
            Some(stage) if stage <= Stage::C4 => doc.text.clone(),
            Some(_) => self.judged_text(at).to_string(),
        }
    }

    /// Clusters of near duplicates, the largest first.
    pub fn clusters(&self) -> &[Cluster] {
        &self.outcome.clusters
    }
}
