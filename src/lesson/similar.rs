//! How similar two texts are: by their sets of pairs of words, and by a few hashes of these.

use super::sheet::{At, Desk, m, s, t};
use crate::rng::torch::TorchRng;
use crate::types::lesson::{Axis, Made, N_HASHES, SEED, SENTENCES};

fn labels<T: ToString>(words: impl IntoIterator<Item = T>) -> Axis {
    Axis::Labels(words.into_iter().map(|word| word.to_string()).collect())
}

/// The pairs of neighboring words of a sentence.
fn pairs(sentence: &str) -> Vec<String> {
    let words: Vec<&str> = sentence.split(' ').collect();
    words.windows(2).map(|pair| pair.join(" ")).collect()
}

/// All pairs of two sentences, and which of them each sentence has.
fn sets(desk: &mut Desk, other: usize) -> (Vec<String>, [At; 2]) {
    let (first, second) = (pairs(SENTENCES[0]), pairs(SENTENCES[other]));
    let mut all = first.clone();
    all.extend(second.iter().filter(|pair| !first.contains(pair)).cloned());
    let row = |set: &[String]| all.iter().map(|pair| if set.contains(pair) { 1.0 } else { 0.0 }).collect::<Vec<f32>>();
    let (a, b) = (row(&first), row(&second));
    let mut given = |name: &str, values: &[f32], label: &str| {
        let axes = [labels([label]), labels(&all)];
        desk.given(name, values, values.len(), axes, Made::Given { editable: false })
    };
    let sets = [given("a", &a, "first"), given("b", &b, "second")];
    (all, sets)
}

fn single() -> [Axis; 2] {
    [labels(["both"]), labels(["number"])]
}

/// The size of a set: its row times a column of ones.
fn size(desk: &mut Desk, name: &str, of: At) -> At {
    desk.computed(name, [1, 1], single(), Made::RowSum { of }, move |done| vec![done[of].values.iter().sum()])
}

/// The similarity of the first sentence and another one.
fn similarity(desk: &mut Desk, [a, b]: [At; 2]) -> [At; 4] {
    let both = desk.product("a b^T", [a, b], true);
    let (size_a, size_b) = (size(desk, "\\sum a", a), size(desk, "\\sum b", b));
    let made = Made::Jaccard { both, a: size_a, b: size_b };
    let similarity = desk.computed("J", [1, 1], single(), made, move |done| {
        let [both, a, b] = [both, size_a, size_b].map(|at| done[at].values[0]);
        vec![both / (a + b - both)]
    });
    [both, size_a, size_b, similarity]
}

/// By hand.
pub(super) fn jaccard(desk: &mut Desk, other: usize) {
    let (_, [a, b]) = sets(desk, other);
    let [both, size_a, size_b, similarity] = similarity(desk, [a, b]);
    desk.line([s("first:"), m(a)]);
    desk.line([s("second:"), m(b)]);
    desk.line([s("pairs in both:"), m(both), s("of each:"), m(size_a), m(size_b), s("→"), m(similarity)]);
}

/// By the least hashes of the pairs that each sentence has.
pub(super) fn min_hash(desk: &mut Desk, bands: usize) {
    let (all, [a, b]) = sets(desk, 2);
    let [.., exact] = similarity(desk, [a, b]);
    let rows = N_HASHES / bands;
    let hashes = labels((1..=N_HASHES).map(|hash| format!("hash {hash}")));
    let mut rng = TorchRng::new(SEED);
    let ranks: Vec<f32> = (0..N_HASHES).flat_map(|_| order(&rng.randn(all.len()))).collect();
    let of = desk.given("H", &ranks, all.len(), [hashes.clone(), labels(&all)], Made::Drawn);
    let mut least = |name: &str, set: At, label: &str| {
        let axes = [hashes.clone(), labels([label])];
        desk.computed(name, [N_HASHES, 1], axes, Made::Least { of, set }, move |done| {
            let in_set = |at: &usize| done[set].values[*at] == 1.0;
            let least = |row: &[f32]| (0..row.len()).filter(in_set).map(|at| row[at]).fold(f32::INFINITY, f32::min);
            done[of].values.chunks(done[of].cols).map(least).collect()
        })
    };
    let (first, second) = (least("s_a", a, "first"), least("s_b", b, "second"));
    let axes = [hashes, labels(["equal"])];
    let equal = desk.computed("e", [N_HASHES, 1], axes, Made::Equal { a: first, b: second }, move |done| {
        let pairs = done[first].values.iter().zip(&done[second].values);
        pairs.map(|(a, b)| if a == b { 1.0 } else { 0.0 }).collect()
    });
    let estimate = desk.computed("J_{est}", [1, 1], single(), Made::Mean { of: equal }, move |done| {
        vec![done[equal].values.iter().sum::<f32>() / N_HASHES as f32]
    });
    let axes = [labels((1..=bands).map(|band| format!("band {band}"))), labels(["found"])];
    let found = desk.computed("f", [bands, 1], axes, Made::Band { of: equal, rows }, move |done| {
        let all = |band: &[f32]| if band.iter().all(|&equal| equal == 1.0) { 1.0 } else { 0.0 };
        done[equal].values.chunks(rows).map(all).collect()
    });
    let tenths: Vec<f32> = (0..=10).map(|tenth| tenth as f32 / 10.0).collect();
    let axes = [labels(["J"]), labels(tenths.iter().map(|j| format!("{j:.1}")))];
    let given = desk.given("j", &tenths, tenths.len(), axes, Made::Given { editable: false });
    let made = Made::Candidate { of: given, bands, rows };
    let probability = desk.after("P", given, tenths.len(), made, move |done| {
        let p = |j: &f32| 1.0 - (1.0 - j.powi(rows as i32)).powi(bands as i32);
        done[given].values.iter().map(p).collect()
    });
    desk.line([s("which pairs:"), t(a), t(b), s("eight orders of them:"), t(of)]);
    desk.line([
        s("the least of each:"),
        t(first),
        t(second),
        s("equal:"),
        t(equal),
        s("→"),
        m(estimate),
        s("exactly"),
        m(exact),
    ]);
    desk.line([s("bands in which all are equal:"), t(found)]);
    desk.line([s("probability of that:"), m(probability)]);
}

/// The places of numbers in their order, from 1: a random permutation, if they are random.
fn order(numbers: &[f32]) -> Vec<f32> {
    let place = |number: &f32| 1 + numbers.iter().filter(|other| *other < number).count();
    numbers.iter().map(|number| place(number) as f32).collect()
}
