//! Model shapes by rule, so that one number, the size, describes a model.

use serde::{Deserialize, Serialize};

use crate::config::{ModelConfig, Preset, RunConfig};

/// Widths up to 64; wider models have 5/4, 6/4, 7/4 and 8/4 of each power of two.
const SMALL_WIDTHS: [usize; 10] = [8, 12, 16, 20, 24, 32, 40, 48, 56, 64];

/// The widest model of the ladder.
const MAX_WIDTH: usize = 8192;

/// Width of the residual stream per layer; wide, flat models and narrow, deep ones of one size have similar losses (Kaplan
/// et al. 2020, figure 5).
const WIDTH_PER_LAYER: usize = 40;

/// A single layer is clearly worse than two of the same size, which would bend the curves.
const MIN_LAYERS: usize = 2;

/// Vocabulary and context, which all models of a sweep share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// V.
    pub vocab_size: usize,
    /// T.
    pub context_length: usize,
}

impl Task {
    /// The configuration of the smallest model, to be validated before the ladder is computed.
    pub fn smallest(self, batch_size: usize) -> RunConfig {
        let mut config = Preset::Nano.config();
        config.model = ModelConfig::cs336([self.vocab_size, self.context_length], [SMALL_WIDTHS[0], 1, 1, 24]);
        config.train.batch_size = batch_size;
        config
    }
}

/// A model of the ladder.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// The sizes of the Transformer.
    pub model: ModelConfig,
    /// N: parameters, embeddings included.
    pub n_params: u64,
}

impl Shape {
    /// The shape of this width.
    pub fn of_width(d_model: usize, task: Task) -> Self {
        let n_layers = (d_model as f64 / WIDTH_PER_LAYER as f64).round() as usize;
        Self::of(d_model, n_layers.max(MIN_LAYERS), task)
    }

    /// The shape of this width and number of layers.
    pub fn of(d_model: usize, n_layers: usize, task: Task) -> Self {
        let n_heads = d_model / head_size(d_model);
        let d_ff = (8 * d_model).div_ceil(3).next_multiple_of(if d_model < 64 { 4 } else { 8 });
        let sizes = [d_model, n_layers, n_heads, d_ff];
        let model = ModelConfig::cs336([task.vocab_size, task.context_length], sizes);
        Self { n_params: model.n_params(), model }
    }

    /// All shapes, from the smallest on.
    pub fn ladder(task: Task) -> Vec<Self> {
        Self::widths().map(|d_model| Self::of_width(d_model, task)).collect()
    }

    /// The widths of the ladder.
    pub fn widths() -> impl Iterator<Item = usize> {
        let wide = (6..).map(|power| 1_usize << power).take_while(|&base| base < MAX_WIDTH);
        let wide = wide.flat_map(|base| (5..=8).map(move |quarters| base / 4 * quarters));
        SMALL_WIDTHS.into_iter().chain(wide)
    }
}

/// The largest power of two that divides the width, up to 16, 32 or 64: kernels read rows of these sizes at once.
fn head_size(d_model: usize) -> usize {
    let max = match d_model {
        ..=64 => 16,
        65..=256 => 32,
        _ => 64,
    };
    (1 << d_model.trailing_zeros()).min(max)
}

/// The shape whose size is nearest to `n`, in logarithms.
pub fn nearest(ladder: &[Shape], n: f64) -> Option<&Shape> {
    let distance = |shape: &Shape| (shape.n_params as f64 / n).ln().abs();
    ladder.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// `count` different shapes around `center`, each about `ratio` times larger than the last; from the smallest on.
pub fn around(ladder: &[Shape], center: f64, count: usize, ratio: f64) -> Vec<Shape> {
    let middle = (count.max(1) - 1) as f64 / 2.0;
    // Near the bottom of the ladder all sizes move up, so that their number is kept.
    let smallest = ladder.first().map_or(1.0, |shape| shape.n_params as f64);
    let start = (center / ratio.powf(middle)).max(smallest);
    let mut chosen: Vec<usize> = Vec::new();
    for i in 0..count {
        let target = start * ratio.powi(i as i32);
        let distance = |at: usize| (ladder[at].n_params as f64 / target).ln().abs();
        let free = chosen.last().map_or(0, |last| last + 1)..ladder.len();
        chosen.extend(free.min_by(|&a, &b| distance(a).total_cmp(&distance(b))));
    }
    chosen.into_iter().map(|at| ladder[at].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_ascends_in_steps_and_every_shape_is_valid() {
        let ladder = Shape::ladder(Task { vocab_size: 257, context_length: 64 });
        for pair in ladder.windows(2) {
            let ratio = pair[1].n_params as f64 / pair[0].n_params as f64;
            assert!(ratio > 1.0 && ratio < 2.2, "{ratio} after {}", pair[0].n_params);
        }
        for Shape { model, .. } in &ladder {
            model.validate().unwrap();
            assert!(model.n_layers >= 2 && model.d_head() % 2 == 0 && model.d_head() <= 64, "{model:?}");
        }
        assert!(ladder[0].n_params < 6_000 && ladder.last().unwrap().n_params > 10_000_000_000);
    }

    #[test]
    fn sizes_around_a_center_are_different_and_near_their_targets() {
        let ladder = Shape::ladder(Task { vocab_size: 257, context_length: 64 });
        let sizes =
            |center| -> Vec<u64> { around(&ladder, center, 5, 1.8).iter().map(|shape| shape.n_params).collect() };
        let found = sizes(40_000.0);
        assert!(found.windows(2).all(|pair| pair[0] < pair[1]) && found.len() == 5, "{found:?}");
        assert!(found[0] < 20_000 && found[4] > 100_000, "{found:?}");
        // There is nothing below the smallest shape.
        let lowest = sizes(1_000.0);
        assert_eq!((lowest.len(), lowest[0]), (5, ladder[0].n_params));
    }
}
