//! What the page and the worker say to each other in the lesson: small exercises, computed by the very kernels that
//! train models, and sheets of matrices that tell how each of their cells is made.
//!
//! The page asks its second worker, so that the answers do not wait for a training step.

use serde::{Deserialize, Serialize};

use super::{BackendChoice, DeviceInfo};

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

/// What could come after five tokens of the sentence; the first one does.
pub const CANDIDATES: [&str; 5] = ["step", "leap", "day", "idea", "breath"];

/// Their logits.
pub const OTHER_LOGITS: [f32; 5] = [2.0, 1.2, 0.4, -0.3, -1.0];

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
}

/// One thing to compute. `x` is always (6, 3), row-major; a `query` is one of its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "exercise", rename_all = "snake_case")]
pub enum Exercise {
    /// The dot products of one row with all.
    Scores {
        /// X
        x: Vec<f32>,
        /// The row.
        query: usize,
    },
    /// The same scores, all shifted, as shares of their sum and through softmax.
    Weights {
        /// X
        x: Vec<f32>,
        /// The row.
        query: usize,
        /// Added to every score.
        shift: f32,
    },
    /// The same scores, multiplied, through softmax with and without subtracting the maximum.
    Overflow {
        /// X
        x: Vec<f32>,
        /// The row.
        query: usize,
        /// Factor of every score.
        factor: f32,
    },
    /// The context vector of one row.
    Context {
        /// X
        x: Vec<f32>,
        /// The row.
        query: usize,
    },
    /// The context vectors of all rows in three steps.
    AllAtOnce {
        /// X
        x: Vec<f32>,
    },
    /// Queries, keys and values.
    Projections {
        /// X
        x: Vec<f32>,
        /// Where W_q, W_k and W_v are from.
        weights: Weights,
    },
    /// Scores of queries and keys, softmax, context vectors.
    Attention {
        /// X
        x: Vec<f32>,
        /// Where W_q, W_k and W_v are from.
        weights: Weights,
        /// Whether scores are divided by √d_k.
        scaled: bool,
    },
    /// One random query against six random keys, with and without the scale.
    Saturation {
        /// Seed of all.
        seed: u64,
        /// Their length.
        d_k: usize,
    },
    /// The causal mask in the right place, and in others.
    Masked {
        /// X
        x: Vec<f32>,
        /// Where W_q and W_k are from.
        weights: Weights,
        /// What stands beside it.
        beside: MaskPlace,
    },
    /// Causal attention with several heads of the same total width.
    Heads {
        /// X
        x: Vec<f32>,
        /// Seed of W_q, W_k, W_v and W_o, drawn in this order.
        seed: u64,
        /// 1, 2 or 4.
        n_heads: usize,
    },
    /// A row, multiplied, and divided by its root mean square.
    RmsNorm {
        /// X
        x: Vec<f32>,
        /// The row.
        query: usize,
        /// Factor of the row.
        factor: f32,
    },
    /// Cross-entropy of one prediction.
    Loss {
        /// The logit of the token that comes next.
        logit: f32,
    },
}

/// Where the weights of the lesson's attention are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    /// Of PyTorch's generator.
    pub seed: u64,
    /// From three `Linear(3, 2)`, whose rows are outputs, instead of three `randn(3, 2)`.
    pub module: bool,
}

/// Where the causal mask stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskPlace {
    /// −∞ in the scores.
    BeforeSoftmax,
    /// 0 in the weights.
    AfterSoftmax,
    /// 0 in the weights, whose rows are then divided by their sums.
    Renormalised,
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
    /// A request could not be served: why, and what to change.
    Problem {
        /// A sentence.
        message: String,
    },
}

/// Matrices, and how they stand beside each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sheet {
    /// All matrices.
    pub matrices: Vec<Matrix>,
    /// Equations, to be read from left to right.
    pub lines: Vec<Vec<Part>>,
    /// The kernels that ran, in the order of their first dispatch.
    pub kernels: Vec<String>,
}

impl Sheet {
    /// The matrix with this name.
    pub fn matrix(&self, name: &str) -> Option<&Matrix> {
        self.matrices.iter().find(|matrix| matrix.name == name)
    }
}

/// A piece of an equation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A matrix, by its place in [`Sheet::matrices`].
    Matrix(usize),
    /// A matrix, rows and columns exchanged.
    Transposed(usize),
    /// An operator or words.
    Sign(String),
}

/// A small matrix with all that its reader wants to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// A formula, as the page's equations are written.
    pub name: String,
    /// How many rows.
    pub rows: usize,
    /// How many columns.
    pub cols: usize,
    /// Row-major. They may be infinite or no numbers at all.
    #[serde(with = "bits")]
    pub values: Vec<f32>,
    /// What rows and columns stand for.
    pub axes: [Axis; 2],
    /// How a cell is made.
    pub made: Made,
}

impl Matrix {
    /// One cell.
    ///
    /// # Panics
    /// When there is no such cell.
    pub fn at(&self, row: usize, col: usize) -> f32 {
        assert!(row < self.rows && col < self.cols, "cell {row}, {col} of {} × {}", self.rows, self.cols);
        self.values[row * self.cols + col]
    }

    /// One row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.cols..(row + 1) * self.cols]
    }
}

/// What the rows or columns of a matrix stand for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// The tokens of the sentence.
    Tokens,
    /// One token of the sentence.
    Token(usize),
    /// Numbered.
    Numbers,
    /// One by one.
    Labels(Vec<String>),
}

/// How a cell (i, j) of a matrix is made; matrices are named by their place in [`Sheet::matrices`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Made {
    /// It is given; the reader may change it where `editable`.
    Given {
        /// Whether it is X.
        editable: bool,
    },
    /// It was drawn by PyTorch's generator.
    Drawn,
    /// Σ a[i, k] · b[k, j]
    Product {
        /// a
        a: usize,
        /// b
        b: usize,
        /// b[j, k] instead of b[k, j]
        transposed: bool,
    },
    /// factor · a[i, j] + shift
    Scaled {
        /// a
        of: usize,
        /// factor
        factor: f32,
        /// shift
        shift: f32,
    },
    /// exp(a[i, j]) / Σ exp(a[i, ·]), by the stable way where `stable`
    Softmax {
        /// a
        of: usize,
        /// Whether the maximum is subtracted first.
        stable: bool,
    },
    /// a[i, j] / Σ a[i, ·]
    Share {
        /// a
        of: usize,
    },
    /// a[i, j], but `hidden` where j > i
    Masked {
        /// a
        of: usize,
        /// −∞ instead of 0
        infinite: bool,
    },
    /// Σ a[i, ·]
    RowSum {
        /// a
        of: usize,
    },
    /// The parts beside each other.
    Beside {
        /// Equally high matrices.
        of: Vec<usize>,
    },
    /// Columns of a from `first` on.
    Columns {
        /// a
        of: usize,
        /// The first of them.
        first: usize,
    },
    /// softmax over j ≤ i of scale · Σ q[i, d] · k[j, d]; 0 where j > i
    Attention {
        /// q
        q: usize,
        /// k
        k: usize,
        /// scale
        scale: f32,
    },
    /// a[i, j] / √(mean a[i, ·]² + ε)
    Normalised {
        /// a
        of: usize,
        /// ε
        eps: f32,
    },
    /// `−ln softmax(a)[target]`
    CrossEntropy {
        /// a
        of: usize,
        /// The column of the token that came.
        target: usize,
    },
    /// `softmax(a)[j] − [j = target]`
    LossGradient {
        /// a
        of: usize,
        /// The column of the token that came.
        target: usize,
    },
}

/// Numbers as the bits of their float32: JSON has no infinities.
mod bits {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| value.to_bits()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        Ok(Vec::<u32>::deserialize(deserializer)?.into_iter().map(f32::from_bits).collect())
    }
}
