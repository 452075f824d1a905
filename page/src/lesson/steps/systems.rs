//! Systems: what limits a kernel, how ranks share gradients, and what 16 bits cost.

use super::{Control, Picture, Step, row_of};
use glasshead::types::lesson::Exercise;

/// One kernel under the roofline.
pub const ROOFLINE: Step = Step {
    name: "roofline",
    title: "The roofline: computing or waiting for memory",
    text: "A matmul of n×n matrices takes 2n³ operations, always. How many bytes it moves is up to the kernel: with tiles of t×t \
           results, each loaded number is used t times. Operations per byte are the kernel's intensity I. The device \
           computes at most P operations per second, and its memory delivers at most I·W worth of them; the lower of the \
           two roofs is the limit.",
    equation: "I = \\frac{2 n^3}{4 (2 n^3 / t + n^2)} , R = min(P , I W)",
    control: Control::Slider { label: "tile size t", range: [0.0, 9.0, 1.0], base: Some(2.0), first: 3.0 },
    picture: Picture::Matrices,
    try_this: "Double the tile: the intensity doubles, and so does the speed, until the cores are the limit.",
    question: "Which tile is large enough for the cores to be the limit?",
    numpy: "flop = 2 * n**3\nbytes = 4 * (2 * n**3 / t + n**2)\nroof = min(15e12, flop / bytes * 272e9)",
    sources: "“Roofline: an insightful visual performance model”, Williams et al. 2009. The peaks are those of an RTX 4060's data \
              sheet; the Systems view measures your device's own and puts every kernel of a training step under them.",
    exercise: |state| Exercise::Roofline { tile: (state.control().exp2()) as usize },
    reached: |_, sheet| match row_of(sheet, "R") {
        &[cores, memory] => memory >= cores,
        _ => false,
    },
};

/// A ring all-reduce.
pub const RING: Step = Step {
    name: "ring",
    title: "Ring all-reduce: adding gradients without a center",
    text: "Four ranks have each computed gradients on their part of the batch, and all of them need the sum. Each rank talks to \
           its neighbor only. In the first three rounds, a chunk travels around and every rank adds its own part: then each \
           rank has the sum of one chunk. In the next three, these finished chunks travel around once more. Every rank sends \
           2(N − 1)/N of the gradients' bytes, however many ranks there are.",
    equation: "T = 2 \\frac{N - 1}{N} \\frac{S}{W}",
    control: Control::Slider { label: "rounds", range: [0.0, 6.0, 1.0], base: None, first: 0.0 },
    picture: Picture::Matrices,
    try_this: "Hover a number to see whose parts are in it.",
    question: "After how many rounds is the first chunk anywhere complete, and none copied yet?",
    numpy: "for r in range(n - 1):\n    for i in range(n):\n        g[(i + 1) % n][(i - r) % n] += sent[i][(i - r) % n]",
    sources: "“Bandwidth optimal all-reduce algorithms for clusters of workstations”, Patarasuk and Yuan 2009. glasshead train \
              --ranks sends the same messages between threads, and the Systems view shows the time that they take.",
    exercise: |state| Exercise::Ring { rounds: state.control() as usize },
    reached: |state, _| state.control() == 3.0,
};

/// The four sums.
pub const FOUR_SUMS: Step = Step {
    name: "four-sums",
    title: "Four sums: 16 bits forget small terms",
    text: "Add 0.01 again and again. With 32 bits the sum is right to five digits. An f16 has 11 significant bits: between 8 and \
           16 its neighbors are 1/128 apart, so adding 0.01 really adds 0.0078. If only the term is rounded to f16 and the \
           accumulator has 32 bits, little is lost. That is why matmuls in half precision add up in f32.",
    equation: "s ← round(s + round(0.01))",
    control: Control::Slider { label: "additions", range: [0.0, 1000.0, 50.0], base: None, first: 100.0 },
    picture: Picture::Matrices,
    try_this: "Go to 1,000 additions: 10.0001, 9.9531, 10.0021, 10.0021.",
    question: "After how many additions is the sum in f16 off by more than 0.04?",
    numpy: "s = np.float16(0)\nfor _ in range(n):\n    s += np.float16(0.01)",
    sources: "“Mixed precision training”, Micikevicius et al. 2018 (arXiv 1710.03740); the four sums are those of CS336, assignment 2. \
              The Systems view rounds the tensors of your own run.",
    exercise: |state| Exercise::FourSums { n: state.control() as usize },
    reached: |_, sheet| row_of(sheet, "S - n 0.01").get(1).is_some_and(|error| error.abs() > 0.04),
};
