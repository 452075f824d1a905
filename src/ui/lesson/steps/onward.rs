//! What a Transformer needs besides attention.

use super::{Control, Step, row_of};
use crate::protocol::lesson::Exercise;

/// Powers of ten that [`RMS_NORM`] offers.
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

/// Cross-entropy.
pub const LOSS: Step = Step {
    name: "loss",
    title: "Cross-entropy: how surprised is the model?",
    text: "After “Your journey starts with one” comes “step”. The loss is −ln of the probability that the model gave it: 0 \
           when it was certain, ln 5 = 1.609 when it guesses among five. The gradient is simply p minus what came.",
    equation: "L = - ln p_{step} , \\frac{∂ L}{∂ z_j} = p_j - y_j",
    control: Control::Slider { label: "logit of “step”", range: [-4.0, 8.0, 0.05], first: 2.0 },
    try_this: "Lower the logit: the loss grows in a straight line, for the model is confidently wrong.",
    question: "Find the logit at which the loss is that of guessing among five, 1.61.",
    numpy: "p = np.exp(z) / np.exp(z).sum()\nloss = -np.log(p[0])\ngrad = p - np.eye(5)[0]",
    sources: "Cross-entropy as CS336, assignment 1, has it; the model's own kernel computes loss and gradient in one pass.",
    exercise: |state| Exercise::Loss { logit: state.control() as f32 },
    reached: |_, sheet| row_of(sheet, "L").first().is_some_and(|&loss| (loss - 5.0f32.ln()).abs() < 0.03),
};
