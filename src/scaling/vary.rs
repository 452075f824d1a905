//! The runs of sweeps that vary something else than the size, at one size per budget.

use super::request::Request;
use super::shape::{Shape, Task, nearest};
use super::spec::{RunSettings, SweepRun};
use super::variable::Variable;

/// Numbers of layers that are tried.
const DEPTHS: [usize; 10] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];

/// Vocabulary sizes that are tried; the smallest are the bytes and the end-of-text token.
const VOCABULARIES: [usize; 8] = [257, 384, 512, 768, 1024, 1536, 2048, 4096];

/// Maximum batch size, in sequences.
const MAX_BATCH: usize = 4096;

/// The runs of a budget: one size per budget, and several values of the variable, for each seed.
pub(super) fn runs(
    variable: Variable,
    request: &Request,
    settings: &RunSettings,
    ladder: &[Shape],
    (c, n): (f64, f64),
) -> Vec<SweepRun> {
    let Some(base) = nearest(ladder, n) else { return Vec::new() };
    let middle = (request.n_sizes - 1) as f64 / 2.0;
    let factors = (0..request.n_sizes).map(|i| request.size_ratio.powf(i as f64 - middle));
    let runs_of = |seed: u64| -> Vec<SweepRun> {
        match variable {
            Variable::Size => Vec::new(),
            Variable::LearningRate => factors.clone().map(|factor| with_lr(base, c, settings, seed, factor)).collect(),
            Variable::BatchSize => {
                batches(request, settings).into_iter().map(|b| with_batch(base, c, settings, seed, b)).collect()
            }
            Variable::Depth => depths(request, base).iter().map(|shape| with_shape(shape, c, settings, seed)).collect(),
            Variable::Vocabulary => {
                let sizes = VOCABULARIES.iter().take(request.n_sizes);
                sizes.map(|&size| with_vocabulary(request, base, c, settings, seed, size)).collect()
            }
            Variable::Epochs => (0..request.n_sizes).map(|i| repeated(base, c, settings, seed, 1 << i)).collect(),
        }
    };
    request.seeds.iter().flat_map(|&seed| runs_of(seed)).collect()
}

fn named(mut run: SweepRun, value: f64, what: &str) -> SweepRun {
    let c = run.horizons.first().map_or(0.0, |horizon| horizon.budget);
    run.id = format!("c{c:.1e}-{what}-s{}", run.config.train.seed);
    run.point = Some([c, value]);
    run
}

fn with_lr(shape: &Shape, c: f64, settings: &RunSettings, seed: u64, factor: f64) -> SweepRun {
    let mut run = SweepRun::new(shape, &[c], settings, seed);
    let train = &mut run.config.train;
    (train.max_lr, train.min_lr) = (train.max_lr * factor, train.min_lr * factor);
    let lr = train.max_lr;
    named(run, lr, &format!("lr{lr:.2e}"))
}

/// Powers of two around the batch size of the settings.
fn batches(request: &Request, settings: &RunSettings) -> Vec<usize> {
    let middle = (request.n_sizes - 1) / 2;
    let smallest = (settings.train.batch_size >> middle).max(1);
    (0..request.n_sizes).map(|i| (smallest << i).min(MAX_BATCH)).collect()
}

fn with_batch(shape: &Shape, c: f64, settings: &RunSettings, seed: u64, batch_size: usize) -> SweepRun {
    let mut of_batch = settings.clone();
    let factor = (batch_size as f64 / settings.train.batch_size as f64).sqrt();
    of_batch.train.batch_size = batch_size;
    of_batch.train.lr.lr *= factor;
    named(SweepRun::new(shape, &[c], &of_batch, seed), batch_size as f64, &format!("b{batch_size}"))
}

/// Shapes of different depth with about as many parameters as `base`.
fn depths(request: &Request, base: &Shape) -> Vec<Shape> {
    let task = request.task;
    let of = |n_layers: usize| {
        let shapes: Vec<Shape> = Shape::widths().map(|width| Shape::of(width, n_layers, task)).collect();
        nearest(&shapes, base.n_params as f64).cloned()
    };
    DEPTHS.into_iter().take(request.n_sizes).filter_map(of).collect()
}

fn with_shape(shape: &Shape, c: f64, settings: &RunSettings, seed: u64) -> SweepRun {
    let n_layers = shape.model.n_layers;
    named(SweepRun::new(shape, &[c], settings, seed), n_layers as f64, &format!("l{n_layers}"))
}

fn with_vocabulary(
    request: &Request,
    base: &Shape,
    c: f64,
    settings: &RunSettings,
    seed: u64,
    vocab_size: usize,
) -> SweepRun {
    let task = Task { vocab_size, ..request.task };
    let shape = Shape::of(base.model.d_model, base.model.n_layers, task);
    named(SweepRun::new(&shape, &[c], settings, seed), vocab_size as f64, &format!("v{vocab_size}"))
}

fn repeated(shape: &Shape, c: f64, settings: &RunSettings, seed: u64, epochs: u64) -> SweepRun {
    let mut run = SweepRun::new(shape, &[c], settings, seed);
    run.unique_tokens = Some(run.tokens(run.total_steps()).div_ceil(epochs));
    named(run, epochs as f64, &format!("e{epochs}"))
}
