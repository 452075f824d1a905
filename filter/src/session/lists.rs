//! Documents for display: rows of lists, single documents, and the values of a rule.

use super::{Fate, Session};
use crate::settings::Stage;
use crate::wire::{Document, Histogram, List, Row};

/// The number of bins of a histogram.
const BINS: usize = 56;

/// The length of a row's text in bytes.
const ROW_BYTES: usize = 320;

/// The length of a displayed document in bytes.
const DOCUMENT_BYTES: usize = 60_000;

/// The largest byte index up to `at` that is no part of a character.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Whether a text contains a word in lower case, without regard to case of ASCII letters.
fn contains(text: &str, needle: &[u8]) -> bool {
    let Some(&first) = needle.first() else { return true };
    let (text, upper) = (text.as_bytes(), first.to_ascii_uppercase());
    let starts = text.iter().enumerate().filter(|(_, byte)| **byte == first || **byte == upper).map(|(at, _)| at);
    let mut starts = starts.take_while(|at| at + needle.len() <= text.len());
    starts.any(|at| text[at..at + needle.len()].eq_ignore_ascii_case(needle))
}

impl Session {
    /// The documents of a list.
    fn members(&mut self, list: &List) -> Vec<u32> {
        if let Some((version, listed, members)) = &self.listed
            && *version == self.version
            && listed == list
        {
            return members.clone();
        }
        let needle = list.search.trim().to_ascii_lowercase().into_bytes();
        let column = list.stage.zip(list.rule.as_deref()).and_then(|(stage, rule)| self.table.find(stage, rule));
        let belongs = |at: usize, fate: Fate| {
            if list.kept {
                return fate == Fate::Kept;
            }
            let by_stage = || list.stage.is_none() || self.stage_of(fate) == list.stage;
            let by_rule = || match (&list.rule, column, fate) {
                (None, ..) => true,
                (Some(_), Some(column), Fate::Rule(own)) => column == own,
                (Some(rule), ..) => self.reason(at).is_some_and(|(_, own)| own == *rule),
            };
            fate != Fate::Kept && by_stage() && by_rule()
        };
        let found = |at: usize| contains(&self.docs[at].text, &needle) || contains(&self.docs[at].url, &needle);
        let fates = self.fates.iter().enumerate().filter(|(at, fate)| belongs(*at, **fate) && found(*at));
        let members: Vec<u32> = fates.map(|(at, _)| at as u32).collect();
        self.listed = Some((self.version, list.clone(), members.clone()));
        members
    }

    /// Rows of a list, and its length.
    pub fn rows(&mut self, list: &List, start: usize, n: usize) -> (usize, Vec<Row>) {
        let members = self.members(list);
        let shown = members.iter().skip(start).take(n);
        (members.len(), shown.map(|at| self.row(*at as usize, list)).collect())
    }

    fn row(&self, at: usize, list: &List) -> Row {
        let (dropped, text) = (self.reason(at), self.shown_text(at));
        let spans = self.spans(at, &text);
        // Half a line before what the rule objects to.
        let from = spans.first().map_or(0, |(start, _)| start.saturating_sub(60));
        let from = if from < 120 { 0 } else { floor(&text, from) };
        let to = floor(&text, from + ROW_BYTES);
        let inside = spans.iter().filter(|(start, end)| *start >= from && *start < to && *end > from);
        let spans = inside.map(|(start, end)| (start - from, (*end).min(to) - from)).collect();
        let rule = dropped.as_ref().map(|(stage, rule)| (*stage, rule.as_str()));
        let wanted = rule.or(list.stage.zip(list.rule.as_deref()));
        let value = wanted.and_then(|(stage, rule)| self.value(at, stage, rule));
        let text = text[from..to].to_string();
        Row { at: at as u32, url: self.docs[at].url.clone(), dropped, value, text, spans }
    }

    fn value(&self, at: usize, stage: Stage, rule: &str) -> Option<f64> {
        let column = self.table.column(self.table.find(stage, rule)?)?;
        column.values.get(at).copied().filter(|value| value.is_finite())
    }

    /// What the rule that dropped a document objects to, in bytes of its text.
    fn spans(&self, at: usize, text: &str) -> Vec<(usize, usize)> {
        let Fate::Rule(column) = self.fates[at] else { return Vec::new() };
        let rule = self.table.column(column).map_or("", |column| column.rule);
        self.pipeline.spans(rule, text)
    }

    /// A document with all its measurements.
    pub fn document(&self, at: usize) -> Option<Document> {
        let doc = self.docs.get(at)?;
        let fate = *self.fates.get(at)?;
        let mut text = self.shown_text(at);
        let mut spans = self.spans(at, &text);
        let cut = floor(&text, DOCUMENT_BYTES);
        let cut = (cut < text.len()).then_some(cut);
        if let Some(cut) = cut {
            text.truncate(cut);
            spans.retain(|(_, end)| *end <= cut);
        }
        let measures = self.table.measures(at, self.settings());
        let measures = measures.into_iter().filter(|(stage, m)| self.settings().enabled(*stage) && m.value.is_finite());
        let instead = match fate {
            Fate::Duplicate(kept) => Some((kept, self.docs[kept as usize].url.clone())),
            _ => None,
        };
        Some(Document {
            at: at as u32,
            url: doc.url.clone(),
            bytes: doc.n_bytes,
            language: doc.language.map(str::to_string),
            label: doc.label.map(|label| label.name().to_string()),
            dropped: self.reason(at),
            instead,
            text,
            cut,
            spans,
            measures: measures.map(|(s, m)| (s, m.rule.to_string(), m.value, m.limit, m.keeps())).collect(),
        })
    }

    /// The values of a rule. The range is that of the values, without the two largest thousandths.
    pub fn histogram(&mut self, stage: Stage, rule: &str) -> Option<Histogram> {
        self.table.complete();
        let column = self.table.column(self.table.find(stage, rule)?)?;
        let mut values: Vec<f64> = column.values.iter().copied().filter(|value| value.is_finite()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let (first, last) = (*values.first()?, *values.last()?);
        let usual = values[((values.len() - 1) as f64 * 0.998) as usize];
        // Shares have the range of what occurs, not 0 to 1, so that the bins tell values apart.
        let low = if first >= 0.0 && first < 0.3 * last { 0.0 } else { first };
        let high = if usual > low { usual } else { last.max(low + 1e-3) };
        let mut bins = vec![0; BINS];
        for value in values {
            let at = (value - low) / (high - low) * BINS as f64;
            bins[(at.max(0.0) as usize).min(BINS - 1)] += 1;
        }
        Some(Histogram { stage, rule: rule.into(), bound: column.bound, range: (low, high), bins })
    }
}
