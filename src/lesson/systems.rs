//! How a step is limited by its device, how ranks add up their gradients, and what 16 bits do to a sum: one idea each.

use super::sheet::{Desk, m, s};
use crate::systems::precision::FOUR_SUMS;
use crate::systems::ring::{Collective, chunk, execute, receive};
use crate::types::lesson::{Axis, Made, RANKS};

/// n: rows and columns of the matrices of the roofline.
const SIZE: usize = 1024;

/// The term of the four sums.
const TERM: f32 = 0.01;

fn labels<T: ToString>(words: impl IntoIterator<Item = T>) -> Axis {
    Axis::Labels(words.into_iter().map(|word| word.to_string()).collect())
}

/// A matmul of n×n matrices by tiles: what it computes and moves, and which of the two limits it.
pub(super) fn roofline(desk: &mut Desk, tile: usize) {
    let (n, t) = (SIZE as f32, tile as f32);
    let of = |name: &'static str| labels([name]);
    let peaks = desk.given(
        "P",
        &[15_000.0, 272.0],
        2,
        [of("this GPU"), labels(["GFLOP/s", "GB/s"])],
        Made::Given { editable: false },
    );
    let work = [2.0 * n * n * n / 1e9, 4.0 * (2.0 * n * n * n / t + n * n) / 1e9];
    let made = Made::Tiled { size: SIZE, tile };
    let work = desk.given("q", &work, 2, [of("the matmul"), labels(["GFLOP", "GB"])], made);
    let intensity =
        desk.computed("I", [1, 1], [of("FLOP per byte"), of("q_1 / q_2")], Made::Ratio { of: work }, move |done| {
            vec![done[work].values[0] / done[work].values[1]]
        });
    let made = Made::Roofs { intensity, peaks };
    let axes = [of("GFLOP/s"), labels(["the cores allow", "the memory allows"])];
    let limits = desk.computed("R", [1, 2], axes, made, move |done| {
        vec![done[peaks].values[0], done[intensity].values[0] * done[peaks].values[1]]
    });
    let reached =
        desk.computed("at most", [1, 1], [of("GFLOP/s"), of("min")], Made::LowerRoof { of: limits }, move |done| {
            vec![done[limits].values[0].min(done[limits].values[1])]
        });
    desk.line([s("peaks:"), m(peaks), s("work:"), m(work)]);
    desk.line([s("intensity:"), m(intensity), s("roofs:"), m(limits), s("→"), m(reached)]);
}

/// Four numbers on four ranks, after some rounds of a ring all-reduce.
pub(super) fn ring(desk: &mut Desk, rounds: usize) {
    let axes = || {
        [
            labels((1..=RANKS).map(|rank| format!("rank {rank}"))),
            labels((1..=RANKS).map(|chunk| format!("chunk {chunk}"))),
        ]
    };
    let values: Vec<f32> = (1..=RANKS * RANKS).map(|value| value as f32).collect();
    let before = desk.given("g", &values, RANKS, axes(), Made::Given { editable: false });
    let made = Made::Ring { of: before, rounds };
    let after =
        desk.computed("after", [RANKS, RANKS], axes(), made, move |done| after_rounds(&done[before].values, rounds));
    let complete = desk.computed("all ranks", [RANKS, RANKS], axes(), Made::ColumnSum { of: before }, move |done| {
        let mut ranks: Vec<Vec<f32>> = done[before].values.chunks(RANKS).map(<[f32]>::to_vec).collect();
        execute(Collective::AllReduce, &mut ranks);
        ranks.concat()
    });
    desk.line([s("gradients:"), m(before), s("now:"), m(after)]);
    desk.line([s("in the end:"), m(complete)]);
}

/// The chunks of all ranks after the first `rounds` rounds.
fn after_rounds(values: &[f32], rounds: usize) -> Vec<f32> {
    let mut ranks: Vec<Vec<f32>> = values.chunks(RANKS).map(<[f32]>::to_vec).collect();
    for round in 0..rounds {
        let messages = (0..RANKS).map(|from| Collective::AllReduce.message(RANKS, round, from));
        let sent: Vec<_> = messages
            .map(|message| (message, ranks[message.from][chunk(RANKS, RANKS, message.chunk)].to_vec()))
            .collect();
        for (message, values) in sent {
            receive(&mut ranks[message.to][chunk(RANKS, RANKS, message.chunk)], &values, message.add);
        }
    }
    ranks.concat()
}

/// n additions of 0.01 in four ways, and how far they are from n · 0.01.
pub(super) fn four_sums(desk: &mut Desk, n: usize) {
    let axes = |row: &'static str| [labels([row]), labels(FOUR_SUMS.map(|sum| sum.title()))];
    let sums: Vec<f32> = FOUR_SUMS.iter().map(|sum| sum.run(TERM, n).last().copied().unwrap_or_default()).collect();
    let sums = desk.given("S", &sums, FOUR_SUMS.len(), axes("sum"), Made::Repeated { n, term: TERM });
    let exact = n as f32 / 100.0;
    let made = Made::Scaled { of: sums, factor: 1.0, shift: -exact };
    let errors = desk.computed("S - n 0.01", [1, FOUR_SUMS.len()], axes("error"), made, move |done| {
        done[sums].values.iter().map(|sum| sum - exact).collect()
    });
    desk.line([m(sums), s("exactly"), s(&format!("{exact}:")), m(errors)]);
}
