//! The stages that judge each document by itself, in their order.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::classify::Classifier;
use crate::document::{Content, Document};
use crate::html::{self, HtmlError};
use crate::rules::{self, Measure, Sheet};
use crate::settings::{Settings, Stage};
use crate::text::Text;

/// Why a document was dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drop {
    /// The stage that dropped it.
    pub stage: Stage,
    /// The rule.
    pub reason: String,
    /// The measured value, if the rule has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The limit, if the rule has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
}

/// The result for a document.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The address.
    pub url: String,
    /// The length of the content in bytes.
    pub n_bytes: usize,
    /// The text after the last stage that ran.
    pub text: String,
    /// The language, if it was identified.
    pub language: Option<&'static str>,
    /// The first rule that dropped the document.
    pub dropped: Option<Drop>,
    /// Lines that were removed because an earlier document has them.
    pub removed_lines: usize,
    /// All measurements, by stage.
    pub measures: Vec<(Stage, Measure)>,
}

/// The measurements of a text.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// The text after the stages that change it, if it changed.
    pub changed: Option<String>,
    /// The language, if it was identified.
    pub language: Option<&'static str>,
    /// All measurements, by stage.
    pub measures: Vec<(Stage, Measure)>,
}

/// The stages with their settings.
pub struct Pipeline {
    settings: Settings,
    classifier: Option<Classifier>,
}

impl Pipeline {
    /// Prepares the stages. `classifier` replaces the built-in one.
    pub fn new(settings: Settings, classifier: Option<Classifier>) -> Self {
        Self { settings, classifier }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes the classifier that replaces the built-in one.
    pub fn take_classifier(&mut self) -> Option<Classifier> {
        self.classifier.take()
    }

    /// The classifier of the quality stage.
    pub fn classifier(&self) -> &Classifier {
        self.classifier.as_ref().unwrap_or_else(|| crate::classify::builtin())
    }

    /// Judges a document. With `all`, every rule of every stage is measured, also after one has dropped it.
    pub fn judge(&self, document: &Document, all: bool) -> Record {
        let mut record = Record { url: document.url.clone(), n_bytes: document.n_bytes(), ..Record::default() };
        if self.settings.url.enabled
            && self.stage(Stage::Url, &mut record, all, |sheet| rules::url(&document.url, &self.settings.url, sheet))
        {
            return record;
        }
        match self.extract(document) {
            Ok(text) => record.text = text,
            Err(error) => {
                let reason = error.to_string();
                record.dropped.get_or_insert(Drop { stage: Stage::Extract, reason, value: None, limit: None });
                return record;
            }
        }
        self.text_stages(&mut record, all);
        record
    }

    /// Runs the stages that judge the text. They share its words until one of them changes it.
    fn text_stages(&self, record: &mut Record, all: bool) {
        let mut stages = Stage::ALL[2..10].iter().filter(|stage| self.settings.enabled(**stage));
        loop {
            let original = std::mem::take(&mut record.text);
            let text = Text::new(&original);
            let changed = loop {
                let Some(stage) = stages.next() else { break None };
                let (changed, done) = self.text_stage(*stage, &text, record, all);
                // A dropped document keeps the text that the rule saw.
                if done || changed.is_some() && record.dropped.is_none() {
                    break changed.filter(|_| !done);
                }
            };
            let Some(changed) = changed else {
                record.text = original;
                return;
            };
            record.text = changed;
        }
    }

    /// Runs a stage that judges the text. Returns the changed text, and whether the document needs no further stage.
    fn text_stage(&self, stage: Stage, text: &Text<'_>, record: &mut Record, all: bool) -> (Option<String>, bool) {
        let settings = &self.settings;
        let (mut changed, mut found) = (None, None);
        let done = self.stage(stage, record, all, |sheet| match stage {
            Stage::Encoding => rules::encoding(text, &settings.encoding, sheet),
            Stage::Language => found = rules::language(text.text, &settings.language, sheet),
            Stage::Repetition => rules::repetition(text, &settings.repetition, sheet),
            Stage::Gopher => rules::gopher(text, &settings.gopher, sheet),
            Stage::C4 => changed = Some(rules::c4(text.text, &settings.c4, sheet)).filter(|new| new != text.text),
            Stage::Fineweb => rules::fineweb(text, &settings.fineweb, sheet),
            Stage::Phrases => rules::phrases(text.text, &settings.phrases, sheet),
            Stage::Quality => rules::quality(self.classifier().score(text.text), settings.quality.min_score, sheet),
            Stage::Url | Stage::Extract | Stage::Lines | Stage::Minhash | Stage::Mask => {}
        });
        record.language = record.language.or(found);
        (changed, done)
    }

    /// Measures a text by every rule of the stages that judge it, whatever an earlier one finds, each on what the stages
    /// before it leave of the text.
    pub fn measure(&self, text: &str) -> Measured {
        let mut record = Record::default();
        let mut changed: Option<String> = None;
        let mut stages = Stage::ALL[2..10].iter().filter(|stage| self.settings.enabled(**stage));
        loop {
            let view = Text::new(changed.as_deref().unwrap_or(text));
            let new = stages.find_map(|stage| self.text_stage(*stage, &view, &mut record, true).0);
            match new {
                Some(new) => changed = Some(new),
                None => return Measured { changed, language: record.language, measures: record.measures },
            }
        }
    }

    /// Measures an address by every rule.
    pub fn measure_url(&self, url: &str) -> Vec<(Stage, Measure)> {
        let mut sheet = Sheet::new(true);
        rules::url(url, &self.settings.url, &mut sheet);
        sheet.measures.into_iter().map(|measure| (Stage::Url, measure)).collect()
    }

    fn stage(&self, stage: Stage, record: &mut Record, all: bool, run: impl FnOnce(&mut Sheet)) -> bool {
        let mut sheet = Sheet::new(all);
        run(&mut sheet);
        if let Some(measure) = sheet.reason() {
            record.dropped.get_or_insert(Drop {
                stage,
                reason: measure.rule.to_string(),
                value: Some(measure.value),
                limit: Some(measure.limit),
            });
        }
        record.measures.extend(sheet.measures.iter().map(|measure| (stage, *measure)));
        record.dropped.is_some() && !all
    }

    /// The text of a document, or the reason why it has none.
    ///
    /// # Errors
    /// The reason, for example that the page has no text.
    pub fn extract(&self, document: &Document) -> Result<String, ExtractError> {
        let text: Cow<'_, str> = match &document.content {
            Content::Text(text) => text.trim().into(),
            Content::Html { bytes, charset } => {
                let page = html::decode(bytes, charset.as_deref());
                let extract = if self.settings.extract.main_content { html::main_text } else { html::plain_text };
                extract(&page)?.into()
            }
        };
        if text.is_empty() { Err(ExtractError::Empty) } else { Ok(text.into_owned()) }
    }

    /// The parts of a text that a rule objects to, as byte ranges.
    pub fn spans(&self, rule: &str, text: &str) -> Vec<(usize, usize)> {
        let settings = &self.settings;
        rules::spans(rule, text, &settings.c4, &settings.fineweb, &settings.phrases)
    }
}

/// Why a document has no text.
#[derive(Debug, Error)]
pub enum ExtractError {
    /// Its HTML cannot be read.
    #[error(transparent)]
    Html(#[from] HtmlError),
    /// It has none.
    #[error("empty")]
    Empty,
}

/// What came into and out of a stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageCount {
    /// Documents that the stage dropped.
    pub dropped: u64,
    /// Their bytes of text.
    pub dropped_bytes: u64,
    /// Dropped documents by reason.
    pub reasons: BTreeMap<String, u64>,
}

/// The counts of a run, stage by stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Funnel {
    /// All documents.
    pub documents: u64,
    /// Their bytes, as delivered by the source.
    pub bytes: u64,
    /// By the name of the stage.
    pub stages: BTreeMap<Stage, StageCount>,
    /// Documents that were kept.
    pub kept: u64,
    /// Their bytes of text.
    pub kept_bytes: u64,
    /// Lines that the lines stage removed from kept documents.
    pub removed_lines: u64,
    /// Masked personal data in kept documents.
    pub masked: crate::mask::Masked,
}

impl Funnel {
    /// Counts a document of the source.
    pub fn add(&mut self, n_bytes: usize) {
        self.documents += 1;
        self.bytes += n_bytes as u64;
    }

    /// Counts a dropped document.
    pub fn drop(&mut self, drop: &Drop, text_bytes: usize) {
        let count = self.stages.entry(drop.stage).or_default();
        count.dropped += 1;
        count.dropped_bytes += text_bytes as u64;
        *count.reasons.entry(drop.reason.clone()).or_default() += 1;
    }

    /// The documents that remain after each stage.
    pub fn remaining(&self) -> Vec<(Stage, u64)> {
        let mut left = self.documents;
        let after = |stage: Stage| {
            left -= self.stages.get(&stage).map_or(0, |count| count.dropped);
            (stage, left)
        };
        Stage::ALL.into_iter().map(after).collect()
    }
}
