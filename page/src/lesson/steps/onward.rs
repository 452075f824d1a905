//! The parts of a Transformer block other than attention.

use super::{Control, Picture, Step, drawn, largest, row_of};
use glasshead::types::lesson::Exercise;

/// Rotary position embedding (RoPE).
pub const ROPE: Step = Step {
    name: "rope",
    title: "Position: RoPE turns queries and keys",
    text: "Attention alone does not know the order of the words. RoPE turns each pair of numbers of a query and of a key \
           by an angle that grows with its position: “Your” stays, “journey” turns once, “step” five times. What is left \
           in a score is the angle between two positions, so it depends on how far apart they are.",
    equation: "s_{ij} = (R_{i θ} q_i) · (R_{j θ} k_j) = q_i · R_{(j - i) θ} k_j",
    control: Control::Slider { label: "θ, degrees per position", range: [0.0, 90.0, 5.0], base: None, first: 0.0 },
    picture: Picture::Arrows,
    try_this: "Turn slowly and watch the arrows: the later the token, the further it goes, and the held query goes along.",
    question: "The line under the arrows names the token that the held one scores highest. Turn until it is another one \
               than before turning.",
    numpy: "a = theta * np.arange(6)\nq0, q1 = q.T\nq = np.stack([q0 * cos(a) - q1 * sin(a), q0 * sin(a) + q1 * cos(a)], 1)\n# the same for k\ns = q @ k.T",
    sources: "“RoFormer: Enhanced Transformer with Rotary Position Embedding”, Su et al. 2021 (arXiv 2104.09864). Real \
              heads have many pairs, each with an angle of its own.",
    exercise: |state| Exercise::Rope {
        x: state.x.clone(),
        weights: drawn(state, false),
        query: state.query,
        degrees: state.control() as f32,
    },
    reached: |_, sheet| largest(row_of(sheet, "s")) != largest(row_of(sheet, "s_{turned}")),
};

/// Powers of ten that [`RMS_NORM`] offers as factors.
pub const POWERS: [f32; 6] = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0];

/// RMSNorm.
pub const RMS_NORM: Step = Step {
    name: "rmsnorm",
    title: "RMSNorm: the same size for every row",
    text: "Rows grow as block after block adds to them. RMSNorm divides each by the root of its mean square, so that the \
           next block sees rows of one size. A small ε keeps it from dividing by zero.",
    equation: "y = \\frac{x}{\\sqrt{mean(x^2) + ε}}",
    control: Control::Choice {
        label: "a, factor of the row",
        options: &["0.001", "0.01", "0.1", "1", "10", "100"],
        first: 3,
    },
    picture: Picture::Matrices,
    try_this: "Make the row a hundred times as large: nothing comes out larger.",
    question: "Find a factor at which the output does shrink, by more than a tenth: there ε counts.",
    numpy: "y = a * x / np.sqrt(((a * x) ** 2).mean() + 1e-5)",
    sources: "“Root Mean Square Layer Normalization”, Zhang & Sennrich 2019 (arXiv 1910.07467).",
    exercise: |state| {
        let factor = POWERS[(state.control() as usize).min(POWERS.len() - 1)];
        Exercise::RmsNorm { x: state.x.clone(), query: state.query, factor }
    },
    reached: |_, sheet| {
        let y = row_of(sheet, "y");
        let mean = y.iter().map(|y| y * y).sum::<f32>() / y.len().max(1) as f32;
        mean.sqrt() < 0.9
    },
};

/// SwiGLU.
pub const SWIGLU: Step = Step {
    name: "swiglu",
    title: "SwiGLU: a gate for every number",
    text: "Between attentions each token thinks by itself, in more dimensions than it has. One product makes gates, \
           another makes what is to pass; SiLU opens a gate that is positive and nearly shuts one that is negative. W₂ \
           brings what passed back to the width of the row.",
    equation: "y = W_2 (SiLU(g) ⊙ u) , g = a W_1 x , u = W_3 x , SiLU(g) = \\frac{g}{1 + e^{- g}}",
    control: Control::Slider { label: "a, factor of the gates", range: [-8.0, 8.0, 0.5], base: None, first: 1.0 },
    picture: Picture::Gates,
    try_this: "Turn a to 8 and to −8: gates that were open shut, and the other way round.",
    question: "At which factor does nothing pass at all, whatever u is?",
    numpy: "g, u = a * (x @ w1.T), x @ w3.T\nh = g / (1 + np.exp(-g)) * u\ny = h @ w2.T",
    sources: "“GLU Variants Improve Transformer”, Shazeer 2020 (arXiv 2002.05202).",
    exercise: |state| Exercise::Swiglu {
        x: state.x.clone(),
        query: state.query,
        seed: state.seed,
        factor: state.control() as f32,
    },
    reached: |_, sheet| row_of(sheet, "h").iter().all(|hidden| *hidden == 0.0),
};

/// The residual stream.
pub const RESIDUAL: Step = Step {
    name: "residual",
    title: "The residual stream: blocks add, they do not replace",
    text: "A branch reads the row (through RMSNorm) and its result is added to what was there. So the row flows through \
           all blocks, and so does the gradient on its way back. Without the stream each branch would have to hand on \
           everything by itself.",
    equation: "x_1 = x + b_1(x) , x_2 = x_1 + b_2(x_1)",
    control: Control::Slider {
        label: "a, size of what every branch returns",
        range: [0.0, 2.0, 0.1],
        base: None,
        first: 1.0,
    },
    picture: Picture::Matrices,
    try_this: "Point at a number of the last row and add it up: the row, the first branch, the second branch.",
    question: "Find the size at which the row leaves both blocks exactly as it came, while nothing is left without the \
               stream.",
    numpy: "x1 = x + a * rmsnorm(x) @ w1.T\nx2 = x1 + a * rmsnorm(x1) @ w2.T",
    sources: "“Deep Residual Learning for Image Recognition”, He et al. 2015 (arXiv 1512.03385); norms before the \
              branches: Xiong et al. 2020 (arXiv 2002.04745).",
    exercise: |state| Exercise::Residual {
        x: state.x.clone(),
        query: state.query,
        seed: state.seed,
        factor: state.control() as f32,
    },
    reached: |_, sheet| {
        let (before, after) = (row_of(sheet, "x_q"), row_of(sheet, "x_2"));
        !before.is_empty() && before == after
    },
};
