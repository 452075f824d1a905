//! What the page and the worker say to each other in the lesson: small exercises, computed by the very kernels that
//! train models, and sheets of matrices that tell how each of their cells is made.
//!
//! The page asks its second worker, so that the answers do not wait for a training step.

use serde::{Deserialize, Serialize};

use super::tokenizer::TokenBytes;
use super::{BackendChoice, DeviceInfo};

mod exercise;
mod sheet;

pub use exercise::{Exercise, MaskPlace, Weights};
pub use sheet::{Axis, Made, Matrix, Part, Sheet};

/// The sentence whose attention is computed by hand, token by token.
pub const WORDS: [&str; 6] = ["Your", "journey", "starts", "with", "one", "step"];

/// X: one row of three numbers per token.
pub const EMBEDDINGS: [f32; 18] = [
    0.43, 0.15, 0.89, //
    0.55, 0.87, 0.66, //
    0.57, 0.85, 0.64, //
    0.22, 0.58, 0.33, //
    0.77, 0.25, 0.10, //
    0.05, 0.80, 0.55,
];

/// The seed that the weights are drawn with at first.
pub const SEED: u64 = 42;

/// GPT-2's ids of [`WORDS`], each but the first with the space before it.
pub const IDS: [u32; 6] = [7120, 7002, 4940, 351, 530, 2239];

/// What could come after five tokens of the sentence; the first one does.
pub const CANDIDATES: [&str; 5] = ["step", "leap", "day", "idea", "breath"];

/// Their logits.
pub const LOGITS: [f32; 5] = [2.0, 1.2, 0.4, -0.3, -1.0];

/// Steps of the lesson's schedule.
pub const SCHEDULE_STEPS: usize = 100;

/// Steps that one weight is moved by.
pub const WEIGHT_STEPS: usize = 8;

/// What the page asks in the lesson.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "lesson", rename_all = "snake_case")]
pub enum LessonCommand {
    /// Compute an exercise: [`LessonEvent::Computed`].
    Compute {
        /// Tells the answer from older ones.
        request: u32,
        /// On what.
        backend: BackendChoice,
        /// What.
        exercise: Exercise,
    },
    /// Send the WGSL file of a kernel: [`LessonEvent::Code`].
    Code {
        /// Its name.
        kernel: String,
    },
    /// Turn a text into GPT-2's tokens, whose vocabulary has to be there: [`LessonEvent::Tokens`].
    Tokens {
        /// The text.
        text: String,
    },
    /// Train two small models side by side, one with the causal mask and one without: [`LessonEvent::Pair`], again and
    /// again. Goes on where it was paused; on another backend it begins anew.
    TrainPair {
        /// On what.
        backend: BackendChoice,
    },
    /// Pause that.
    PausePair,
}

/// What the worker answers in the lesson.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "lesson", rename_all = "snake_case")]
pub enum LessonEvent {
    /// An exercise was computed.
    Computed {
        /// Of the command.
        request: u32,
        /// On what.
        device: DeviceInfo,
        /// What came of it.
        sheet: Sheet,
    },
    /// The WGSL file of a kernel.
    Code {
        /// Its name.
        kernel: String,
        /// The file.
        wgsl: String,
    },
    /// A text as GPT-2's tokens.
    Tokens {
        /// The text.
        text: String,
        /// Its tokens.
        tokens: Vec<TokenBytes>,
        /// The text of these ids.
        decoded: String,
    },
    /// The two models learn.
    Pair {
        /// On what.
        device: DeviceInfo,
        /// The steps since the last event, in order.
        points: Vec<PairPoint>,
        /// What both write, with the causal mask first; now and then.
        written: Option<[PairText; 2]>,
        /// Whether steps go on.
        running: bool,
    },
    /// A request could not be served: why, and what to change.
    Problem {
        /// A sentence.
        message: String,
    },
}

/// One step of two models.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairPoint {
    /// Counted from 1.
    pub step: u64,
    /// The training loss with the causal mask.
    pub causal: f32,
    /// Without it.
    pub open: f32,
}

/// What a model of the two can do alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairText {
    /// Steps done before.
    pub step: u64,
    /// What it writes after [`PAIR_PROMPT`].
    pub text: String,
    /// The mean loss of the token after a held-out text, of which it sees nothing.
    pub end_loss: f32,
}

/// Steps that both models take.
pub const PAIR_STEPS: u64 = 200;

/// What both models write on from.
pub const PAIR_PROMPT: &str = "One day, Lily";
