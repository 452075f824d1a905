//! How a cell was computed, with its actual numbers, and which other cells it was computed from.

use crate::state::lesson::Cell;
use glasshead::systems::ring::Collective;
use glasshead::types::lesson::{Axis, Made, Matrix, RANKS, Sheet, WORDS};

/// A number with four decimals, for tables.
pub fn short(value: f32) -> String {
    decimals(value, 4)
}

/// A number with at most `n` decimals; infinities and NaN as symbols.
pub fn decimals(value: f32, n: usize) -> String {
    let text = match value {
        _ if value.is_nan() => return "NaN".into(),
        f32::INFINITY => return "∞".into(),
        f32::NEG_INFINITY => return "−∞".into(),
        _ if value.abs() >= 1000.0 => format!("{value:.1}"),
        _ => format!("{value:.n$}"),
    };
    text.replace('-', "−")
}

/// The label of a row or column.
pub fn label(axis: &Axis, at: usize) -> String {
    match axis {
        Axis::Tokens => WORDS.get(at).copied().unwrap_or_default().into(),
        Axis::Token(token) => WORDS.get(*token).copied().unwrap_or_default().into(),
        Axis::Numbers => (at + 1).to_string(),
        Axis::Labels(labels) => labels.get(at).cloned().unwrap_or_default(),
    }
}

/// Whether a cell is the highlighted one or one that it was computed from.
pub fn involved(sheet: &Sheet, (matrix, row, col): Cell, (lit, i, j): Cell) -> bool {
    if (matrix, row, col) == (lit, i, j) {
        return true;
    }
    let Some(shown) = sheet.matrices.get(lit) else { return false };
    match &shown.made {
        &Made::Product { a, b, transposed } => {
            (matrix == a && row == i) || (matrix == b && if transposed { row == j } else { col == j })
        }
        &Made::Attention { q, k, .. } => (matrix == q && row == i) || (matrix == k && row <= i),
        &Made::Scaled { of, .. } | &Made::Masked { of, .. } | &Made::Ahead { of } => {
            matrix == of && (row, col) == (i, j)
        }
        &Made::Jaccard { both, a, b } => [both, a, b].contains(&matrix),
        &Made::Least { of, set } => {
            (matrix == of && row == i && sheet.matrices[set].at(0, col) == 1.0) || (matrix == set && row == 0)
        }
        &Made::Band { of, rows } => matrix == of && row / rows.max(1) == i,
        &Made::Candidate { of, .. } => matrix == of && col == j,
        &Made::Sum { a, b } | &Made::Equal { a, b } | &Made::Gated { gate: a, up: b } => {
            [a, b].contains(&matrix) && (row, col) == (i, j)
        }
        &Made::Columns { of, first } if sheet.matrices[of].rows == shown.rows => {
            matrix == of && row == i && col == first + j
        }
        &Made::Row { of } => {
            let source = &sheet.matrices[of];
            let token = if let Axis::Token(token) = shown.axes[0] { token } else { i };
            matrix == of && col == j && row == token.min(source.rows.saturating_sub(1))
        }
        &Made::Softmax { of, .. }
        | &Made::Share { of }
        | &Made::RowSum { of }
        | &Made::Turned { of, .. }
        | &Made::Normalised { of, .. }
        | &Made::CrossEntropy { of, .. }
        | &Made::LossGradient { of, .. } => matrix == of && row == i,
        &Made::Counted { of } | &Made::ColumnSum { of } => matrix == of && col == j,
        &Made::Advantage { of } => matrix == of,
        &Made::WeightedGradient { of, coefficients, .. } => {
            let last = sheet.matrices[of].rows.saturating_sub(1);
            (matrix == of && row == i.min(last) && col == j) || (matrix == coefficients && col == i)
        }
        &Made::Stepped { of, grad, .. } => [of, grad].contains(&matrix) && (row, col) == (i, j),
        &Made::Mean { of } => matrix == of,
        &Made::Slope { of, .. } => matrix == of && row + 1 == i,
        &Made::Moment { of, .. } => (matrix == of && row == i) || (matrix == lit && row + 1 == i),
        &Made::Adamw { m, v, .. } => ([m, v].contains(&matrix) && row == i) || (matrix == lit && row + 1 == i),
        &Made::Descent { of, .. } => (matrix == of && row == i) || (matrix == lit && row + 1 == i),
        &Made::Ratio { of } | &Made::LowerRoof { of } => matrix == of,
        &Made::Roofs { intensity, peaks } => (matrix == intensity && j == 1) || (matrix == peaks && col == j),
        &Made::Ring { of, rounds } => matrix == of && col == j && ring_ranks(i, j, rounds).contains(&row),
        Made::Given { .. } | Made::Drawn | Made::Measured | Made::Explained { .. } | Made::Rate { .. } => false,
        Made::Tiled { .. } | Made::Repeated { .. } => false,
        Made::Columns { .. } | Made::Beside { .. } => false,
    }
}

/// The calculation of a cell, in one line.
pub fn worked(sheet: &Sheet, (at, i, j): Cell) -> String {
    let Some(shown) = sheet.matrices.get(at).filter(|shown| i < shown.rows && j < shown.cols) else {
        return String::new();
    };
    let place = format!("{}, {}", label(&shown.axes[0], i), label(&shown.axes[1], j));
    let result = decimals(shown.at(i, j), 6);
    match steps(sheet, shown, i, j) {
        Some(steps) => format!("{place}: {steps} = {result}"),
        None => format!("{place}: {result}"),
    }
}

fn steps(sheet: &Sheet, shown: &Matrix, i: usize, j: usize) -> Option<String> {
    let matrix = |at: usize| &sheet.matrices[at];
    Some(match &shown.made {
        Made::Given { .. } | Made::Drawn | Made::Columns { .. } | Made::Beside { .. } => return None,
        Made::Measured | Made::Row { .. } => return None,
        Made::Explained { how } => return how.get(i * shown.cols + j).cloned(),
        &Made::Product { a, b, transposed } => {
            let (a, b) = (matrix(a), matrix(b));
            let factor = |k: usize| if transposed { b.at(j, k) } else { b.at(k, j) };
            dot((0..a.cols).map(|k| (a.at(i, k), factor(k))))
        }
        &Made::Attention { q, k, scale } => {
            let (q, k) = (matrix(q), matrix(k));
            if j > i {
                return Some("it comes later (masked)".into());
            }
            let score = dot((0..q.cols).map(|d| (q.at(i, d), k.at(j, d))));
            format!("softmax of {} · ({score}) among the first {}", short(scale), i + 1)
        }
        &Made::Scaled { of, factor, shift } => {
            let value = short(matrix(of).at(i, j));
            if shift == 0.0 {
                format!("{} · ({value})", decimals(factor, 4))
            } else {
                format!("{value} + ({})", short(shift))
            }
        }
        &Made::Softmax { of, stable } => softmax(matrix(of).row(i), j, stable),
        &Made::Share { of } => {
            let row = matrix(of).row(i);
            format!("{} ÷ {}", short(row[j]), short(row.iter().sum()))
        }
        &Made::Masked { of, infinite } => match (j > i, infinite) {
            (true, true) => "it comes later: −∞".into(),
            (true, false) => "it comes later: 0".into(),
            (false, true) => format!("{}, scaled", short(matrix(of).at(i, j))),
            (false, false) => return None,
        },
        Made::Ahead { .. } if j > i => "it comes later, and is looked at".into(),
        Made::Ahead { .. } => "it does not come later: not counted".into(),
        &Made::RowSum { of } => matrix(of).row(i).iter().map(|&x| short(x)).collect::<Vec<_>>().join(" + "),
        &Made::Sum { a, b } => format!("{} + ({})", short(matrix(a).at(i, j)), short(matrix(b).at(i, j))),
        &Made::Normalised { of, eps } => {
            let row = matrix(of).row(i);
            let mean = row.iter().map(|x| x * x).sum::<f32>() / row.len() as f32;
            format!("{} ÷ √({} + {eps})", short(row[j]), decimals(mean, 6))
        }
        &Made::Turned { of, degrees } => turned(matrix(of).row(i), i, j, degrees),
        &Made::Gated { gate, up } => {
            let (gate, up) = (short(matrix(gate).at(i, j)), short(matrix(up).at(i, j)));
            format!("({gate}) ÷ (1 + exp(−({gate}))) · ({up})")
        }
        other => return learned(sheet, other, shown, i, j),
    })
}

/// Calculations of the steps about training.
fn learned(sheet: &Sheet, made: &Made, shown: &Matrix, i: usize, j: usize) -> Option<String> {
    let matrix = |at: usize| &sheet.matrices[at];
    let before = |column: &Matrix, first: f32| if i == 0 { first } else { column.at(i - 1, 0) };
    Some(match made {
        Made::CrossEntropy { of, targets } => {
            let target = *targets.get(i)?;
            format!("−ln p({}) = −ln {}", label(&matrix(*of).axes[1], target), short((-shown.at(i, j)).exp()))
        }
        &Made::Advantage { of } => {
            let rewards = matrix(of).row(0);
            let n = rewards.len() as f32;
            let mean = rewards.iter().sum::<f32>() / n;
            let std = (rewards.iter().map(|r| (r - mean).powi(2)).sum::<f32>() / (n - 1.0)).sqrt();
            format!("({} − {}) ÷ ({} + 0.000001)", short(rewards[j]), short(mean), short(std))
        }
        Made::WeightedGradient { of, coefficients, targets } => {
            let (p, c) = (matrix(*of), matrix(*coefficients).at(0, i));
            let (p, y) = (p.at(i.min(p.rows.saturating_sub(1)), j), if targets.get(i) == Some(&j) { 1.0 } else { 0.0 });
            format!("({}) · ({} − {y})", short(c), short(p))
        }
        &Made::ColumnSum { of } => {
            let column = (0..matrix(of).rows).map(|row| format!("({})", short(matrix(of).at(row, j))));
            column.collect::<Vec<_>>().join(" + ")
        }
        &Made::Jaccard { both, a, b } => {
            let [both, a, b] = [both, a, b].map(|at| short_whole(matrix(at).at(0, 0)));
            format!("{both} ÷ ({a} + {b} − {both})")
        }
        &Made::Least { of, set } => {
            let (row, set) = (matrix(of).row(i), matrix(set).row(0));
            let chosen = row.iter().zip(set).filter(|(_, set)| **set == 1.0).map(|(rank, _)| short_whole(*rank));
            format!("the least of {}", chosen.collect::<Vec<_>>().join(", "))
        }
        &Made::Equal { a, b } => {
            let [a, b] = [a, b].map(|at| matrix(at).at(i, j));
            format!("{} {} {}", short_whole(a), if a == b { "equals" } else { "differs from" }, short_whole(b))
        }
        &Made::Band { of, rows } => {
            let band = matrix(of).values.get(i * rows..(i + 1) * rows).unwrap_or_default();
            let words: Vec<String> = band.iter().map(|&equal| short_whole(equal)).collect();
            format!("all of {}", words.join(", "))
        }
        &Made::Candidate { of, bands, rows } => {
            format!("1 − (1 − {}^{rows})^{bands}", decimals(matrix(of).at(i, j), 1))
        }
        &Made::Stepped { of, grad, lr } => {
            format!("{} − {lr} · ({})", short(matrix(of).at(i, j)), short(matrix(grad).at(i, j)))
        }
        Made::LossGradient { targets, .. } => {
            let (n, y) = (targets.len() as f32, if targets.get(i) == Some(&j) { 1.0 } else { 0.0 });
            format!("({} − {y}) ÷ {n}", short(n * shown.at(i, j) + y))
        }
        &Made::Mean { of } => {
            let column = &matrix(of).values;
            let sum = column.iter().map(|&x| short(x)).collect::<Vec<_>>().join(" + ");
            format!("({sum}) ÷ {}", column.len())
        }
        &Made::Slope { of, steepness } => format!("{} · {}", short(steepness), short(before(matrix(of), 1.0))),
        &Made::Moment { of, beta, squared } => {
            let (g, power) = (short(matrix(of).at(i, 0)), if squared { "²" } else { "" });
            format!("{beta} · {} + {} · ({g}){power}", short(before(shown, 0.0)), decimals(1.0 - beta, 2))
        }
        &Made::Adamw { m, v, lr, betas } => {
            let corrected = |at: usize, beta: f32| short(matrix(at).at(i, 0) / (1.0 - beta.powi(i as i32 + 1)));
            let (m, v) = (corrected(m, betas[0]), corrected(v, betas[1]));
            format!("{} − {lr} · ({m}) ÷ √{v}", short(before(shown, 1.0)))
        }
        &Made::Descent { of, lr } => {
            format!("{} − {lr} · ({})", short(before(shown, 1.0)), short(matrix(of).at(i, 0)))
        }
        &Made::Tiled { size, tile } => match j {
            0 => format!("2 · {size}³ ÷ 10⁹"),
            _ => format!("4 · (2 · {size}³ ÷ {tile} + {size}²) ÷ 10⁹"),
        },
        &Made::Ratio { of } => format!("{} ÷ {}", short(matrix(of).at(i, 0)), decimals(matrix(of).at(i, 1), 6)),
        &Made::Roofs { intensity, peaks } => match j {
            0 => "the cores' peak".into(),
            _ => format!("{} · {}", short(matrix(intensity).at(0, 0)), short(matrix(peaks).at(0, 1))),
        },
        &Made::LowerRoof { of } => {
            let values = matrix(of).row(i).iter().map(|&value| short(value));
            format!("the smaller one of {}", values.collect::<Vec<_>>().join(" and "))
        }
        &Made::Ring { of, rounds } => {
            let parts = ring_ranks(i, j, rounds).into_iter().map(|rank| short(matrix(of).at(rank, j)));
            parts.collect::<Vec<_>>().join(" + ")
        }
        &Made::Repeated { n, term } => format!("{n} times + {term}, rounded each time"),
        &Made::Rate { warmup } => format!("the schedule, with {warmup} steps of warm-up"),
        &Made::Counted { of } => format!("drawn with a probability of {}", short(matrix(of).at(0, j))),
        _ => return None,
    })
}

/// A number without decimals.
fn short_whole(value: f32) -> String {
    decimals(value, 0)
}

/// The ranks whose parts are in a chunk of a rank after some rounds of the ring, in the order in which they were added.
fn ring_ranks(rank: usize, chunk: usize, rounds: usize) -> Vec<usize> {
    let mut parts: Vec<Vec<Vec<usize>>> = (0..RANKS).map(|rank| vec![vec![rank]; RANKS]).collect();
    for round in 0..rounds.min(Collective::AllReduce.n_rounds(RANKS)) {
        let messages = (0..RANKS).map(|from| Collective::AllReduce.message(RANKS, round, from));
        let sent: Vec<_> = messages.map(|message| (message, parts[message.from][message.chunk].clone())).collect();
        for (message, ranks) in sent {
            let own = &mut parts[message.to][message.chunk];
            *own = if message.add { [ranks, own.clone()].concat() } else { ranks };
        }
    }
    parts.get(rank).and_then(|chunks| chunks.get(chunk)).cloned().unwrap_or_default()
}

fn softmax(row: &[f32], j: usize, stable: bool) -> String {
    let largest = if stable { row.iter().copied().fold(f32::NEG_INFINITY, f32::max) } else { 0.0 };
    let powers: Vec<f32> = row.iter().map(|x| (x - largest).exp()).collect();
    let shift = if stable { format!(" − ({})", short(largest)) } else { String::new() };
    format!("exp({}{shift}) ÷ Σ = {} ÷ {}", short(row[j]), short(powers[j]), short(powers.iter().sum()))
}

fn turned(pair: &[f32], position: usize, j: usize, degrees: f32) -> String {
    let angle = position as f32 * degrees;
    let (x0, x1) = (short(pair[0]), short(pair[1]));
    if j == 0 {
        format!("({x0}) · cos {angle}° − ({x1}) · sin {angle}°")
    } else {
        format!("({x0}) · sin {angle}° + ({x1}) · cos {angle}°")
    }
}

fn dot(pairs: impl Iterator<Item = (f32, f32)>) -> String {
    const MAX: usize = 6;
    let pairs: Vec<_> = pairs.collect();
    let bracketed = |x: f32| if x < 0.0 { format!("({})", decimals(x, 4)) } else { decimals(x, 4) };
    let shown = pairs.iter().take(MAX).map(|&(a, b)| format!("{}·{}", bracketed(a), bracketed(b)));
    let mut sum = shown.collect::<Vec<_>>().join(" + ");
    if pairs.len() > MAX {
        sum += &format!(" + … ({} products)", pairs.len());
    }
    sum
}
