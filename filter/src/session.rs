//! Filtering in steps, for a worker of the page: documents are added in pieces of time, every rule is measured, and limits
//! can be changed without reading the documents again.

use std::collections::{BTreeMap, VecDeque};
use std::io::Cursor;

use serde::Serialize;

use crate::classify::Classifier;
use crate::corpus::Corpus;
use crate::dedup::{Cluster, candidate_probability};
use crate::document::Document;
use crate::generate::{DirtyPages, Mix, notes};
use crate::pipeline::{Drop, Funnel, Pipeline};
use crate::rng::Rng;
use crate::rules::Measure;
use crate::settings::{Settings, SettingsError, Stage};
use crate::source::{DocumentReader, END_OF_TEXT, Skipped, open};

/// Files that wait to be read, and the corpus so far.
pub struct Session {
    pipeline: Pipeline,
    corpus: Corpus,
    waiting: VecDeque<(String, Vec<u8>)>,
    reader: Option<(String, Box<dyn DocumentReader>)>,
    skipped: Skipped,
    problems: Vec<String>,
    field: String,
}

/// Where a session stands.
#[derive(Clone, Debug, Serialize)]
pub struct Progress<'s> {
    /// Documents so far.
    pub documents: usize,
    /// Bytes of these documents.
    pub bytes: u64,
    /// All files have been read.
    pub done: bool,
    /// What the files could not deliver.
    pub skipped: Skipped,
    /// Files that ended early, and why.
    pub problems: &'s [String],
}

/// A document for display.
#[derive(Clone, Debug, Serialize)]
pub struct View<'s> {
    url: &'s str,
    text: &'s str,
    bytes: usize,
    language: Option<&'static str>,
    dropped: Option<&'s Drop>,
    measures: Vec<(Stage, Measure)>,
    /// The parts that the rule objects to which dropped the document, in bytes of the text.
    spans: Vec<(usize, usize)>,
}

/// The result of [`Session::finish`].
#[derive(Clone, Debug, Serialize)]
pub struct Finished<'s> {
    /// Counts by stage.
    pub funnel: &'s Funnel,
    /// Clusters of near duplicates, the largest first.
    pub clusters: Vec<Cluster>,
    /// The S-curve: pairs of a similarity and the probability to find a pair that has it.
    pub s_curve: Vec<(f64, f64)>,
}

impl Session {
    /// Starts with settings in TOML.
    ///
    /// # Errors
    /// When the settings are not valid.
    pub fn new(settings: &str, classifier: Option<Classifier>, field: &str) -> Result<Self, SettingsError> {
        let pipeline = Pipeline::new(Settings::from_toml(settings)?, classifier);
        let (corpus, waiting, skipped) = (Corpus::default(), VecDeque::new(), Skipped::default());
        Ok(Self { pipeline, corpus, waiting, reader: None, skipped, problems: Vec::new(), field: field.into() })
    }

    /// Adds a file to read.
    pub fn add_file(&mut self, name: String, bytes: Vec<u8>) {
        self.waiting.push_back((name, bytes));
    }

    /// Adds generated pages of at least `n_bytes` around good texts, which are separated by `<|endoftext|>`; without
    /// texts, around notes.
    pub fn add_generated(&mut self, seed: u64, n_bytes: usize, texts: &str) {
        let texts: Vec<&str> = texts.split(END_OF_TEXT).map(str::trim).filter(|text| !text.is_empty()).collect();
        let (mut at, mut rng) = (0, Rng::new(seed));
        let story = || match texts.len() {
            0 => notes(&mut rng),
            n => {
                at += 1;
                texts[(at - 1) % n].to_string()
            }
        };
        let mut total = 0;
        for page in DirtyPages::new(seed, Mix::default(), story) {
            total += page.html.len();
            self.corpus.add(&self.pipeline, &Document::html(page.url, page.html), true);
            if total >= n_bytes {
                return;
            }
        }
    }

    /// Judges up to `n` documents.
    pub fn step(&mut self, n: usize) -> Progress<'_> {
        for _ in 0..n {
            let Some(document) = self.next() else { break };
            self.corpus.add(&self.pipeline, &document, true);
        }
        let skipped = self.reader.as_ref().map_or(Skipped::default(), |(_, reader)| reader.skipped());
        let mut all_skipped = self.skipped;
        all_skipped.add(skipped);
        Progress {
            documents: self.corpus.records.len(),
            bytes: self.corpus.records.iter().map(|record| record.n_bytes as u64).sum(),
            done: self.waiting.is_empty() && self.reader.is_none(),
            skipped: all_skipped,
            problems: &self.problems,
        }
    }

    fn next(&mut self) -> Option<Document> {
        loop {
            if self.reader.is_none() {
                let (name, bytes) = self.waiting.pop_front()?;
                match open(&name, Cursor::new(bytes), &self.field) {
                    Ok(reader) => self.reader = Some((name, reader)),
                    Err(error) => self.problems.push(format!("{name} {error}")),
                }
                continue;
            }
            let (name, reader) = self.reader.as_mut()?;
            match reader.next_document() {
                Ok(Some(document)) => return Some(document),
                Ok(None) => {}
                Err(error) => self.problems.push(format!("{name} {error}")),
            }
            self.skipped.add(reader.skipped());
            self.reader = None;
        }
    }

    /// Runs the stages that compare documents, and masks what is kept.
    pub fn finish(&mut self) -> Finished<'_> {
        self.corpus.finish(&self.pipeline);
        let minhash = &self.pipeline.settings().minhash;
        let point = |at: u32| {
            (f64::from(at) / 100.0, candidate_probability(f64::from(at) / 100.0, minhash.bands, minhash.rows))
        };
        Finished {
            clusters: self.corpus.clusters.clusters(),
            funnel: &self.corpus.funnel,
            s_curve: (0..=100).map(point).collect(),
        }
    }

    /// A document by its number.
    pub fn view(&self, at: usize) -> Option<View<'_>> {
        let record = self.corpus.records.get(at)?;
        let spans = record.dropped.as_ref().map(|drop| self.pipeline.spans(&drop.reason, &record.text));
        Some(View {
            url: &record.url,
            text: &record.text,
            bytes: record.n_bytes,
            language: record.language,
            dropped: record.dropped.as_ref(),
            // JSON has no NaN; what could not be measured is left out.
            measures: record.measures.iter().filter(|(_, measure)| measure.value.is_finite()).copied().collect(),
            spans: spans.unwrap_or_default(),
        })
    }

    /// The values of a rule in all documents that have one, for a histogram.
    pub fn values(&self, rule: &str) -> Vec<f64> {
        let measures = self.corpus.records.iter().flat_map(|record| &record.measures);
        measures
            .filter(|(_, measure)| measure.rule == rule && measure.value.is_finite())
            .map(|(_, m)| m.value)
            .collect()
    }

    /// The number of documents that each stage would drop with other limits, from the measurements, by the name of the
    /// stage; `kept` is what the stages before deduplication keep.
    ///
    /// # Errors
    /// When the settings are not valid.
    pub fn recount(&self, settings: &str) -> Result<BTreeMap<&'static str, u64>, SettingsError> {
        let settings = Settings::from_toml(settings)?;
        let limits = limits(&settings);
        let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
        for record in &self.corpus.records {
            let fails = |(stage, measure): &&(Stage, Measure)| {
                let limit = limits.get(measure.rule).copied().unwrap_or(measure.limit);
                settings.enabled(*stage) && !Measure { limit, ..*measure }.keeps()
            };
            let unreadable = record.dropped.as_ref().is_some_and(|drop| drop.stage == Stage::Extract);
            let stage = match record.measures.iter().find(fails) {
                Some((stage, _)) => stage.name(),
                None if unreadable => Stage::Extract.name(),
                None => "kept",
            };
            *counts.entry(stage).or_default() += 1;
        }
        Ok(counts)
    }

    /// The numbers of documents whose text or address contains a phrase, without regard to case, at most `n`.
    pub fn search(&self, phrase: &str, kept: bool, n: usize) -> Vec<usize> {
        let phrase = phrase.to_lowercase();
        let records = self.corpus.records.iter().enumerate().filter(|(_, record)| record.dropped.is_none() == kept);
        let contains = |text: &str| phrase.is_empty() || text.to_lowercase().contains(&phrase);
        records
            .filter(|(_, record)| contains(&record.text) || contains(&record.url))
            .map(|(at, _)| at)
            .take(n)
            .collect()
    }

    /// The kept texts, separated by `<|endoftext|>`.
    pub fn kept_text(&self) -> String {
        let mut out = String::new();
        for record in self.corpus.kept() {
            out.push_str(&record.text);
            out.push_str(END_OF_TEXT);
            out.push('\n');
        }
        out
    }
}

/// The limit of every rule.
fn limits(settings: &Settings) -> BTreeMap<&'static str, f64> {
    let text = "A sentence that every rule can measure, with enough words for all of them.\n".repeat(8);
    let mut all = settings.clone();
    Stage::ALL.into_iter().for_each(|stage| all.set_enabled(stage, true));
    // The limit of the classifier does not depend on its score.
    all.quality.enabled = false;
    let record = Pipeline::new(all, None).judge(&Document::text("https://a.example/", text), true);
    let mut limits: BTreeMap<_, _> = record.measures.iter().map(|(_, measure)| (measure.rule, measure.limit)).collect();
    limits.insert("low_quality", settings.quality.min_score);
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_can_move_without_reading_again() {
        let mut session = Session::new("[minhash]\nenabled = false\n[lines]\nenabled = false", None, "text").unwrap();
        session.add_generated(3, 400_000, "");
        let with = |min_words: f64| format!("[gopher]\nmin_words = {min_words:?}");
        let at = |text: String| session.recount(&text).unwrap();
        let (usual, strict) = (at(with(50.0)), at(with(120.0)));
        assert!(strict["kept"] < usual["kept"], "{strict:?} {usual:?}");
        // Judging again with the other limits gives the same counts.
        for (text, counts) in [(with(50.0), &usual), (with(120.0), &strict)] {
            let mut again =
                Session::new(&format!("{text}\n[minhash]\nenabled = false\n[lines]\nenabled = false"), None, "text")
                    .unwrap();
            again.add_generated(3, 400_000, "");
            assert_eq!(again.finish().funnel.kept, counts["kept"]);
        }
    }

    #[test]
    fn files_are_read_in_steps() {
        let mut session = Session::new("", None, "text").unwrap();
        session.add_file("a.jsonl".into(), b"{\"text\":\"one\"}\n{\"text\":\"two\"}\n".to_vec());
        session.add_file("b.pdf".into(), b"%PDF".to_vec());
        assert!(!session.step(1).done);
        let progress = session.step(5);
        assert!(progress.done && progress.documents == 2 && progress.problems.len() == 1);
        assert_eq!(session.finish().funnel.kept, 0);
        assert_eq!(session.search("TWO", false, 9), [1]);
        assert!(session.view(0).unwrap().dropped.is_some());
        assert_eq!(session.view(2).map(|view| view.bytes), None);
    }
}
