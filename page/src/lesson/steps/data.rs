//! Data: how similar two texts are, and how that is found without comparing everything.

use super::{Control, Picture, Step, row_of};
use glasshead::types::lesson::Exercise;

/// The number of bands for each choice.
const BANDS: [usize; 4] = [1, 2, 4, 8];

/// The similarity of two sentences by hand.
pub const JACCARD: Step = Step {
    name: "jaccard",
    title: "Similarity: how many pairs of words do two texts share?",
    text: "A text is taken as the set of its pairs of neighboring words. The first sentence is “the red ball rolled down the \
           hill to the river”. Its Jaccard similarity with another one is the number of pairs that both have, divided by the \
           number of pairs that at least one has: 1 for equal sets, 0 for sets that share nothing.",
    equation: "J = \\frac{a b^T}{\\sum a + \\sum b - a b^T}",
    control: Control::Choice {
        label: "second sentence",
        options: &["… to the lake", "the blue ball …", "a red ball … slowly …", "the river is near …"],
        first: 2,
    },
    picture: Picture::Matrices,
    try_this: "Change one word: two pairs differ, because every word is in two of them.",
    question: "FineWeb drops the later one of two pages from a similarity of about 0.8 on. Choose the sentence that it would drop.",
    numpy: "both = a @ b\nJ = both / (a.sum() + b.sum() - both)",
    sources: "Resemblance of documents: “On the resemblance and containment of documents”, Broder 1997. Web corpora use groups of \
              five words and more: “FineWeb”, Penedo et al. 2024 (arXiv 2406.17557).",
    exercise: |state| Exercise::Jaccard { other: (state.control() as usize).min(3) + 1 },
    reached: |_, sheet| row_of(sheet, "J").first().is_some_and(|&similarity| similarity > 0.79),
};

/// The same from eight hashes, and the S-curve.
pub const MIN_HASH: Step = Step {
    name: "minhash",
    title: "MinHash: the same from a few hashes",
    text: "Put all pairs in a random order, and note the first one that each text has. Both texts have the same first pair \
           with a probability of exactly J. Eight orders give an estimate, and the eight numbers take the place of the text. \
           Grouped into b bands of r rows, a pair of texts is compared only if a whole band is equal, which has the \
           probability 1 − (1 − J^r)^b: an S-shaped curve.",
    equation: "P = 1 - (1 - J^r)^b",
    control: Control::Choice { label: "bands × rows", options: &["1 × 8", "2 × 4", "4 × 2", "8 × 1"], first: 0 },
    picture: Picture::SCurve,
    try_this: "More rows shift the curve to the right, more bands to the left.",
    question: "Choose a shape that finds a pair with J = 0.6 in more than 80 % of all cases, and one with J = 0.1 in less than 10 %.",
    numpy: "sig_a = H[:, a == 1].min(1)\nsig_b = H[:, b == 1].min(1)\nestimate = (sig_a == sig_b).mean()\nP = 1 - (1 - J**r)**b",
    sources: "Broder 1997; bands and rows: “Mining of Massive Datasets”, Leskovec, Rajaraman & Ullman, chapter 3. FineWeb uses 14 \
              bands of 8 rows. The Data view finds near duplicates in this way.",
    exercise: |state| Exercise::MinHash { bands: BANDS[(state.control() as usize).min(BANDS.len() - 1)] },
    reached: |_, sheet| {
        let p = row_of(sheet, "P");
        p.get(6).is_some_and(|&p| p > 0.8) && p.get(1).is_some_and(|&p| p < 0.1)
    },
};
