//! Text typed into the fields for sampling and for a weight override: applied, or refused with a message.

use super::ask::AskAction;
use super::error::EntryError;
use super::{Action, State};
use crate::fields::number;
use glasshead::types::Sampling;
use glasshead::types::inspect::WeightAt;

/// Maximum number of tokens that one request generates.
pub const MAX_TOKENS: usize = 100_000;

/// A field outside the setup. Its key distinguishes it from setup fields such as `seed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypedField {
    /// Divides the logits before sampling.
    Temperature,
    /// Number of most likely tokens to sample from; 0 for all.
    TopK,
    /// The cumulative probability that the most likely tokens have to reach.
    TopP,
    /// The maximum length of the generated text, in tokens.
    MaxTokens,
    /// The seed for sampling.
    SamplingSeed,
    /// The row of the changed weight.
    WeightRow,
    /// Its column.
    WeightColumn,
    /// The override to try.
    WeightValue,
}

impl TypedField {
    /// The sampling fields in display order.
    pub const SAMPLING: [Self; 5] = [Self::Temperature, Self::TopK, Self::TopP, Self::MaxTokens, Self::SamplingSeed];

    /// The label on the page.
    pub fn label(self) -> &'static str {
        match self {
            Self::Temperature => "Temperature",
            Self::TopK => "Top-k (0: all)",
            Self::TopP => "Top-p",
            Self::MaxTokens => "Length in tokens",
            Self::SamplingSeed => "Seed",
            Self::WeightRow => "Row",
            Self::WeightColumn => "Column",
            Self::WeightValue => "Try",
        }
    }

    /// The key under which refused text is stored.
    pub fn key(self) -> &'static str {
        match self {
            Self::Temperature => "sampling temperature",
            Self::TopK => "sampling top-k",
            Self::TopP => "sampling top-p",
            Self::MaxTokens => "sampling max tokens",
            Self::SamplingSeed => "sampling seed",
            Self::WeightRow => "weight row",
            Self::WeightColumn => "weight column",
            Self::WeightValue => "weight value",
        }
    }

    /// The name in messages.
    fn subject(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::TopK => "top-k",
            Self::TopP => "top-p",
            Self::MaxTokens => "max tokens",
            Self::SamplingSeed => "seed",
            Self::WeightRow => "row",
            Self::WeightColumn => "column",
            Self::WeightValue => "the new weight",
        }
    }
}

impl State {
    /// What a field shows: the refused text, else the value in force.
    pub fn typed_text(&self, field: TypedField) -> String {
        if let Some(refused) = self.refused(field.key()) {
            return refused.text.clone();
        }
        let Sampling { temperature, top_k, top_p, max_tokens, seed } = &self.sampling;
        let weight = |of: fn(&WeightAt) -> usize| self.ask.weight.as_ref().map(|at| of(at).to_string());
        match field {
            TypedField::Temperature => temperature.to_string(),
            TypedField::TopK => top_k.to_string(),
            TypedField::TopP => top_p.to_string(),
            TypedField::MaxTokens => max_tokens.to_string(),
            TypedField::SamplingSeed => seed.to_string(),
            TypedField::WeightRow => weight(|at| at.row).unwrap_or_default(),
            TypedField::WeightColumn => weight(|at| at.column).unwrap_or_default(),
            TypedField::WeightValue => self.ask.value.map_or(String::new(), |value| value.to_string()),
        }
    }

    /// Why the texts of these fields are refused.
    pub fn typed_problems(&self, fields: &[TypedField]) -> Vec<String> {
        fields.iter().filter_map(|field| self.refused(field.key())).map(|refused| refused.problem.clone()).collect()
    }

    /// Applies typed text, or keeps it in its field with the reason for refusing it.
    pub(super) fn take_typed(&mut self, field: TypedField, text: &str) {
        match self.try_typed(field, text) {
            Ok(()) => self.accept(field.key()),
            Err(error) => self.refuse(field.key(), text, error.to_string()),
        }
    }

    fn try_typed(&mut self, field: TypedField, text: &str) -> Result<(), EntryError> {
        let (name, entry) = (field.subject(), || text.trim().to_string());
        let whole = |most: u64| match number::<u64>(text) {
            Some(n) if n <= most => Ok(n),
            Some(_) => Err(EntryError::TooLarge { name, entry: entry(), max: most }),
            None => Err(EntryError::NotANumber { name, entry: text.into(), whole: true }),
        };
        let fraction = |range: &'static str, ok: fn(f32) -> bool| match number::<f32>(text) {
            Some(x) if x.is_finite() && ok(x) => Ok(x),
            Some(_) => Err(EntryError::Range { name, entry: entry(), range }),
            None => Err(EntryError::NotANumber { name, entry: text.into(), whole: false }),
        };
        let sampling = &mut self.sampling;
        match field {
            TypedField::Temperature => sampling.temperature = fraction("from 0 to 1000", |x| (0.0..=1e3).contains(&x))?,
            TypedField::TopK => sampling.top_k = whole(1 << 20)? as usize,
            TypedField::TopP => {
                sampling.top_p = fraction("greater than 0 and at most 1", |x| x > 0.0 && x <= 1.0)?;
            }
            TypedField::MaxTokens => match whole(MAX_TOKENS as u64)? {
                0 => return Err(EntryError::NoTokens),
                n => sampling.max_tokens = n as usize,
            },
            TypedField::SamplingSeed => sampling.seed = whole(u64::MAX)?,
            TypedField::WeightRow => {
                let row = whole(u64::from(u32::MAX))? as usize;
                self.change_weight(|at| at.row = row);
            }
            TypedField::WeightColumn => {
                let column = whole(u64::from(u32::MAX))? as usize;
                self.change_weight(|at| at.column = column);
            }
            TypedField::WeightValue if text.trim().is_empty() => self.apply(Action::Ask(AskAction::Value(None))),
            TypedField::WeightValue => {
                let value = fraction("of at most 3.4e38", |_| true)?;
                self.apply(Action::Ask(AskAction::Value(Some(value))));
            }
        }
        Ok(())
    }

    fn change_weight(&mut self, change: impl FnOnce(&mut WeightAt)) {
        if let Some(mut at) = self.ask.weight.clone() {
            change(&mut at);
            self.ask.apply(AskAction::Weight(at));
        }
    }
}
