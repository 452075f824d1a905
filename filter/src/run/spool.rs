//! What the first phase writes about each document, as JSON Lines, for the later phases and for the output.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::RunError;
use crate::pipeline::{Drop, Record};

/// A document after the stages that judge it alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) url: String,
    /// Length of the content in bytes.
    pub(super) bytes: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dropped: Option<Drop>,
    /// Every measurement by the name of its rule.
    pub(super) measures: BTreeMap<String, Option<f64>>,
    /// The text of a document that is not dropped; of others, only its length.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) text: String,
    pub(super) text_bytes: usize,
}

impl From<Record> for Entry {
    fn from(record: Record) -> Self {
        // JSON has no NaN: what could not be measured is null.
        let measure = |(_, measure): &(_, crate::rules::Measure)| {
            (measure.rule.to_string(), Some(measure.value).filter(|value| value.is_finite()))
        };
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        let dropped = record.dropped.map(|drop| Drop { value: finite(drop.value), limit: finite(drop.limit), ..drop });
        Self {
            url: record.url,
            bytes: record.n_bytes,
            language: record.language.map(str::to_string),
            measures: record.measures.iter().map(measure).collect(),
            text_bytes: record.text.len(),
            text: if dropped.is_none() { record.text } else { String::new() },
            dropped,
        }
    }
}

/// Reads the entries of a spool in batches.
pub(super) struct Spool {
    reader: BufReader<File>,
    n_lines: u64,
}

/// The number of bytes of a batch.
const BATCH_BYTES: usize = 2 << 20;

impl Spool {
    pub(super) fn open(path: &Path) -> Result<Self, RunError> {
        let file = File::open(path).map_err(|error| RunError::file(path, error))?;
        Ok(Self { reader: BufReader::with_capacity(1 << 20, file), n_lines: 0 })
    }

    /// The number of the first of the next lines, and these lines; `None` at the end. A line that cannot be read ends the spool.
    pub(super) fn batch(&mut self) -> Option<(u64, Vec<String>)> {
        let (mut lines, mut n_bytes) = (Vec::new(), 0);
        while n_bytes < BATCH_BYTES {
            let mut line = String::new();
            match self.reader.read_line(&mut line) {
                Ok(n) if n > 0 => {
                    n_bytes += n;
                    lines.push(line);
                }
                _ => break,
            }
        }
        let first = self.n_lines;
        self.n_lines += lines.len() as u64;
        (!lines.is_empty()).then_some((first, lines))
    }
}
