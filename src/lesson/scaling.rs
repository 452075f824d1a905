//! Scaling laws by hand: the FLOPs of a small model, and a parabola through five runs.

use super::sheet::{At, Desk, m, s};
use crate::ops::matmul::{Layout, Shape, matmul};
use crate::ops::residual::residual as add;
use crate::scaling::linear::Parabola;
use crate::types::lesson::{Axis, Made};

/// Vocabulary of the counted model.
const VOCAB: usize = 16;

/// Its number of layers.
const LAYERS: usize = 2;

/// Training tokens.
const TOKENS: f32 = 1000.0;

/// Number of runs of the budget.
const RUNS: usize = 5;

/// The size with the lowest loss at that budget, in thousands of parameters.
const BEST: f64 = 40.0;

fn labels<T: ToString>(words: impl IntoIterator<Item = T>) -> Axis {
    Axis::Labels(words.into_iter().map(|word| word.to_string()).collect())
}

/// Parts of a model of width `d`: name, number, rows and columns of each matrix. Its feed-forward width is 2·d.
fn parts(d: usize) -> [(&'static str, [usize; 3]); 5] {
    [
        ("embedding", [1, VOCAB, d]),
        ("attention", [4 * LAYERS, d, d]),
        ("feed-forward", [3 * LAYERS, d, 2 * d]),
        ("norms", [2 * LAYERS + 1, 1, d]),
        ("head", [1, VOCAB, d]),
    ]
}

/// C = 6·N·D of a model with two layers, counted matrix by matrix.
pub(super) fn six_n_d(desk: &mut Desk, d: usize) {
    let rows = || labels(parts(d).map(|(name, _)| name));
    let column = |name: &str| [rows(), labels([name])];
    let shapes: Vec<f32> = parts(d).iter().flat_map(|(_, shape)| shape.map(|n| n as f32)).collect();
    let axes = [rows(), labels(["matrices", "rows", "columns"])];
    let shape = desk.given("shapes", &shapes, 3, axes, Made::Given { editable: false });
    let counts: Vec<f32> = parts(d).iter().map(|(_, shape)| shape.iter().product::<usize>() as f32).collect();
    let how = parts(d).iter().map(|(_, [n, rows, columns])| format!("{n} · {rows} · {columns}")).collect();
    let n = desk.given("n", &counts, 1, column("parameters"), Made::Explained { how });
    let forward = desk.scaled("2 n", n, 2.0, false);
    let backward = desk.scaled("4 n", n, 4.0, false);
    let both = desk.zeros(counts.len());
    let bindings = [desk.slice_of(forward), desk.slice_of(backward), both];
    add(&mut desk.recording, bindings);
    let made = Made::Sum { a: forward, b: backward };
    let six = desk.show("6 n", both, [counts.len(), 1], column("FLOPs per token"), made);
    let per_token = column_sum(desk, "6 N", six, counts.len());
    let total = desk.scaled("C", per_token, TOKENS, false);
    desk.line([m(shape), s("→"), m(n)]);
    desk.line([s("forward:"), m(forward), s("+ backward:"), m(backward), s("="), m(six)]);
    desk.line([s("of a token:"), m(per_token), s("times D = 1000 tokens:"), m(total)]);
}

/// The sum of a column, by a matmul with ones.
fn column_sum(desk: &mut Desk, name: &str, of: At, n_rows: usize) -> At {
    let (ones, sum) = (desk.words(vec![1.0f32.to_bits(); n_rows]), desk.zeros(1));
    let column = desk.slice_of(of);
    matmul(&mut desk.recording, Layout::Nn, [ones, column, sum], Shape { m: 1, n: 1, k: n_rows }, None);
    desk.show(name, sum, [1, 1], [labels(["sum"]), labels(["FLOPs"])], Made::ColumnSum { of })
}

/// The loss of a size at the lesson's budget: lowest at [`BEST`], and steeper towards small sizes.
fn loss(thousands: f64) -> f64 {
    let x = (thousands / BEST).log2();
    1.2 + 0.05 * x * x - 0.003 * x.powi(3)
}

/// A parabola in ln N through five sizes, each twice the one before it; `shift` moves the sizes by factors of 2.
pub(super) fn isoflop(desk: &mut Desk, shift: i32) {
    let sizes: Vec<f64> = (0..RUNS as i32).map(|i| BEST * 2f64.powi(i - 2 + shift)).collect();
    let points: Vec<(f64, f64)> = sizes.iter().map(|&n| (n.ln(), loss(n))).collect();
    // Five different sizes always have a parabola.
    let parabola = Parabola::fit(&points).unwrap_or(Parabola { center: 0.0, coefficients: [0.0; 3] });
    let names = || labels(sizes.iter().map(|n| format!("{n}k")));
    let losses: Vec<f32> = points.iter().map(|point| point.1 as f32).collect();
    let how = || vec!["a run with the same number of FLOPs".to_string(); RUNS];
    let measured = desk.given("L", &losses, RUNS, [labels(["loss"]), names()], Made::Explained { how: how() });
    let powers: Vec<f32> = points
        .iter()
        .flat_map(|&(x, _)| {
            let x = x - parabola.center;
            [1.0, x as f32, (x * x) as f32]
        })
        .collect();
    let how = sizes.iter().flat_map(|n| {
        let x = format!("ln {n} − {:.3}", parabola.center);
        ["1".to_string(), x.clone(), format!("({x})²")]
    });
    let made = Made::Explained { how: how.collect() };
    let design = desk.given("X", &powers, 3, [names(), labels(["1", "x", "x²"])], made);
    let coefficients: Vec<f32> = parabola.coefficients.iter().map(|&c| c as f32).collect();
    let how = vec!["least squares: Σ (L − X c)² is lowest".to_string(); 3];
    let c =
        desk.given("c", &coefficients, 1, [labels(["c_0", "c_1", "c_2"]), labels(["fit"])], Made::Explained { how });
    let fitted = desk.product("X c", [design, c], false);
    let (vertex, lowest) = (parabola.vertex(), points.iter().map(|point| point.1).fold(f64::INFINITY, f64::min));
    let values = [vertex.0.exp() as f32, vertex.1 as f32];
    let [_, c1, c2] = parabola.coefficients;
    let how = vec![
        format!("exp({:.3} − ({c1:.3}) ÷ (2 · {c2:.3}))", parabola.center),
        format!("the parabola there; the lowest run has {lowest:.3}"),
    ];
    let best = desk.given(
        "N_{best}",
        &values,
        2,
        [labels(["vertex"]), labels(["size in k", "loss"])],
        Made::Explained { how },
    );
    desk.line([s("five runs:"), m(measured)]);
    desk.line([s("the parabola:"), m(design), s("·"), m(c), s("="), m(fitted)]);
    desk.line([s("its lowest point:"), m(best)]);
}
