//! The difference between two snapshots, head by head. Pure.

use super::Maps;
use crate::maps::Plane;
use glasshead::types::spelling::unspelled;

/// Why two maps cannot be compared cell by cell, if so.
pub fn obstacle(held: &Maps, shown: &Maps) -> Option<String> {
    let shape = |maps: &Maps| format!("{} layers of {} heads", maps.n_layers, maps.n_heads);
    if (held.n_layers, held.n_heads) != (shown.n_layers, shown.n_heads) {
        return Some(format!(
            "These moments cannot be compared: the held one is of a model of {}, the shown one of {}. Choose the same \
             preset for both.",
            shape(held),
            shape(shown)
        ));
    }
    if held.causal != shown.causal {
        return Some(
            "These moments cannot be compared: one is of a model with the causal mask, the other of one without it. Choose \
             the same mask for both."
                .into(),
        );
    }
    let words = |maps: &Maps| maps.tokens.iter().map(|token| token.text.clone()).collect::<Vec<_>>();
    let (a, b) = (words(held), words(shown));
    if a != b {
        let same_text = unspelled(&a.concat()) == unspelled(&b.concat());
        return Some(if same_text {
            format!(
                "These moments cannot be compared: the two vocabularies cut the sentence differently, into {} and {} \
                 tokens. Train both runs on the same text with the same vocab_size.",
                a.len(),
                b.len()
            )
        } else {
            "These moments cannot be compared: they are of different sentences. Write the held one's sentence above, \
             or hold another moment."
                .into()
        });
    }
    None
}

/// shown − held for one table (n, n), in weights; 0 where masked.
pub fn difference(held: &Maps, shown: &Maps, plane: Plane) -> Vec<f32> {
    let (held, shown) = (held.plane(plane), shown.plane(plane));
    let cells = held.iter().zip(&*shown);
    cells.map(|(&a, &b)| (f32::from(b) - f32::from(a)) / 255.0).collect()
}

/// The maximum |shown − held| of a table; at least one byte step, so that it is a safe divisor.
pub fn most(difference: &[f32]) -> f32 {
    difference.iter().fold(1.0 / 255.0, |most, value| most.max(value.abs()))
}

/// The mean of |shown − held| over a head's unmasked cells; 0 for an empty sentence.
pub fn mean_absolute(held: &Maps, shown: &Maps, head: (usize, usize)) -> f64 {
    let n = held.tokens.len();
    let plane = Plane::Head(head.0, head.1);
    let sum: f64 = difference(held, shown, plane).iter().map(|value| f64::from(value.abs())).sum();
    sum / (0..n).map(|query| held.keys(query)).sum::<usize>().max(1) as f64
}
