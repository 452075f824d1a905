//! Attention with weight matrices.

use super::{Control, Picture, Step, drawn, place, row_of};
use glasshead::types::lesson::Exercise;

const ATTENTION: &str = "“Attention Is All You Need”, Vaswani et al. 2017 (arXiv 1706.03762).";
const FLASH: &str = "“Attention Is All You Need”, Vaswani et al. 2017 (arXiv 1706.03762); computed in tiles without ever \
                     storing the weights: “FlashAttention”, Dao et al. 2022 (arXiv 2205.14135).";

/// Projections to Q, K and V.
pub const PROJECTIONS: Step = Step {
    name: "projections",
    title: "Queries, keys, values: three views of a token",
    text: "What a token asks for, what it offers, and what it hands over need not be the same. Three matrices make a \
           query, a key and a value of every token; training finds their numbers, and here they are drawn at random as \
           torch.randn draws them.",
    equation: "Q = X W_q , K = X W_k , V = X W_v",
    control: Control::Seed,
    picture: Picture::Matrices,
    try_this: "Type the seed you used in PyTorch: the numbers are the same.",
    question: "Find a seed at which both numbers of the query of “journey” are positive (1, 2, 3 …).",
    numpy: "torch.manual_seed(seed)\nw_q, w_k, w_v = torch.randn(3, 2), torch.randn(3, 2), torch.randn(3, 2)\nq, k, v = x @ w_q, x @ w_k, x @ w_v",
    sources: ATTENTION,
    exercise: |state| Exercise::Projections { x: state.x.clone(), weights: drawn(state, false) },
    reached: |_, sheet| sheet.matrix("Q").is_some_and(|q| q.row(1).iter().all(|&number| number > 0.0)),
};

/// Scaling of scores by 1/√d in dot-product attention.
pub const SCALED: Step = Step {
    name: "attention",
    title: "Scaled dot-product attention",
    text: "Queries meet keys, and the weights mix the values. The scores are divided by √dₖ first, because sums of more \
           products are larger, and large scores would leave softmax with one winner.",
    equation: "Z = softmax(\\frac{Q K^T}{\\sqrt{d_k}}) V",
    control: Control::Choice { label: "scores", options: &["divided by √dₖ", "as they are"], first: 0 },
    picture: Picture::Matrices,
    try_this: "Compare the rows of weights with and without the scale: which is nearer to one sixth everywhere?",
    question: "Switch so that the weights of a row lie further apart.",
    numpy: "s = q @ k.T / np.sqrt(k.shape[1])\ne = np.exp(s - s.max(1, keepdims=True))\na = e / e.sum(1, keepdims=True)\nz = a @ v",
    sources: FLASH,
    exercise: |state| Exercise::Attention {
        x: state.x.clone(),
        weights: drawn(state, false),
        scaled: state.control() == 0.0,
    },
    reached: |state, _| state.control() == 1.0,
};

/// Saturation of softmax for large scores.
pub const SATURATION: Step = Step {
    name: "scale",
    title: "Why the scale: softmax saturates as dₖ grows",
    text: "A random query meets six random keys. The longer they are, the further the scores lie apart: their standard \
           deviation is √dₖ. Without the scale one key takes all, and where softmax is flat no gradient comes through; \
           divided by √dₖ, the weights stay as they were.",
    equation: "Var(\\sum_{i=1}^{d_k} q_i k_i) = d_k",
    control: Control::Slider {
        label: "dₖ, length of queries and keys",
        range: [0.0, 10.0, 1.0],
        base: Some(2.0),
        first: 1.0,
    },
    picture: Picture::Matrices,
    try_this: "Move dₖ from 2 to 1024 and watch the upper weights; the lower ones hardly move.",
    question: "Find a dₖ at which one key takes at least 99 % without the scale.",
    numpy: "q, k = torch.randn(d_k), torch.randn(6, d_k)\ns = k @ q\nsoftmax(s), softmax(s / np.sqrt(d_k))",
    sources: ATTENTION,
    exercise: |state| Exercise::Saturation { seed: state.seed, d_k: 1 << (state.control() as usize).min(10) },
    reached: |_, sheet| row_of(sheet, "softmax(q K^T)").iter().any(|&weight| weight >= 0.99),
};

/// Attention as a module with `nn.Linear` layers.
pub const MODULE: Step = Step {
    name: "module",
    title: "The same as a module: nn.Linear",
    text: "A module holds the same three matrices with outputs as rows, x · Wᵀ, and draws them within ± 1/√3: smaller \
           numbers than randn's. The scores are small, and attention begins nearly uniform.",
    equation: "Q = X W_q^T , W_q \\in \\pm 1 / \\sqrt{d}",
    control: Control::Seed,
    picture: Picture::Matrices,
    try_this: "Compare the weights with those of randn two steps ago: here each row is nearly one sixth everywhere.",
    question: "Find a seed at which both numbers of the query of “journey” are negative.",
    numpy: "torch.manual_seed(seed)\nw_q, w_k, w_v = [torch.nn.Linear(3, 2, bias=False) for _ in range(3)]\nq, k, v = w_q(x), w_k(x), w_v(x)",
    sources: "Initialisation: “Delving Deep into Rectifiers”, He et al. 2015 (arXiv 1502.01852), as PyTorch applies it.",
    exercise: |state| Exercise::Module { x: state.x.clone(), seed: state.seed },
    reached: |_, sheet| sheet.matrix("Q").is_some_and(|q| q.row(1).iter().all(|&number| number < 0.0)),
};

/// The causal mask.
pub const MASK: Step = Step {
    name: "mask",
    title: "The causal mask: nobody looks ahead",
    text: "A model that predicts the next token must not see it. Scores of later keys become −∞ before softmax, so their \
           weights are exactly 0 and each row still sums to one. Masking after softmax leaves rows that do not.",
    equation: "A = softmax(\\frac{Q K^T}{\\sqrt{d_k}} + M) , M_{ij} = - \\infty , j > i",
    control: Control::Choice {
        label: "Compare with",
        options: &["nothing", "mask after softmax", "mask after softmax, renormalised"],
        first: 0,
    },
    picture: Picture::Matrices,
    try_this: "Mask after softmax and read the sums: only the last row keeps its weight.",
    question: "Which detour ends in the very same weights, with more work? Choose it.",
    numpy: "s[np.triu_indices(6, k=1)] = -np.inf\ne = np.exp(s - s.max(1, keepdims=True))\na = e / e.sum(1, keepdims=True)",
    sources: FLASH,
    exercise: |state| Exercise::Masked {
        x: state.x.clone(),
        weights: drawn(state, true),
        beside: place(state.control()),
    },
    reached: |state, _| state.control() == 2.0,
};

/// A model without the mask, which can see the tokens it predicts.
pub const LEAK: Step = Step {
    name: "leak",
    title: "What leaks without a mask: a model that cheats",
    text: "Without the mask every token looks at those after it, and the next one is exactly what the model is asked \
           for. Two models of the same size begin with the same weights and see the same batches; only the mask differs. \
           The one without it looks the answer up: its loss falls towards 0. When it has to write there is nothing \
           behind the last token, and it has learned little else.",
    equation: "A = softmax(\\frac{Q K^T}{\\sqrt{d_k}}) , \\sum_{j > i} A_{ij} > 0",
    control: Control::Choice {
        label: "which of the two would you let write?",
        options: &["I have not seen them yet", "the one with the mask", "the one with the lower loss, without a mask"],
        first: 0,
    },
    picture: Picture::Pair,
    try_this: "Train both and watch the losses part; then read what each writes, and what it loses where the text ends.",
    question: "Train both, then choose the one that you would let write.",
    numpy: "s = q @ k.T / np.sqrt(2)       # no mask\na = softmax(s)\nleaked = np.triu(a, k=1).sum(1)",
    sources: ATTENTION,
    exercise: |state| Exercise::Leak { x: state.x.clone(), weights: drawn(state, true) },
    reached: |state, _| state.control() == 1.0 && state.pair.written.is_some(),
};

/// Several heads and their output projection.
pub const HEADS: Step = Step {
    name: "heads",
    title: "Several heads: split, attend, concatenate, Wₒ",
    text: "The same four columns of Q, K and V serve one head of four, two of two or four of one. Each head has its own \
           weights, so one token can look at several things at once; their results stand side by side, and Wₒ mixes them.",
    equation: "Y = [Z_1 , Z_2 , … , Z_h] W_o^T",
    control: Control::Choice { label: "heads", options: &["1", "2", "4"], first: 1 },
    picture: Picture::HeadLink,
    try_this: "Compare the weights of two heads in the row that is held: they look at different tokens.",
    question: "With how many heads is a score the product of just two numbers? Choose it.",
    numpy: "q, k, v = [m.reshape(6, h, 4 // h).transpose(1, 0, 2) for m in (q, k, v)]\nz = attention(q, k, v)\ny = z.transpose(1, 0, 2).reshape(6, 4) @ w_o.T",
    sources: ATTENTION,
    exercise: |state| Exercise::Heads {
        x: state.x.clone(),
        seed: state.seed,
        n_heads: 1 << (state.control() as usize).min(2),
    },
    reached: |state, _| state.control() == 2.0,
};
