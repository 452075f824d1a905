//! Results of an exercise: matrices, each with a description of how its cells are computed.

use serde::{Deserialize, Serialize};

/// Matrices and their layout in equations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sheet {
    /// All matrices.
    pub matrices: Vec<Matrix>,
    /// Equations, from left to right.
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

/// A part of an equation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A matrix, by its index in [`Sheet::matrices`].
    Matrix(usize),
    /// A transposed matrix.
    Transposed(usize),
    /// An operator or text.
    Sign(String),
}

/// A small matrix and the description that the page displays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// Name, in the notation of the page's equations.
    pub name: String,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Values, row-major. They may be infinite or NaN.
    #[serde(with = "bits")]
    pub values: Vec<f32>,
    /// The meaning of rows and columns.
    pub axes: [Axis; 2],
    /// How a cell is computed.
    pub made: Made,
}

impl Matrix {
    /// One cell.
    ///
    /// # Panics
    /// If the cell does not exist.
    pub fn at(&self, row: usize, col: usize) -> f32 {
        assert!(row < self.rows && col < self.cols, "cell {row}, {col} of {} × {}", self.rows, self.cols);
        self.values[row * self.cols + col]
    }

    /// One row.
    ///
    /// # Panics
    /// If the row does not exist.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.cols..(row + 1) * self.cols]
    }
}

/// The meaning of the rows or columns of a matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// The tokens of the sentence.
    Tokens,
    /// One token of the sentence.
    Token(usize),
    /// Unlabeled; numbered.
    Numbers,
    /// Individual labels.
    Labels(Vec<String>),
}

/// How cell (i, j) of a matrix is computed; matrices are referenced by their index in [`Sheet::matrices`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Made {
    /// An input; the user may change it if `editable`.
    Given {
        /// Whether the matrix is X.
        editable: bool,
    },
    /// Drawn by PyTorch's generator.
    Drawn,
    /// Measured on this machine.
    Measured,
    /// Computed on the host; the calculation of each cell, row-major.
    Explained {
        /// The calculations.
        how: Vec<String>,
    },
    /// A row of a table.
    Row {
        /// The table.
        of: usize,
    },
    /// both ÷ (a + b − both), of single numbers
    Jaccard {
        /// The size of the intersection.
        both: usize,
        /// The size of the first set.
        a: usize,
        /// The size of the second set.
        b: usize,
    },
    /// The least a[i, k] of those k for which set[0, k] is 1
    Least {
        /// a
        of: usize,
        /// set
        set: usize,
    },
    /// 1 if a[i, j] = b[i, j], else 0
    Equal {
        /// a
        a: usize,
        /// b
        b: usize,
    },
    /// 1 if all rows of band i of a are 1, else 0
    Band {
        /// a
        of: usize,
        /// Rows of a band.
        rows: usize,
    },
    /// 1 − (1 − a[i, j]^rows)^bands
    Candidate {
        /// a
        of: usize,
        /// Number of bands.
        bands: usize,
        /// Rows of a band.
        rows: usize,
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
    /// The pair a[i, 0], a[i, 1], rotated by i · `degrees`
    Turned {
        /// a
        of: usize,
        /// Rotation per position.
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
        /// The weight after each step; its initial value is 1.
        of: usize,
        /// k
        steepness: f32,
    },
    /// β · the previous value + (1 − β) · `g[i]`, or `g[i]`²
    Moment {
        /// g
        of: usize,
        /// β
        beta: f32,
        /// Whether g is squared.
        squared: bool,
    },
    /// The previous weight − lr · m̂ / (√v̂ + ε), with the bias-corrected m̂ = m / (1 − β₁ⁱ) and v̂ = v / (1 − β₂ⁱ)
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
    /// The previous weight − lr · `g[i]`
    Descent {
        /// g
        of: usize,
        /// lr
        lr: f32,
    },
    /// The learning rate at a step.
    Rate {
        /// Number of warm-up steps.
        warmup: usize,
    },
    /// How many times each column of `of` was sampled.
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
    /// exp(a[i, j]) / Σ exp(a[i, ·]), after subtracting the maximum if `stable`
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
    /// Concatenation of matrices along the columns.
    Beside {
        /// Matrices with the same number of rows.
        of: Vec<usize>,
    },
    /// Columns of a from `first` on.
    Columns {
        /// a
        of: usize,
        /// Index of the first column.
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
        /// The column indices of the actual next tokens.
        targets: Vec<usize>,
    },
    /// (a[0, j] − mean) / (standard deviation + ε) over the row, with n − 1 in the denominator
    Advantage {
        /// a
        of: usize,
    },
    /// `c[i] · (p[i, j] − [j = targets[i]])`, where p may have a single row for all i
    WeightedGradient {
        /// p
        of: usize,
        /// c, a row
        coefficients: usize,
        /// The column indices of the actual tokens.
        targets: Vec<usize>,
    },
    /// Σ a[·, j]
    ColumnSum {
        /// a
        of: usize,
    },
    /// a[i, j] − lr · g[i, j]
    Stepped {
        /// a
        of: usize,
        /// g
        grad: usize,
        /// lr
        lr: f32,
    },
    /// Operations in 10⁹, 2n³, and bytes in 10⁹, 4·(2n³/t + n²), of a matmul by tiles.
    Tiled {
        /// n
        size: usize,
        /// t
        tile: usize,
    },
    /// a[i, 0] / a[i, 1]
    Ratio {
        /// a
        of: usize,
    },
    /// The first peak, or the intensity times the second one.
    Roofs {
        /// Operations per byte.
        intensity: usize,
        /// Operations and bytes per second.
        peaks: usize,
    },
    /// The smallest number of a row.
    LowerRoof {
        /// a
        of: usize,
    },
    /// Chunk j of rank i after some rounds of a ring all-reduce.
    Ring {
        /// The chunks at the beginning.
        of: usize,
        /// Number of rounds.
        rounds: usize,
    },
    /// n additions of a term.
    Repeated {
        /// n
        n: usize,
        /// The term.
        term: f32,
    },
    /// `(softmax(a[i, ·])[j] − [j = targets[i]]) / N`
    LossGradient {
        /// a
        of: usize,
        /// The column indices of the actual next tokens.
        targets: Vec<usize>,
    },
}

/// Serializes f32 values as their bits, because JSON cannot represent infinities.
mod bits {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| value.to_bits()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        Ok(Vec::<u32>::deserialize(deserializer)?.into_iter().map(f32::from_bits).collect())
    }
}
