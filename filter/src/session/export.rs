//! Texts for training, and JSON Lines.

use super::Session;
use crate::decision::{Decision, Kept};
use crate::generate::Label;
use crate::mask::{Masked, mask};
use crate::pipeline::Drop;
use crate::settings::Stage;
use crate::source::END_OF_TEXT;
use crate::wire::TextOf;

/// Every tenth kept document is held out.
const HOLD_OUT_EVERY: usize = 10;

impl Session {
    /// A text for training with the documents separated by `<|endoftext|>`, and their number.
    ///
    /// With `hold_out`, the documents of [`TextOf::HeldOut`] are left out.
    pub fn text(&self, of: TextOf, hold_out: bool) -> (String, usize) {
        let (mut out, mut n, mut n_kept) = (String::new(), 0, 0);
        for at in 0..self.fates.len() {
            let doc = &self.docs[at];
            let dropped = self.stage_of(self.fates[at]);
            n_kept += usize::from(dropped.is_none());
            let held_out = dropped.is_none() && n_kept % HOLD_OUT_EVERY == 0;
            let wanted = match of {
                _ if held_out && hold_out => false,
                TextOf::HeldOut => held_out,
                TextOf::Before => true,
                TextOf::After { stage } => dropped.is_none_or(|dropped| dropped > stage),
                TextOf::Kept => dropped.is_none(),
                TextOf::Clean => doc.label == Some(Label::Clean),
            };
            if !wanted || doc.unreadable.is_some() {
                continue;
            }
            let text = match of {
                TextOf::Kept | TextOf::HeldOut => self.final_text(at),
                TextOf::After { stage } if stage >= Stage::Lines => self.text_without_lines(at),
                TextOf::After { stage } if stage >= Stage::C4 => self.judged_text(at).into(),
                _ => doc.text.clone(),
            };
            if !text.is_empty() {
                out.push_str(&text);
                out.push_str(END_OF_TEXT);
                out.push('\n');
                n += 1;
            }
        }
        (out, n)
    }

    /// The kept texts as JSON Lines, as `glasshead data run` writes them, and their number.
    pub fn kept_lines(&self) -> (String, usize) {
        let kept = (0..self.fates.len()).filter(|at| self.stage_of(self.fates[*at]).is_none());
        let line = |at: usize| Kept { id: at as u64, url: self.docs[at].url.clone(), text: self.final_text(at) };
        lines(kept.map(line))
    }

    /// Every decision as JSON Lines, as `glasshead data run` writes them, and their number.
    pub fn decision_lines(&self) -> (String, usize) {
        lines((0..self.fates.len()).map(|at| self.decision(at)))
    }

    fn decision(&self, at: usize) -> Decision {
        let doc = &self.docs[at];
        let measures = self.table.measures(at, self.settings());
        let dropped = self.reason(at).map(|(stage, reason)| {
            let measure = measures.iter().find(|(s, measure)| *s == stage && measure.rule == reason);
            let kept = match self.fates[at] {
                super::Fate::Duplicate(kept) => Some(f64::from(kept)),
                _ => None,
            };
            let (value, limit) = (measure.map(|(_, m)| m.value).or(kept), measure.map(|(_, m)| m.limit));
            Drop { stage, reason, value, limit }
        });
        let (mut removed_lines, mut masked) = (0, Masked::default());
        if dropped.is_none() {
            let text = self.text_without_lines(at);
            let n = |text: &str| text.split('\n').count();
            removed_lines = if self.settings().lines.enabled { n(self.judged_text(at)) - n(&text) } else { 0 };
            masked = if self.settings().mask.enabled { mask(&text, &self.settings().mask).1 } else { masked };
        }
        let measures = measures.into_iter().filter(|(stage, _)| self.settings().enabled(*stage));
        Decision {
            id: at as u64,
            url: doc.url.clone(),
            bytes: doc.n_bytes,
            keep: dropped.is_none(),
            dropped,
            language: doc.language.map(str::to_string),
            measures: measures.map(|(_, m)| (m.rule.to_string(), Some(m.value).filter(|v| v.is_finite()))).collect(),
            removed_lines,
            masked,
        }
    }
}

fn lines(rows: impl Iterator<Item = impl serde::Serialize>) -> (String, usize) {
    let (mut out, mut n) = (String::new(), 0);
    for row in rows {
        // Rows of plain data can always be written.
        out.push_str(&serde_json::to_string(&row).unwrap_or_default());
        out.push('\n');
        n += 1;
    }
    (out, n)
}
