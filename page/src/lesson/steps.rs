//! The steps of the lesson: text, question, exercise and sources of each.

use crate::state::lesson::LessonState;
use glasshead::types::lesson::{Exercise, MaskPlace, Sheet, Weights};
use std::ops::Range;

mod align;
mod attention;
mod data;
mod onward;
mod plain;
mod scaling;
mod systems;
mod tokens;
mod training;

/// One screen of the lesson.
pub struct Step {
    /// Its name in links.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// One to three sentences.
    pub text: &'static str,
    /// Its equation, in the notation of [`super::formula`].
    pub equation: &'static str,
    /// The control that the reader can change.
    pub control: Control,
    /// The picture shown in addition to the matrices.
    pub picture: Picture,
    /// A suggestion of what to try.
    pub try_this: &'static str,
    /// A question that is answered by changing the controls.
    pub question: &'static str,
    /// The same computation in NumPy.
    pub numpy: &'static str,
    /// Sources of the facts.
    pub sources: &'static str,
    /// The exercise that the worker computes.
    pub exercise: fn(&LessonState) -> Exercise,
    /// Whether the inputs and the computed sheet answer the question.
    pub reached: fn(&LessonState, &Sheet) -> bool,
}

impl Step {
    /// The part of the title before the colon.
    pub fn short_title(&self) -> &'static str {
        self.title.split(':').next().unwrap_or(self.title)
    }
}

/// The groups of steps: a title, and the indices of the steps.
pub const GROUPS: [(&str, Range<usize>); 8] = [
    ("Attention by hand", 0..7),
    ("Attention that learns", 7..14),
    ("The whole model", 14..18),
    ("Training", 18..22),
    ("Alignment", 22..25),
    ("Scaling", 25..27),
    ("Data", 27..29),
    ("Systems", 29..32),
];

/// What a step shows in addition to its matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Nothing further.
    Matrices,
    /// A sentence as tokens.
    Tokens,
    /// Two models in training, and the buttons for it.
    Pair,
    /// A link to a head of the model being trained.
    HeadLink,
    /// Queries and keys as arrows.
    Arrows,
    /// Gate values on the SiLU curve.
    Gates,
    /// The loss of every token.
    Losses,
    /// The path of one weight into a valley of the loss.
    Valley,
    /// The learning rate over the steps.
    Rates,
    /// Probabilities and sampled draws.
    Draws,
    /// The probability that a pair of texts is found, over its similarity.
    SCurve,
}

/// The control of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Control {
    /// Which row is selected.
    Query,
    /// The seed of the weights.
    Seed,
    /// The numbers of X.
    Embedding,
    /// A number on a slider.
    Slider {
        /// The label.
        label: &'static str,
        /// Minimum, maximum, step.
        range: [f64; 3],
        /// The base, if the slider's number is the logarithm of the value.
        base: Option<f64>,
        /// Initial value.
        first: f64,
    },
    /// One of several options; the control's number is the option's index.
    Choice {
        /// The label.
        label: &'static str,
        /// The options.
        options: &'static [&'static str],
        /// Initial option.
        first: usize,
    },
}

impl Control {
    /// The value of a slider's number, formatted for the reader.
    pub fn written(self, value: f64) -> String {
        match self {
            Self::Slider { base: Some(base), .. } => {
                let power = base.powf(value);
                if power < 10.0 && power.fract() != 0.0 { format!("{power:.3}") } else { format!("{power:.0}") }
            }
            Self::Slider { range: [_, _, by], .. } if by.fract() != 0.0 => format!("{value:.2}"),
            _ => format!("{value:.0}"),
        }
    }

    /// The initial number.
    pub fn first(self) -> f64 {
        match self {
            Self::Query | Self::Seed | Self::Embedding => 0.0,
            Self::Slider { first, .. } => first,
            Self::Choice { first, .. } => first as f64,
        }
    }
}

/// All steps in order.
pub static STEPS: [Step; 32] = [
    tokens::TOKENS,
    plain::SCORES,
    plain::WEIGHTS,
    plain::OVERFLOW,
    plain::CONTEXT,
    plain::ALL_AT_ONCE,
    plain::RACE,
    attention::PROJECTIONS,
    attention::SCALED,
    attention::SATURATION,
    attention::MODULE,
    attention::MASK,
    attention::LEAK,
    attention::HEADS,
    onward::ROPE,
    onward::RMS_NORM,
    onward::SWIGLU,
    onward::RESIDUAL,
    training::LOSS,
    training::WEIGHT,
    training::SCHEDULE,
    training::SAMPLING,
    align::RESPONSE_MASK,
    align::POLICY_STEP,
    align::EQUAL_REWARDS,
    scaling::SIX_N_D,
    scaling::ISOFLOP,
    data::JACCARD,
    data::MIN_HASH,
    systems::ROOFLINE,
    systems::RING,
    systems::FOUR_SUMS,
];

/// The index of the step that a link's hash names (`#view=lesson&step=mask`).
pub fn from_hash(hash: &str) -> Option<usize> {
    let name = hash.trim_start_matches('#').split('&').find_map(|entry| entry.strip_prefix("step="))?;
    STEPS.iter().position(|step| step.name == name)
}

fn row_of<'s>(sheet: &'s Sheet, name: &str) -> &'s [f32] {
    sheet.matrix(name).map_or(&[], |matrix| &matrix.values)
}

fn largest(values: &[f32]) -> usize {
    (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0)
}

fn drawn(state: &LessonState, module: bool) -> Weights {
    Weights { seed: state.seed, module }
}

fn place(choice: f64) -> MaskPlace {
    match choice as usize {
        0 => MaskPlace::BeforeSoftmax,
        1 => MaskPlace::AfterSoftmax,
        _ => MaskPlace::Renormalised,
    }
}
