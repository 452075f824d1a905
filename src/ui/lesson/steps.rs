//! The steps of the lesson: what each says, asks, computes, and where it is from.

use crate::protocol::lesson::{Exercise, MaskPlace, Sheet, Weights};
use crate::ui::state::lesson::LessonState;

mod attention;
mod onward;
mod plain;
mod tokens;
mod training;

/// One screen of the lesson.
pub struct Step {
    /// Its name in the link.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// A sentence or three.
    pub text: &'static str,
    /// Its equation, as [`super::formula`] reads it.
    pub equation: &'static str,
    /// What the reader turns.
    pub control: Control,
    /// What is drawn besides its matrices.
    pub picture: Picture,
    /// What to try.
    pub try_this: &'static str,
    /// A question that is answered by doing.
    pub question: &'static str,
    /// The same in NumPy.
    pub numpy: &'static str,
    /// Where the facts are from.
    pub sources: &'static str,
    /// What the worker computes.
    pub exercise: fn(&LessonState) -> Exercise,
    /// Whether the question is answered.
    pub reached: fn(&LessonState, &Sheet) -> bool,
}

/// What a step shows besides its matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Nothing: the matrices are the picture.
    Matrices,
    /// A sentence as tokens.
    Tokens,
    /// Two models that learn, and the buttons for it.
    Pair,
    /// The way to a head of the model under training.
    HeadLink,
    /// Queries and keys as arrows.
    Arrows,
    /// Gates on SiLU's curve.
    Gates,
    /// The loss of every token.
    Losses,
    /// One weight on its way into a valley.
    Valley,
    /// The learning rate over the steps.
    Rates,
    /// Probabilities and draws.
    Draws,
}

/// The one control of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Control {
    /// Which row is held.
    Query,
    /// The seed of the weights.
    Seed,
    /// The numbers of X themselves.
    Embedding,
    /// A number.
    Slider {
        /// What it is.
        label: &'static str,
        /// From, to, step.
        range: [f64; 3],
        /// What the number is the logarithm of, if it is: to which base.
        base: Option<f64>,
        /// At first.
        first: f64,
    },
    /// One of several; the control's number is its place.
    Choice {
        /// What it is.
        label: &'static str,
        /// What there is.
        options: &'static [&'static str],
        /// At first.
        first: usize,
    },
}

impl Control {
    /// The number of a slider as its reader sees it.
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

    /// Its number at first.
    pub fn first(self) -> f64 {
        match self {
            Self::Query | Self::Seed | Self::Embedding => 0.0,
            Self::Slider { first, .. } => first,
            Self::Choice { first, .. } => first as f64,
        }
    }
}

/// All steps in their order.
pub static STEPS: [Step; 22] = [
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
];

/// The step that a link's hash names (`#view=lesson&step=mask`).
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
