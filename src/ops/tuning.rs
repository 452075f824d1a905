//! Which variants of kernels a device uses: those that it can run, that agree with the reference on this very device, and
//! that are faster there than what they replace.

use super::matmul::{self, Layout, Shape};
use crate::gpu::backend::{Backend, ExecuteError};
use crate::gpu::compare::SideBySide;
use crate::gpu::context::Context;
use crate::gpu::recording::{Buffers, Recording, Slice};
use crate::gpu::variant::Variant;
use crate::rng::Rng;

/// Small and awkward: one of everything, an edge in every direction, several tiles.
const GATE: [Shape; 4] = [
    Shape { m: 4, n: 4, k: 4 },
    Shape { m: 36, n: 68, k: 12 },
    Shape { m: 32, n: 64, k: 32 },
    Shape { m: 100, n: 132, k: 260 },
];

/// What a training step multiplies, made small enough to take no time.
const MEASURED: Shape = Shape { m: 256, n: 128, k: 128 };

/// Chooses the variants of this device, and returns a sentence for each that it can run but computes wrongly.
///
/// # Errors
/// When the device was lost.
pub async fn tune(context: &Context) -> Result<Vec<String>, ExecuteError> {
    tune_among(context, &matmul::VARIANTS).await
}

/// As [`tune`], among these variants of matrix products.
///
/// # Errors
/// As [`tune`].
pub async fn tune_among(
    context: &Context,
    variants: &[(Layout, &'static Variant)],
) -> Result<Vec<String>, ExecuteError> {
    let mut sentences = Vec::new();
    for &(layout, variant) in variants {
        if variant.subgroup_size > context.subgroup_size || context.uses(variant) {
            continue;
        }
        match disagreement(context, layout, variant).await {
            Ok(None) if is_faster(context, layout, variant).await? => context.use_variant(variant),
            Ok(None) => (),
            Ok(Some(difference)) => sentences.push(format!(
                "this device computes {} wrongly ({difference}); {} is used instead",
                variant.kernel.name, variant.of.name
            )),
            Err(ExecuteError::Refused(detail)) => sentences.push(format!(
                "this device refuses {} ({detail}); {} is used instead",
                variant.kernel.name, variant.of.name
            )),
            Err(error) => return Err(error),
        }
    }
    Ok(sentences)
}

/// The first difference between a variant on this device and its CPU twin, if there is one.
async fn disagreement(
    context: &Context,
    layout: Layout,
    variant: &'static Variant,
) -> Result<Option<String>, ExecuteError> {
    for shape in GATE {
        let (buffers, slices) = operands(shape);
        let mut recording = Recording::new("gate");
        for accumulate in [false, true] {
            matmul::matmul_variant(&mut recording, layout, variant, slices, shape, accumulate);
        }
        let mut sides = SideBySide::new(context, &buffers).await?;
        for (seed, slice) in (1..).zip(slices) {
            sides.write(slice, bytemuck::cast_slice(&numbers(seed, slice.len)));
        }
        let tolerance = 4e-6 * (1.0 + (shape.k as f32).sqrt());
        if let Some(difference) = sides.first_difference(&recording, tolerance).await? {
            return Ok(Some(difference.to_string()));
        }
    }
    Ok(None)
}

/// Whether a variant beats what it replaces. Where nothing can be timed, it is taken at its word.
async fn is_faster(context: &Context, layout: Layout, variant: &'static Variant) -> Result<bool, ExecuteError> {
    let (buffers, slices) = operands(MEASURED);
    let mut recording = Recording::new("tuning");
    for _ in 0..3 {
        matmul::matmul_variant(&mut recording, layout, variant, slices, MEASURED, false);
        matmul::matmul(&mut recording, layout, slices, MEASURED, false);
    }
    let mut backend = Backend::gpu(context, &buffers).await?;
    let program = backend.prepare(recording);
    // The first run loads code and data.
    match backend.profile(program).await {
        Err(ExecuteError::Refused(_)) => return Ok(true),
        other => drop(other?),
    }
    let timings = backend.profile(program).await?;
    let best = |name| {
        timings.iter().filter(|timing| timing.kernel == name).map(|timing| timing.ns).fold(f64::INFINITY, f64::min)
    };
    Ok(best(variant.kernel.name) < best(variant.of.name))
}

fn operands(shape: Shape) -> (Buffers, [Slice; 3]) {
    let mut buffers = Buffers::default();
    let Shape { m, n, k } = shape;
    let slices = [("a", m * k), ("b", n * k), ("y", m * n)].map(|(name, len)| buffers.add(name, len));
    (buffers, slices)
}

/// Numbers in −1 … 1.
fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..len).map(|_| (2.0 * rng.uniform() - 1.0) as f32).collect()
}
