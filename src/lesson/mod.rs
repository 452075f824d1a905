//! Self-attention step by step, with matrices small enough to follow: each exercise is one small recording of the kernels
//! that train models, and its answer explains how every cell of every matrix is computed.
//!
//! The sentence, its embeddings and the order of the steps follow a notebook on CS336's first assignment; with the same
//! seed its weights are reproduced bit by bit ([`crate::rng::torch`]).

mod align;
mod onward;
mod plain;
mod race;
mod scaling;
mod sheet;
mod similar;
mod systems;
mod training;
mod weighted;

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::align::AlignError;
use crate::gpu::backend::ExecuteError;
use crate::gpu::context::Context;
use crate::types::lesson::{Exercise, GROUP_SIZE, Sheet, WORDS};
use sheet::Desk;

/// T: tokens of the sentence.
pub(crate) const N_TOKENS: usize = WORDS.len();

/// d: size of an embedding.
pub(crate) const D_IN: usize = 3;

/// Why an exercise has no answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LessonError {
    /// A matrix or an option of the exercise is invalid.
    #[error("{what} has to be {expected}")]
    Wrong {
        /// The invalid input.
        what: &'static str,
        /// The expected value.
        expected: &'static str,
    },
    /// The rewards of an exercise are invalid.
    #[error(transparent)]
    Align(#[from] AlignError),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] ExecuteError),
}

/// Computes an exercise on the GPU of this context, or on the CPU if there is none.
///
/// # Errors
/// When the exercise is invalid, or the device fails.
pub async fn compute(exercise: &Exercise, context: Option<&Context>) -> Result<Sheet, LessonError> {
    let mut desk = Desk::default();
    match exercise {
        Exercise::Scores { x, query } => plain::scores(&mut desk, checked(x, *query)?, *query),
        Exercise::Weights { x, query, shift } => plain::weights(&mut desk, checked(x, *query)?, *query, *shift),
        Exercise::Overflow { x, query, factor } => plain::overflow(&mut desk, checked(x, *query)?, *query, *factor),
        Exercise::Context { x, query } => plain::context(&mut desk, checked(x, *query)?, *query),
        Exercise::AllAtOnce { x } => plain::all_at_once(&mut desk, checked(x, 0)?),
        Exercise::Embed { x } => plain::embed(&mut desk, checked(x, 0)?),
        Exercise::Race { x, n_tokens } => {
            return Ok(race::race(checked(x, 0)?, below(*n_tokens, 48)?, context).await?);
        }
        Exercise::Projections { x, weights } => weighted::projections(&mut desk, checked(x, 0)?, *weights),
        Exercise::Attention { x, weights, scaled } => {
            weighted::attention(&mut desk, checked(x, 0)?, *weights, *scaled);
        }
        Exercise::Saturation { seed, d_k } => weighted::saturation(&mut desk, *seed, in_range(*d_k)?),
        Exercise::Module { x, seed } => weighted::module(&mut desk, checked(x, 0)?, *seed),
        Exercise::Leak { x, weights } => weighted::leak(&mut desk, checked(x, 0)?, *weights),
        Exercise::Masked { x, weights, beside } => weighted::masked(&mut desk, checked(x, 0)?, *weights, *beside),
        Exercise::Heads { x, seed, n_heads } => weighted::heads(&mut desk, checked(x, 0)?, *seed, dividing(*n_heads)?),
        Exercise::RmsNorm { x, query, factor } => onward::rms_norm(&mut desk, checked(x, *query)?, *query, *factor),
        Exercise::Rope { x, weights, query, degrees } => {
            onward::rope(&mut desk, checked(x, *query)?, *weights, *query, *degrees);
        }
        Exercise::Swiglu { x, query, seed, factor } => {
            onward::swiglu(&mut desk, checked(x, *query)?, *query, *seed, *factor);
        }
        Exercise::Residual { x, query, seed, factor } => {
            onward::residual(&mut desk, checked(x, *query)?, *query, *seed, *factor);
        }
        Exercise::Loss { seed, bonus } => training::loss(&mut desk, *seed, *bonus),
        Exercise::OneWeight { steepness } => training::one_weight(&mut desk, *steepness),
        Exercise::Schedule { warmup } => training::schedule(&mut desk, *warmup),
        Exercise::ResponseMask { seed, prompt_len } => {
            align::response_mask(&mut desk, *seed, within(*prompt_len, 1..=5, "the prompt", "1 to 5 tokens long")?)?;
        }
        Exercise::PolicyStep { reward } => align::policy_step(&mut desk, finite(*reward)?)?,
        Exercise::EqualRewards { right } => {
            let expected = "between 0 and 8";
            align::equal_rewards(
                &mut desk,
                within(*right, 0..=GROUP_SIZE, "the number of right responses", expected)?,
            )?;
        }
        Exercise::SixNd { width } => {
            let expected = "a multiple of 4 up to 64";
            let multiple = width.is_multiple_of(4).then_some(*width).unwrap_or_default();
            scaling::six_n_d(&mut desk, within(multiple, 4..=64, "the width", expected)?);
        }
        Exercise::IsoFlop { shift } => {
            within(shift.unsigned_abs() as usize, 0..=4, "the shift", "between -4 and 4")?;
            scaling::isoflop(&mut desk, *shift);
        }
        Exercise::Jaccard { other } => {
            similar::jaccard(&mut desk, within(*other, 1..=4, "the sentence", "between 1 and 4")?)
        }
        Exercise::MinHash { bands } => similar::min_hash(&mut desk, one_of(*bands)?),
        Exercise::Roofline { tile } => {
            systems::roofline(&mut desk, within(*tile, 1..=512, "the tile", "between 1 and 512")?)
        }
        Exercise::Ring { rounds } => systems::ring(&mut desk, within(*rounds, 0..=6, "the rounds", "between 0 and 6")?),
        Exercise::FourSums { n } => {
            systems::four_sums(&mut desk, within(*n, 0..=1000, "the additions", "between 0 and 1000")?);
        }
        Exercise::Sampling { temperature, seed } => training::sampling(&mut desk, *temperature, *seed),
    }
    Ok(desk.run(context).await?)
}

fn checked(x: &[f32], query: usize) -> Result<&[f32], LessonError> {
    let wrong = |what, expected| Err(LessonError::Wrong { what, expected });
    if x.len() != N_TOKENS * D_IN {
        return wrong("X", "three numbers for each of six tokens");
    }
    if query >= N_TOKENS {
        return wrong("the query", "one of six tokens");
    }
    Ok(x)
}

fn below(n_tokens: usize, most: usize) -> Result<usize, LessonError> {
    let expected = "between 1 and 48";
    if (1..=most).contains(&n_tokens) { Ok(n_tokens) } else { Err(LessonError::Wrong { what: "n_tokens", expected }) }
}

fn within(
    number: usize,
    range: RangeInclusive<usize>,
    what: &'static str,
    expected: &'static str,
) -> Result<usize, LessonError> {
    if range.contains(&number) { Ok(number) } else { Err(LessonError::Wrong { what, expected }) }
}

fn finite(reward: f32) -> Result<f32, LessonError> {
    let expected = "a number between -100 and 100";
    if reward.abs() <= 100.0 { Ok(reward) } else { Err(LessonError::Wrong { what: "the reward", expected }) }
}

fn in_range(d_k: usize) -> Result<usize, LessonError> {
    let expected = "between 1 and 1024";
    if (1..=1024).contains(&d_k) { Ok(d_k) } else { Err(LessonError::Wrong { what: "d_k", expected }) }
}

fn one_of(bands: usize) -> Result<usize, LessonError> {
    let expected = "1, 2, 4 or 8";
    if [1, 2, 4, 8].contains(&bands) {
        Ok(bands)
    } else {
        Err(LessonError::Wrong { what: "the number of bands", expected })
    }
}

fn dividing(n_heads: usize) -> Result<usize, LessonError> {
    let expected = "1, 2 or 4";
    if [1, 2, 4].contains(&n_heads) { Ok(n_heads) } else { Err(LessonError::Wrong { what: "n_heads", expected }) }
}
