//! Training the quality classifier on examples that the user chooses.

use std::io::Cursor;

use super::Session;
use crate::classify::{Classifier, ClassifierError};
use crate::document::Content;
use crate::html::{decode, main_text};
use crate::source::{SourceError, open};

/// Examples of each class.
const MAX_EXAMPLES: usize = 3000;

/// Every tenth example tests the classifier.
const TEST_EVERY: usize = 10;

/// N-grams of each class that are shown.
const N_TELLING: usize = 12;

/// A trained classifier, and how good it is.
pub struct Trained {
    /// The classifier.
    pub classifier: Classifier,
    /// Right answers and examples in the tenth that was held out: good, then bad.
    pub right: [(usize, usize); 2],
}

impl Trained {
    /// The n-grams that speak most for good and for bad texts, with their weights.
    pub fn telling(&self) -> [Vec<(String, f32)>; 2] {
        let all = self.classifier.telling();
        let good = all.iter().filter(|(_, weight)| *weight > 0.0).take(N_TELLING);
        let bad = all.iter().rev().filter(|(_, weight)| *weight < 0.0).take(N_TELLING);
        [good.cloned().collect(), bad.cloned().collect()]
    }
}

/// The texts of a file.
///
/// # Errors
/// When the file cannot be read.
pub fn texts(name: &str, bytes: Vec<u8>, field: &str) -> Result<Vec<String>, SourceError> {
    let (mut reader, mut texts) = (open(name, Cursor::new(bytes), field)?, Vec::new());
    while texts.len() < MAX_EXAMPLES
        && let Some(document) = reader.next_document()?
    {
        texts.push(match document.content {
            Content::Text(text) => text,
            Content::Html { bytes, charset } => main_text(&decode(&bytes, charset.as_deref())).unwrap_or_default(),
        });
    }
    Ok(texts)
}

/// Trains a classifier on nine tenths of the examples and tests it on the rest.
///
/// # Errors
/// When a class has too few examples.
pub fn train(good: &[String], bad: &[String]) -> Result<Trained, ClassifierError> {
    let part = |texts: &[String], test: bool| -> Vec<String> {
        let chosen = texts.iter().enumerate().filter(|(at, _)| (at % TEST_EVERY == TEST_EVERY - 1) == test);
        chosen.map(|(_, text)| text.clone()).collect()
    };
    let [train_good, train_bad] = [good, bad].map(|texts| part(texts, false));
    let a: Vec<&str> = train_good.iter().map(String::as_str).collect();
    let b: Vec<&str> = train_bad.iter().map(String::as_str).collect();
    let classifier = Classifier::train(&a, &b, ["good", "bad"], 1)?;
    let right = |texts: &[String], good: bool| {
        let texts = part(texts, true);
        (texts.iter().filter(|text| (classifier.score(text) >= 0.5) == good).count(), texts.len())
    };
    let right = [right(good, true), right(bad, false)];
    Ok(Trained { classifier, right })
}

impl Session {
    /// Texts of kept or of dropped documents.
    pub fn examples(&self, kept: bool) -> Vec<String> {
        let wanted = (0..self.fates.len()).filter(|at| self.stage_of(self.fates[*at]).is_none() == kept);
        let readable = wanted.filter(|at| self.docs[*at].unreadable.is_none());
        readable.take(MAX_EXAMPLES).map(|at| self.judged_text(at).to_string()).collect()
    }
}
