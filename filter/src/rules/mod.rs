//! Rules that keep or drop a document by a number that is measured in it.
//!
//! Every rule of a stage has a name, which is the reason in the output and equals datatrove's where datatrove has the
//! rule, and one bound. Stages measure in datatrove's order and stop at the first rule that drops the document, unless all
//! measurements are wanted, as for histograms.

use serde::{Deserialize, Serialize};

mod c4;
mod encoding;
mod fineweb;
mod gopher;
mod language;
mod phrases;
mod repetition;
mod spans;
mod url;

pub use c4::{C4, c4};
pub use encoding::{Encoding, encoding};
pub use fineweb::{FineWeb, fineweb};
pub use gopher::{Gopher, gopher};
pub use language::{Language, identify, language};
pub use phrases::{Phrases, phrases};
pub use repetition::{Repetition, repetition};
pub use spans::spans;
pub use url::{UrlRules, url};

/// Which side of a limit is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Values below the limit are dropped.
    Min,
    /// Values above the limit are dropped.
    Max,
}

/// One measured value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// The rule, which is the reason if it drops the document.
    pub rule: &'static str,
    /// The value; NaN if the document has nothing to measure, which every rule keeps.
    pub value: f64,
    /// The limit.
    pub limit: f64,
    /// Which side of the limit is dropped.
    pub bound: Bound,
}

impl Measure {
    /// Whether the rule keeps the document.
    pub fn keeps(&self) -> bool {
        match self.bound {
            Bound::Min => self.value >= self.limit || self.value.is_nan(),
            Bound::Max => self.value <= self.limit || self.value.is_nan(),
        }
    }
}

/// The measurements of one stage.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// In the order of the rules.
    pub measures: Vec<Measure>,
    /// Measure all rules, also after one has dropped the document.
    pub all: bool,
    failed: Option<usize>,
}

impl Sheet {
    /// An empty sheet.
    pub fn new(all: bool) -> Self {
        Self { all, ..Self::default() }
    }

    /// The measurement that dropped the document.
    pub fn reason(&self) -> Option<&Measure> {
        self.failed.map(|at| &self.measures[at])
    }

    /// Whether the stage can stop: the document is dropped, and nothing else needs to be measured.
    pub fn done(&self) -> bool {
        self.failed.is_some() && !self.all
    }

    fn min(&mut self, rule: &'static str, value: f64, limit: f64) -> bool {
        self.add(Measure { rule, value, limit, bound: Bound::Min })
    }

    fn max(&mut self, rule: &'static str, value: f64, limit: f64) -> bool {
        self.add(Measure { rule, value, limit, bound: Bound::Max })
    }

    fn add(&mut self, measure: Measure) -> bool {
        if !measure.keeps() && self.failed.is_none() {
            self.failed = Some(self.measures.len());
        }
        self.measures.push(measure);
        self.done()
    }
}

/// Measures the score of a classifier.
pub fn quality(score: f64, min_score: f64, sheet: &mut Sheet) {
    sheet.min("low_quality", score, min_score);
}
