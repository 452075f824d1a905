//! What comes of an exercise: matrices, each of which tells how its cells are made.

use serde::{Deserialize, Serialize};

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
    /// It was measured on this machine.
    Measured,
    /// A row of a table.
    Row {
        /// The table.
        of: usize,
    },
    /// a[i, j] + b[i, j]
    Sum {
        /// a
        a: usize,
        /// b
        b: usize,
    },
    /// a[i, j], but 0 where j ≤ i
    Ahead {
        /// a
        of: usize,
    },
    /// The pair a[i, 0], a[i, 1], turned by i times so many degrees
    Turned {
        /// a
        of: usize,
        /// How far one position turns.
        degrees: f32,
    },
    /// SiLU(gate[i, j]) · up[i, j]
    Gated {
        /// gate
        gate: usize,
        /// up
        up: usize,
    },
    /// k times the weight before step i
    Slope {
        /// The weight after each step, which begins with 1.
        of: usize,
        /// k
        steepness: f32,
    },
    /// β · the one before + (1 − β) · `g[i]`, or `g[i]`²
    Moment {
        /// g
        of: usize,
        /// β
        beta: f32,
        /// Whether g is squared.
        squared: bool,
    },
    /// The weight before − lr · m̂ / (√v̂ + ε), m̂ and v̂ being m and v divided by 1 − βⁱ
    Adamw {
        /// m
        m: usize,
        /// v
        v: usize,
        /// lr
        lr: f32,
        /// β₁, β₂
        betas: [f32; 2],
    },
    /// The weight before − lr · `g[i]`
    Descent {
        /// g
        of: usize,
        /// lr
        lr: f32,
    },
    /// The learning rate of a step.
    Rate {
        /// Steps of warm-up.
        warmup: usize,
    },
    /// How often each column of `of` was drawn.
    Counted {
        /// The probabilities.
        of: usize,
    },
    /// The mean of a column.
    Mean {
        /// The column.
        of: usize,
    },
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
    /// `−ln softmax(a[i, ·])[targets[i]]`
    CrossEntropy {
        /// a
        of: usize,
        /// The columns of the tokens that came.
        targets: Vec<usize>,
    },
    /// `(softmax(a[i, ·])[j] − [j = targets[i]]) / N`
    LossGradient {
        /// a
        of: usize,
        /// The columns of the tokens that came.
        targets: Vec<usize>,
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
