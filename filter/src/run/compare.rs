//! Compares the decisions of two runs on the same documents.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use serde::Serialize;

use super::{Decision, RunError};

/// At most this many examples of each kind.
const MAX_EXAMPLES: usize = 5;

/// How two runs differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// Documents in both runs.
    pub documents: u64,
    /// Kept by both.
    pub both_keep: u64,
    /// Dropped by both.
    pub both_drop: u64,
    /// Kept by one only: by the reason of the other, the number of documents and addresses of some.
    pub only_a_keeps: BTreeMap<String, (u64, Vec<String>)>,
    /// Kept by the second run only.
    pub only_b_keeps: BTreeMap<String, (u64, Vec<String>)>,
    /// Documents that are not at the same place in both runs.
    pub unmatched: u64,
}

impl Comparison {
    /// The share of documents on which both runs agree.
    pub fn agreement(&self) -> f64 {
        (self.both_keep + self.both_drop) as f64 / self.documents.max(1) as f64
    }

    fn add(&mut self, a: &Decision, b: &Decision) {
        if a.url != b.url {
            self.unmatched += 1;
            return;
        }
        self.documents += 1;
        let mut differs = |kept_by_a: bool, other: &Decision| {
            let map = if kept_by_a { &mut self.only_a_keeps } else { &mut self.only_b_keeps };
            let reason = other
                .dropped
                .as_ref()
                .map_or("unknown".into(), |drop| format!("{}: {}", drop.stage.name(), drop.reason));
            let (n, examples) = map.entry(reason).or_default();
            *n += 1;
            if examples.len() < MAX_EXAMPLES {
                examples.push(other.url.clone());
            }
        };
        match (a.keep, b.keep) {
            (true, true) => self.both_keep += 1,
            (false, false) => self.both_drop += 1,
            (true, false) => differs(true, b),
            (false, true) => differs(false, a),
        }
    }
}

/// Compares the output folders of two runs.
///
/// # Errors
/// When the decisions of a run cannot be read.
pub fn compare(a: &Path, b: &Path) -> Result<Comparison, RunError> {
    let decisions = |folder: &Path| {
        let path = folder.join("decisions.jsonl");
        let file = File::open(&path).map_err(|error| RunError::file(&path, error))?;
        let parse = move |line: std::io::Result<String>| {
            let line = line.map_err(|error| RunError::file(&path, error))?;
            serde_json::from_str::<Decision>(&line).map_err(|error| RunError::file(&path, error.into()))
        };
        Ok::<_, RunError>(BufReader::new(file).lines().map(parse))
    };
    let (mut a, mut b) = (decisions(a)?, decisions(b)?);
    let mut comparison = Comparison::default();
    loop {
        match (a.next().transpose()?, b.next().transpose()?) {
            (Some(a), Some(b)) => comparison.add(&a, &b),
            (None, None) => return Ok(comparison),
            _ => comparison.unmatched += 1,
        }
    }
}
