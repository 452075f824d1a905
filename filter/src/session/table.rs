//! The measurements of all documents, one column per rule, and the decisions that follow from limits.

use rustc_hash::FxHashMap;

use crate::fields::{as_json, limit};
use crate::rules::{Bound, Measure};
use crate::settings::{Settings, Stage};

/// The values of a rule; NaN where a document has none.
pub struct Column {
    /// The stage.
    pub stage: Stage,
    /// The rule.
    pub rule: &'static str,
    /// Which side of the limit is dropped.
    pub bound: Bound,
    /// The limit of rules whose limit cannot be set.
    fixed: f64,
    /// One value per document.
    pub values: Vec<f64>,
}

/// Why a document is not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It is kept.
    #[default]
    Kept,
    /// Its text could not be extracted.
    Unreadable,
    /// The rule of this column.
    Rule(u16),
    /// Too little was left after repeated lines were removed.
    Lines,
    /// It is a near duplicate of this document.
    Duplicate(u32),
}

/// All columns, in the order of stages and rules.
#[derive(Default)]
pub struct Table {
    columns: Vec<Column>,
    by_rule: FxHashMap<(Stage, &'static str), usize>,
    n: usize,
}

impl Table {
    /// Adds the measurements of the next document.
    pub fn add(&mut self, measures: &[(Stage, Measure)]) {
        let mut last = None;
        for (stage, measure) in measures {
            let at = match self.by_rule.get(&(*stage, measure.rule)) {
                Some(at) => *at,
                None => self.insert(*stage, measure, last),
            };
            let column = &mut self.columns[at];
            column.fixed = measure.limit;
            column.values.resize(self.n, f64::NAN);
            column.values.push(measure.value);
            last = Some(at);
        }
        self.n += 1;
    }

    /// Inserts a column: after the one measured before it, and after all columns of earlier stages.
    fn insert(&mut self, stage: Stage, measure: &Measure, last: Option<usize>) -> usize {
        let after_stage = self.columns.iter().take_while(|column| column.stage < stage).count();
        let at = last.map_or(after_stage, |last| after_stage.max(last + 1));
        let values = vec![f64::NAN; self.n];
        let column = Column { stage, rule: measure.rule, bound: measure.bound, fixed: measure.limit, values };
        self.columns.insert(at, column);
        self.by_rule = self.columns.iter().enumerate().map(|(at, column)| ((column.stage, column.rule), at)).collect();
        at
    }

    /// Gives every column a value for every document.
    pub fn complete(&mut self) {
        self.columns.iter_mut().for_each(|column| column.values.resize(self.n, f64::NAN));
    }

    /// A column by its number.
    pub fn column(&self, at: u16) -> Option<&Column> {
        self.columns.get(usize::from(at))
    }

    /// The number of the column of a rule.
    pub fn find(&self, stage: Stage, rule: &str) -> Option<u16> {
        self.columns.iter().position(|column| column.stage == stage && column.rule == rule).map(|at| at as u16)
    }

    /// The measurements of a document, with the limits of these settings.
    pub fn measures(&self, document: usize, settings: &Settings) -> Vec<(Stage, Measure)> {
        let json = as_json(settings);
        let measure = |column: &Column| {
            let limit = limit(&json, column.stage, column.rule).unwrap_or(column.fixed);
            let value = column.values.get(document).copied().unwrap_or(f64::NAN);
            (column.stage, Measure { rule: column.rule, value, limit, bound: column.bound })
        };
        self.columns.iter().map(measure).collect()
    }

    /// The fate of every document under the rules alone; `unreadable` lists whether its text could be extracted.
    pub fn decide(&self, settings: &Settings, unreadable: &[bool]) -> Vec<Fate> {
        let json = as_json(settings);
        let mut fates = vec![Fate::Kept; self.n];
        let mut extracted = false;
        for (at, column) in self.columns.iter().enumerate() {
            if !extracted && column.stage > Stage::Extract {
                extracted = true;
                drop_unreadable(&mut fates, unreadable);
            }
            if !settings.enabled(column.stage) {
                continue;
            }
            let limit = limit(&json, column.stage, column.rule).unwrap_or(column.fixed);
            let rule = Measure { rule: column.rule, value: 0.0, limit, bound: column.bound };
            for (fate, &value) in fates.iter_mut().zip(&column.values) {
                if *fate == Fate::Kept && !(Measure { value, ..rule }).keeps() {
                    *fate = Fate::Rule(at as u16);
                }
            }
        }
        if !extracted {
            drop_unreadable(&mut fates, unreadable);
        }
        fates
    }
}

fn drop_unreadable(fates: &mut [Fate], unreadable: &[bool]) {
    for (fate, unreadable) in fates.iter_mut().zip(unreadable) {
        if *unreadable && *fate == Fate::Kept {
            *fate = Fate::Unreadable;
        }
    }
}
