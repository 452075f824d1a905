//! Scaling: compute, and the best size for it.

use super::{Control, Picture, Step, row_of};
use glasshead::types::lesson::Exercise;

/// 6·N·D by hand.
pub const SIX_N_D: Step = Step {
    name: "six-n-d",
    title: "6ND: what training costs",
    text: "A parameter of a matrix multiplies one number of every token: a multiplication and an addition, 2 FLOPs. On the \
           way back it is used twice, for the gradient of the input and for its own, which makes 4. So N parameters and D \
           tokens cost about 6·N·D. Here the parameters of a model with two layers are counted, matrix by matrix. In small \
           models the embeddings are a large part of N; leaving them out would bend every law.",
    equation: "C = 6 N D = \\sum (2 n + 4 n) D",
    control: Control::Slider { label: "d, the width", range: [4.0, 32.0, 4.0], base: None, first: 8.0 },
    picture: Picture::Matrices,
    try_this: "Double the width: embedding and head double, all other matrices quadruple.",
    question: "From which width on are embedding and head together less than a tenth of all parameters?",
    numpy: "n = 2 * 16 * d + 2 * (4 * d * d + 3 * d * 2 * d) + 5 * d\nC = 6 * n * 1000",
    sources: "“Scaling Laws for Neural Language Models”, Kaplan et al. 2020 (arXiv 2001.08361); with all parameters: Porian et \
              al. 2024 (arXiv 2406.19146). Attention between tokens costs extra, which is little while the context is short.",
    exercise: |state| Exercise::SixNd { width: state.control() as usize },
    reached: |_, sheet| {
        let n = row_of(sheet, "n");
        let tables = n.first().zip(n.last()).map_or(0.0, |(embedding, head)| embedding + head);
        !n.is_empty() && tables < 0.1 * n.iter().sum::<f32>()
    },
};

/// A parabola through five runs.
pub const ISOFLOP: Step = Step {
    name: "isoflop",
    title: "The best size: a parabola through five runs",
    text: "Five models of different size train with the same number of FLOPs: small ones on many tokens, large ones on few. \
           Somewhere in between the loss is lowest. A parabola in ln N through the runs locates that size. The truth \
           here is 40k parameters. The curve is steeper on the left than a parabola, as it is for real models.",
    equation: "L = c_0 + c_1 x + c_2 x^2 , x = ln N - mean , N_{best} = exp(mean - \\frac{c_1}{2 c_2})",
    control: Control::Slider { label: "sizes, moved by factors of 2", range: [-4.0, 4.0, 1.0], base: None, first: 0.0 },
    picture: Picture::Matrices,
    try_this: "Move the sizes by one factor of 2: the vertex hardly changes, because sizes on both sides hold it.",
    question: "Move the sizes until the lowest run is the smallest or the largest: the budget is censored. How far off is the \
               vertex now?",
    numpy: "x = np.log(n) - np.log(n).mean()\nc2, c1, c0 = np.polyfit(x, loss, 2)\nbest = np.exp(np.log(n).mean() - c1 / (2 * c2))",
    sources: "Approach 2 of “Training Compute-Optimal Large Language Models”, Hoffmann et al. 2022 (arXiv 2203.15556). The Scale \
              view leaves censored budgets out and extends them.",
    exercise: |state| Exercise::IsoFlop { shift: state.control() as i32 },
    reached: |_, sheet| {
        let losses = row_of(sheet, "L");
        let lowest = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b]));
        lowest.is_some_and(|lowest| lowest == 0 || lowest + 1 == losses.len())
    },
};
