//! Attention without weight matrices.

use super::{Control, Picture, Step, largest, row_of};
use glasshead::types::lesson::Exercise;

const ATTENTION: &str = "Dot-product attention: “Attention Is All You Need”, Vaswani et al. 2017 (arXiv 1706.03762). ";

/// Scores as dot products.
pub const SCORES: Step = Step {
    name: "scores",
    title: "Scores: how well does one token fit another?",
    text: "Every token is a row of three numbers. The token that is held asks all others, itself included: the sum of \
           the products of their numbers is the score. Rows that point the same way score high.",
    equation: "s_{qj} = \\sum_k x_{qk} x_{jk}",
    control: Control::Query,
    picture: Picture::Matrices,
    try_this: "Point at a score: its row and column light up, and the sum stands below with its real numbers.",
    question: "Most tokens score highest with “journey”, not with themselves. Hold one whose best score is not its own.",
    numpy: "x = np.array([[.43, .15, .89], …])\nq = x[1]\ns = x @ q",
    sources: ATTENTION,
    exercise: |state| Exercise::Scores { x: state.x.clone(), query: state.query },
    reached: |state, sheet| largest(row_of(sheet, "s")) != state.query,
};

/// Normalizing scores by their sum and by softmax.
pub const WEIGHTS: Step = Step {
    name: "weights",
    title: "Weights: from scores to shares",
    text: "Scores become weights that sum to one. Dividing by the sum works only while all scores are positive; softmax \
           takes the exponential first, so that every weight is positive whatever the scores are, and only differences \
           between scores matter.",
    equation: "a_j = \\frac{e^{s_j}}{\\sum_k e^{s_k}}",
    control: Control::Slider { label: "c, added to every score", range: [-3.0, 3.0, 0.1], base: None, first: 0.0 },
    picture: Picture::Matrices,
    try_this: "Move c: the shares of the sum change, the weights by softmax do not.",
    question: "Find a c at which a share of the sum is negative or above 1, which no weight may be.",
    numpy: "share = (s + c) / (s + c).sum()\ne = np.exp(s + c)\na = e / e.sum()",
    sources: ATTENTION,
    exercise: |state| Exercise::Weights { x: state.x.clone(), query: state.query, shift: state.control() as f32 },
    reached: |_, sheet| row_of(sheet, "(s + c) / \\sum (s + c)").iter().any(|&share| !(0.0..=1.0).contains(&share)),
};

/// Factors that [`OVERFLOW`] offers.
pub const FACTORS: [f32; 5] = [1.0, 10.0, 50.0, 100.0, 1000.0];

/// Naive and numerically stable softmax.
pub const OVERFLOW: Step = Step {
    name: "overflow",
    title: "Stable softmax: subtract the largest score first",
    text: "A float32 ends near 3.4 · 10³⁸, which e⁸⁹ exceeds: the naive softmax divides infinity by infinity. Only \
           differences between scores matter, so the stable one subtracts the largest score first, and no exponential \
           is above 1.",
    equation: "a_j = \\frac{e^{s_j - m}}{\\sum_k e^{s_k - m}} , m = max_k s_k",
    control: Control::Choice {
        label: "a, factor of every score",
        options: &["1", "10", "50", "100", "1000"],
        first: 0,
    },
    picture: Picture::Matrices,
    try_this: "Take 50: both still agree, and one token has all the weight.",
    question: "Find a factor at which the naive softmax gives no numbers at all.",
    numpy: "naive = np.exp(a * s) / np.exp(a * s).sum()\nm = (a * s).max()\ne = np.exp(a * s - m)\nstable = e / e.sum()",
    sources: "Subtracting the maximum, or “safe softmax”: “Online normalizer calculation for softmax”, Milakov & \
              Gimelshein 2018 (arXiv 1805.02867); CS336, assignment 1. The model's own softmax kernel does the same.",
    exercise: |state| {
        let factor = FACTORS[(state.control() as usize).min(FACTORS.len() - 1)];
        Exercise::Overflow { x: state.x.clone(), query: state.query, factor }
    },
    reached: |_, sheet| row_of(sheet, "e^{a s} / \\sum e^{a s}").iter().any(|weight| weight.is_nan()),
};

/// The context vector of one query.
pub const CONTEXT: Step = Step {
    name: "context",
    title: "Context: the weighted sum of all tokens",
    text: "The weights mix the rows of X into one new row, the context vector of the token that is held. It is as long \
           as a token, and holds a little of every token that was looked at.",
    equation: "z_q = \\sum_j a_{qj} x_j",
    control: Control::Query,
    picture: Picture::Matrices,
    try_this: "Hold “starts” (index 2): its context vector is 0.4431, 0.6496, 0.5671.",
    question: "Hold the token whose context vector begins with the largest number of all (above 0.46).",
    numpy: "z = a @ x",
    sources: ATTENTION,
    exercise: |state| Exercise::Context { x: state.x.clone(), query: state.query },
    reached: |_, sheet| row_of(sheet, "z").first().is_some_and(|&first| first > 0.46),
};

/// All context vectors at once, as matmuls.
pub const ALL_AT_ONCE: Step = Step {
    name: "all",
    title: "All at once: three matrix operations",
    text: "All tokens ask at once: one product gives all scores, softmax works row by row, and a second product gives all \
           context vectors. No loop is left, which is why graphics cards are good at attention.",
    equation: "Z = softmax(X X^T) X",
    control: Control::Embedding,
    picture: Picture::Matrices,
    try_this: "Change a number of X: a row and a column of scores change with it.",
    question: "Change X until some token gives another one more than half of its weight.",
    numpy: "s = x @ x.T\ne = np.exp(s - s.max(1, keepdims=True))\na = e / e.sum(1, keepdims=True)\nz = a @ x",
    sources: ATTENTION,
    exercise: |state| Exercise::AllAtOnce { x: state.x.clone() },
    reached: |_, sheet| {
        let mut rows = sheet.matrix("A").into_iter().flat_map(|a| (0..a.rows).map(move |row| (row, a.row(row))));
        rows.any(|(row, weights)| weights.iter().enumerate().any(|(key, &weight)| key != row && weight > 0.5))
    },
};

/// Sequence lengths that [`RACE`] offers.
pub const LENGTHS: [usize; 4] = [6, 12, 24, 36];

/// A loop compared with a matmul.
pub const RACE: Step = Step {
    name: "race",
    title: "The loop against the matrix product",
    text: "Both compute the same scores with the same kernel on the same device, measured just now on this machine. The \
           loop calls it once per pair of tokens; the matrix product calls it once. For short sentences nearly all of the \
           loop's time is spent on asking, not on computing.",
    equation: "s_{ij} = \\sum_k x_{ik} x_{jk} , S = X X^T",
    control: Control::Choice { label: "tokens", options: &["6", "12", "24", "36"], first: 0 },
    picture: Picture::Matrices,
    try_this: "Double the tokens: the loop calls four times as often, the product still once.",
    question: "With how many tokens does the loop need more than a thousand calls? Choose it, and read what they cost.",
    numpy: "for i in range(n):            # the loop\n    for j in range(n):\n        s[i, j] = x[i] @ x[j]\ns = x @ x.T                   # the product",
    sources: "Dot products are fast because they are matrix products: “Attention Is All You Need”, Vaswani et al. 2017 (arXiv \
              1706.03762), section 3.2.1. Times are the best of three rounds on this machine, results fetched.",
    exercise: |state| {
        let n_tokens = LENGTHS[(state.control() as usize).min(LENGTHS.len() - 1)];
        Exercise::Race { x: state.x.clone(), n_tokens }
    },
    reached: |_, sheet| row_of(sheet, "time").first().is_some_and(|&calls| calls > 1000.0),
};
