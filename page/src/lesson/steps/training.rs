//! Training and sampling.

use super::{Control, Picture, Step, row_of};
use glasshead::types::lesson::{Exercise, SCHEDULE_STEPS};

/// Cross-entropy loss.
pub const LOSS: Step = Step {
    name: "loss",
    title: "Cross-entropy: how surprised is the model, token by token?",
    text: "At every position the model gives each token a probability, and then the real next token comes. Its loss is \
           −ln of that probability: 0 when the model was certain, ln 6 = 1.792 when it guesses among six. The gradient \
           is p minus what came, divided by the number of positions.",
    equation: "L = \\frac{1}{N} \\sum_t - ln p_{t , next} , \\frac{∂ L}{∂ z} = \\frac{p - y}{N}",
    control: Control::Slider {
        label: "added to the logit of each right token",
        range: [0.0, 8.0, 0.1],
        base: None,
        first: 0.0,
    },
    picture: Picture::Losses,
    try_this: "Look for the position with the tallest bar: there the right token's probability is smallest.",
    question: "How much has to be added until the mean loss is below 0.1?",
    numpy: "p = softmax(z)\neach = -np.log(p[np.arange(5), target])\nloss = each.mean()\ngrad = (p - np.eye(6)[target]) / 5",
    sources: "Next-token probabilities trained by their logarithm: “A Neural Probabilistic Language Model”, Bengio et al. 2003 \
              (JMLR 3); cross-entropy as CS336, assignment 1, has it. The model's own kernel computes loss and gradient in one pass.",
    exercise: |state| Exercise::Loss { seed: state.seed, bonus: state.control() as f32 },
    reached: |_, sheet| row_of(sheet, "L").first().is_some_and(|&loss| loss < 0.1),
};

/// One weight trained with AdamW.
pub const WEIGHT: Step = Step {
    name: "weight",
    title: "AdamW: one weight, step by step",
    text: "The loss is a valley, k·w²/2, and the weight begins at 1. Plain gradient descent steps by the learning rate \
           times the slope; in a steep valley it leaps across. AdamW divides a running mean of the slopes, m, by the root \
           of a running mean of their squares, √v: however steep the valley is, its first step is as long as the \
           learning rate, 0.1.",
    equation: "w = w - lr \\frac{m / (1 - β_1^t)}{\\sqrt{v / (1 - β_2^t)} + ε}",
    control: Control::Slider {
        label: "k, steepness of the valley",
        range: [-2.0, 2.0, 0.1],
        base: Some(10.0),
        first: 0.0,
    },
    picture: Picture::Valley,
    try_this: "Move the steepness: AdamW's column of weights stays the same, the plain one does not.",
    question: "Find a steepness at which plain gradient descent ends further from 0 than it began.",
    numpy: "g = k * w\nm = b1 * m + (1 - b1) * g\nv = b2 * v + (1 - b2) * g ** 2\nw -= lr * (m / (1 - b1 ** t)) / (np.sqrt(v / (1 - b2 ** t)) + eps)",
    sources: "“Adam”, Kingma & Ba 2015 (arXiv 1412.6980); “Decoupled Weight Decay Regularization”, Loshchilov & Hutter \
              2019 (arXiv 1711.05101), whose decay is 0 here.",
    exercise: |state| Exercise::OneWeight { steepness: 10f64.powf(state.control()) as f32 },
    reached: |_, sheet| row_of(sheet, "w_{plain}").last().is_some_and(|weight| weight.abs() > 1.0),
};

/// The learning rate schedule.
pub const SCHEDULE: Step = Step {
    name: "schedule",
    title: "The learning rate: warm up, then cool down",
    text: "At first AdamW's running means rest on a few slopes, so the steps begin small and grow in a straight line. \
           After the warm-up half a cosine takes them down to a tenth, so that the model settles.",
    equation: "lr_t = lr_{min} + c (lr_{max} - lr_{min}) , c = \\frac{1 + cos(π progress)}{2}",
    control: Control::Slider { label: "steps of warm-up", range: [0.0, 100.0, 5.0], base: None, first: 10.0 },
    picture: Picture::Rates,
    try_this: "Take no warm-up at all: the very first step is the largest.",
    question: "Find the warm-up at which step 40 has the highest learning rate of all.",
    numpy: "if t < warmup: lr = lr_max * t / warmup\nprogress = (t - warmup) / (100 - warmup)\nlr = lr_min + (1 + np.cos(np.pi * progress)) / 2 * (lr_max - lr_min)",
    sources: "Warm-up: “Attention Is All You Need”, Vaswani et al. 2017; cosine: “SGDR”, Loshchilov & Hutter 2017 (arXiv \
              1608.03983). The function is the trainer's own.",
    exercise: |state| Exercise::Schedule { warmup: state.control() as usize },
    reached: |_, sheet| {
        let curve = row_of(sheet, "curve");
        curve.len() == SCHEDULE_STEPS + 1 && super::largest(curve) == 40
    },
};

/// Sampling with a temperature.
pub const SAMPLING: Step = Step {
    name: "sampling",
    title: "Sampling: the next token is drawn, and temperature shapes the odds",
    text: "A model does not say the next token, it gives each one a probability, and one is drawn. Dividing the logits by \
           a temperature first sharpens the odds when it is below 1 and flattens them when it is above. Here “Your \
           journey starts with one …” is finished a hundred times.",
    equation: "p = softmax(z / T)",
    control: Control::Slider { label: "T, the temperature", range: [0.1, 3.0, 0.1], base: None, first: 1.0 },
    picture: Picture::Draws,
    try_this: "Raise T to 3: even “breath” gets its turn. Then write with the model that you train: its temperature is this.",
    question: "Find a temperature at which “step” comes in at least 95 of 100 draws.",
    numpy: "p = softmax(z / T)\ndrawn = rng.choice(5, size=100, p=p)",
    sources: "Temperature: Ackley, Hinton & Sejnowski 1985, “A learning algorithm for Boltzmann machines”; sampling as \
              CS336, assignment 1, has it.",
    exercise: |state| Exercise::Sampling { temperature: state.control() as f32, seed: state.seed },
    reached: |_, sheet| row_of(sheet, "drawn").first().is_some_and(|&count| count >= 95.0),
};
