//! Alignment: fine-tuning on responses, reinforcement learning from verifiable rewards, and preference optimization. Pure
//! computation, independent of the GPU.
//!
//! Rows (`rows`) or a task's examples become token rows with a response mask (`template`, `batch`); judges grade sampled
//! responses (`rewards`). Rewards become advantages (`advantages`), advantages and log-probabilities become a loss per token
//! and its derivative (`policy_loss`), and an aggregation weighs the tokens (`aggregate`). The product is one coefficient
//! c per token (`coefficients`): ∂L/∂logits = c · (softmax(logits) − onehot(label)), which one weighted cross-entropy kernel
//! applies for every method. Direct preference optimization (`dpo`) yields coefficients of the same form.
//!
//! Formulas are computed in f64; definitions and sources are in `docs/alignment.md`.

mod advantages;
mod aggregate;
mod batch;
mod coefficients;
mod dpo;
mod error;
mod metrics;
mod parse;
mod policy_loss;
mod responses;
mod rewards;
mod rows;
mod template;

pub use advantages::{Advantages, Baseline, EPS, Normalizer};
pub use aggregate::{Aggregation, masked_mean, masked_sum};
pub use batch::{TokenBatch, TokenRow};
pub use coefficients::{Method, Objective, sft_coefficients, token_coefficients};
pub use dpo::{Dpo, PairLogProbs, implicit_reward_accuracy};
pub use error::AlignError;
pub use metrics::{clip_fraction, groups_without_signal, mean_kl, pass_at_k};
pub use parse::{parse_gsm8k, parse_mmlu};
pub use policy_loss::{ImportanceWeights, LogProbs, PolicyLoss};
pub use responses::Responses;
pub use rewards::{Judge, Response, Rewards, Verdict};
pub use rows::{
    MAX_ROW_BYTES, MAX_ROWS, PreferenceRow, PromptRow, ResponseRow, read_preferences, read_prompts, read_responses,
    split_held_out,
};
pub use template::{End, PromptTemplate};
