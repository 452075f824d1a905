//! Which variants of kernels a device uses: those that it can run, that agree with the reference on this very device, and
//! that are faster there than what they replace.

use super::linear_grad::{self, linear_grad};
use super::matmul::{self, Layout, Shape, matmul};
use super::{cross_entropy, flash_attention, rmsnorm};
use crate::gpu::backend::{Backend, ExecuteError};
use crate::gpu::clock::now_ns;
use crate::gpu::compare::SideBySide;
use crate::gpu::context::Context;
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Buffers, Recording, Slice};
use crate::gpu::variant::Variant;
use crate::rng::Rng;

/// Variants of one kernel, and what they are tried on.
pub struct Candidates {
    /// What they stand in for.
    pub of: &'static Kernel,
    /// They.
    pub variants: &'static [&'static Variant],
    /// Small and awkward: what each has to compute correctly before it may be used.
    pub gate: fn() -> Vec<Trial>,
    /// What a training step computes, made small enough to take no time.
    pub measured: fn() -> Trial,
}

/// A recording of the kernel that variants stand in for, and its inputs.
pub struct Trial {
    buffers: Buffers,
    recording: Recording,
    inputs: Vec<Slice>,
    /// Rounding grows with the root of the number of terms.
    tolerance: f32,
}

/// All that there are.
pub static CANDIDATES: [Candidates; 9] = [
    Candidates {
        of: &matmul::MATMUL_NT_VEC4,
        variants: &[&matmul::NT_LANES, &matmul::NT_FOUR_LANES, &matmul::NT_GROUP],
        gate: || GATE.into_iter().map(|shape| product(shape, true)).collect(),
        measured: || product(MEASURED, false),
    },
    Candidates {
        of: &linear_grad::LINEAR_GRAD_VEC4,
        variants: &[&linear_grad::GRAD_LANES, &linear_grad::GRAD_FOUR_LANES, &linear_grad::GRAD_GROUP],
        gate: || GATE.into_iter().map(|shape| gradients(shape, true)).collect(),
        measured: || gradients(MEASURED, false),
    },
    Candidates {
        of: &flash_attention::FLASH_ATTENTION_16,
        variants: &[&flash_attention::LANES[0][0], &flash_attention::LANES[0][1]],
        gate: || vec![attention(13, 12, 0), attention(70, 16, 1)],
        measured: || attention(64, 16, 1),
    },
    Candidates {
        of: &flash_attention::FLASH_ATTENTION_GRAD_16,
        variants: &[&flash_attention::LANES[1][0], &flash_attention::LANES[1][1]],
        gate: || vec![attention_grad(13, 12, 0), attention_grad(70, 16, 1)],
        measured: || attention_grad(64, 16, 1),
    },
    Candidates {
        of: &flash_attention::FLASH_ATTENTION_32,
        variants: &[&flash_attention::LANES[2][0], &flash_attention::LANES[2][1]],
        gate: || vec![attention(13, 20, 0), attention(70, 32, 1)],
        measured: || attention(64, 32, 1),
    },
    Candidates {
        of: &flash_attention::FLASH_ATTENTION_GRAD_32,
        variants: &[&flash_attention::LANES[3][0], &flash_attention::LANES[3][1]],
        gate: || vec![attention_grad(13, 20, 0), attention_grad(70, 32, 1)],
        measured: || attention_grad(64, 32, 1),
    },
    Candidates {
        of: &rmsnorm::RMSNORM,
        variants: &[&rmsnorm::LANES[0], &rmsnorm::LANES[1]],
        gate: || vec![norm(3, 7), norm(5, 130)],
        measured: || norm(64, 128),
    },
    Candidates {
        of: &rmsnorm::RMSNORM_GRAD,
        variants: &[&rmsnorm::GRAD_LANES[0], &rmsnorm::GRAD_LANES[1]],
        gate: || vec![norm_grad(3, 7), norm_grad(70, 130)],
        measured: || norm_grad(64, 128),
    },
    Candidates {
        of: &cross_entropy::CROSS_ENTROPY_GRAD,
        variants: &[&cross_entropy::GRAD_LANES[0], &cross_entropy::GRAD_LANES[1]],
        gate: || vec![loss(3, 7), loss(5, 130)],
        measured: || loss(64, 128),
    },
];

/// How long it may take until the last kernel is timed. Whatever comes later takes its first variant that is right: they
/// are all made for the kind of device on which they are tried.
const MEASURING_NS: f64 = 1e9;

/// One of everything, an edge in every direction, several tiles.
const GATE: [Shape; 4] = [
    Shape { m: 4, n: 4, k: 4 },
    Shape { m: 36, n: 68, k: 12 },
    Shape { m: 32, n: 64, k: 32 },
    Shape { m: 100, n: 132, k: 260 },
];

const MEASURED: Shape = Shape { m: 256, n: 128, k: 128 };

fn product(shape: Shape, onto: bool) -> Trial {
    let Shape { m, n, k } = shape;
    let mut trial = Trial::new("product", k);
    let [a, b, base, y] = [m * k, n * k, m * n, m * n].map(|len| trial.input(len));
    matmul(&mut trial.recording, Layout::Nt, [a, b, y], shape, None);
    if onto {
        matmul(&mut trial.recording, Layout::Nt, [a, b, y], shape, Some(base));
    }
    trial
}

fn gradients(Shape { m, n, k }: Shape, accumulate: bool) -> Trial {
    let mut trial = Trial::new("gradients", m.max(k));
    let bindings = [m * n, k * n, m * k, m * n, k * n].map(|len| trial.input(len));
    linear_grad(&mut trial.recording, bindings, m, accumulate);
    trial
}

/// Attention of two sequences in four heads, two of which share a head of keys and values.
fn attention(positions: usize, d_head: usize, causal: u32) -> Trial {
    let mut trial = Trial::new("attention", positions.max(d_head));
    let params = flash_attention::Params { causal, ..flash_attention::Params::new(positions, 4, 2, d_head) };
    let [qkv, out] = [8, 4].map(|heads| trial.input(2 * positions * heads * d_head));
    let lse = trial.input(2 * positions * 4);
    flash_attention::flash_attention(&mut trial.recording, [qkv, out, lse], 2, params);
    trial
}

fn attention_grad(positions: usize, d_head: usize, rotated: u32) -> Trial {
    let mut trial = Trial::new("gradient of attention", positions.max(d_head));
    let causal = rotated;
    let params = flash_attention::Params { causal, rotated, ..flash_attention::Params::new(positions, 4, 2, d_head) };
    let [qkv, out, out_grad] = [8, 4, 4].map(|heads| trial.input(2 * positions * heads * d_head));
    let [lse, cos_sin] = [2 * positions * 4, positions * d_head].map(|len| trial.input(len));
    let qkv_grad = trial.input(qkv.len);
    let bindings = [qkv, out, out_grad, lse, cos_sin, qkv_grad];
    flash_attention::flash_attention_grad(&mut trial.recording, bindings, 2, params);
    trial
}

fn norm_params(n_rows: usize, d_model: usize) -> rmsnorm::Params {
    rmsnorm::Params { n_rows: n_rows as u32, d_model: d_model as u32, eps: rmsnorm::EPS, accumulate: 1 }
}

fn norm(n: usize, c: usize) -> Trial {
    let mut trial = Trial::new("norm", c);
    let bindings = [n * c, c, n * c, n].map(|len| trial.input(len));
    rmsnorm::rmsnorm(&mut trial.recording, bindings, norm_params(n, c));
    trial
}

fn norm_grad(n: usize, c: usize) -> Trial {
    let mut trial = Trial::new("gradient of the norm", n.max(c));
    let bindings = [n * c, c, n * c, n, n * c, c].map(|len| trial.input(len));
    rmsnorm::rmsnorm_grad(&mut trial.recording, bindings, norm_params(n, c));
    trial
}

/// All targets are token 0.
fn loss(n: usize, v: usize) -> Trial {
    let mut trial = Trial::new("loss", v);
    let logits = trial.input(n * v);
    let targets = trial.buffers.add("targets", n);
    let losses = trial.input(n);
    let params = cross_entropy::Params { n_rows: n as u32, vocab_size: v as u32 };
    cross_entropy::cross_entropy_grad(&mut trial.recording, [logits, targets, losses], params);
    trial
}

/// Chooses the variants of this device for the kernels of a recording that it has not chosen for yet, and returns a
/// sentence for each that it can run but computes wrongly. Without any for kernels that nobody uses, because to compile
/// one can take seconds. What a person has told, or what was measured on this device earlier, is taken without another
/// measurement, though not without comparison with the reference.
///
/// # Errors
/// When the device was lost.
pub async fn tune(context: &Context, recording: &Recording) -> Result<Vec<String>, ExecuteError> {
    let (mut sentences, began) = (Vec::new(), now_ns());
    for candidates in &CANDIDATES {
        let used = recording.dispatches.iter().any(|dispatch| dispatch.kernel.name == candidates.of.name);
        if used && context.choose_for(candidates.of) {
            sentences.extend(recall_or_choose(context, candidates, now_ns() - began < MEASURING_NS).await?);
        }
    }
    Ok(sentences)
}

/// Has the device compile what a recording needs, but for the kernels whose variants may run in their place: these are
/// compiled with the choice.
pub fn compile(context: &Context, recording: &Recording) {
    let may_be_replaced = |kernel: &Kernel| {
        let of = CANDIDATES.iter().find(|candidates| candidates.of.name == kernel.name);
        let tried = of.is_some_and(|of| of.variants.iter().any(|variant| worth_trying(context, variant)));
        tried && context.known.borrow().get(kernel.name) != Some(kernel.name)
    };
    context.compile(recording, |kernel| !may_be_replaced(kernel));
}

async fn recall_or_choose(
    context: &Context,
    candidates: &Candidates,
    measure: bool,
) -> Result<Vec<String>, ExecuteError> {
    let of = candidates.of.name;
    let told = context.told.borrow().get(of).map(str::to_string);
    let known = told.clone().or_else(|| context.known.borrow().get(of).map(str::to_string));
    let sentences = match known {
        Some(name) if name == of => return Ok(Vec::new()),
        Some(name) => match candidates.variants.iter().find(|variant| variant.kernel.name == name) {
            Some(&variant) if context.can_run(variant) => adopt(context, candidates, variant).await?,
            _ if told.is_some() => {
                vec![format!("this device cannot run {name} in place of {of}; {of} is used instead")]
            }
            _ => choose_by(context, candidates, measure).await?,
        },
        None => choose_by(context, candidates, measure).await?,
    };
    if told.is_none() {
        let used = candidates.variants.iter().find(|variant| context.uses(variant));
        context.known.borrow_mut().set(of, used.map_or(of, |variant| variant.kernel.name));
    }
    Ok(sentences)
}

/// The names of kernels that have variants, each with those of its variants.
pub fn names() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    CANDIDATES.iter().map(|of| (of.of.name, of.variants.iter().map(|variant| variant.kernel.name).collect()))
}

/// Chooses among variants of one kernel, as [`tune`] does.
///
/// # Errors
/// As [`tune`].
pub async fn choose(context: &Context, candidates: &Candidates) -> Result<Vec<String>, ExecuteError> {
    choose_by(context, candidates, true).await
}

/// As [`choose`]; without a measurement the first one that is right is taken.
async fn choose_by(context: &Context, candidates: &Candidates, measure: bool) -> Result<Vec<String>, ExecuteError> {
    let (mut sentences, mut right) = (Vec::new(), Vec::new());
    for &variant in candidates.variants.iter().filter(|variant| worth_trying(context, variant)) {
        match problem(context, candidates, variant).await? {
            None => right.push(variant),
            Some(sentence) => sentences.push(sentence),
        }
    }
    let best = match measure {
        true => fastest(context, candidates.measured, &right).await?,
        false => right.first().copied(),
    };
    if let Some(variant) = best {
        context.use_variant(variant);
    }
    Ok(sentences)
}

/// Uses a variant, unless it computes wrongly; then a sentence says so.
async fn adopt(
    context: &Context,
    candidates: &Candidates,
    variant: &'static Variant,
) -> Result<Vec<String>, ExecuteError> {
    let problem = problem(context, candidates, variant).await?;
    if problem.is_none() {
        context.use_variant(variant);
    }
    Ok(problem.into_iter().collect())
}

/// Why a variant cannot be used on this device, if it cannot.
async fn problem(
    context: &Context,
    candidates: &Candidates,
    variant: &'static Variant,
) -> Result<Option<String>, ExecuteError> {
    let (wrong, original) = (variant.kernel.name, variant.of.name);
    match disagreement(context, (candidates.gate)(), variant).await {
        Ok(None) => Ok(None),
        Ok(Some(difference)) => {
            Ok(Some(format!("this device computes {wrong} wrongly ({difference}); {original} is used instead")))
        }
        Err(ExecuteError::Refused(detail)) => {
            Ok(Some(format!("this device refuses {wrong} ({detail}); {original} is used instead")))
        }
        Err(error) => Err(error),
    }
}

/// Whether a device can run a variant, and is of the kind that it is made for: hardware, or a CPU that emulates a GPU with
/// subgroups of just this size.
fn worth_trying(context: &Context, variant: &Variant) -> bool {
    let software = context.adapter.software;
    let made_for_it = match variant.subgroup_size {
        0 => !(variant.hardware && software),
        size => software && size == context.subgroup_size,
    };
    context.can_run(variant) && made_for_it
}

/// The first difference between a variant on this device and its CPU twin, if there is one.
async fn disagreement(
    context: &Context,
    gate: Vec<Trial>,
    variant: &'static Variant,
) -> Result<Option<String>, ExecuteError> {
    for mut trial in gate {
        variant.stand_in(&mut trial.recording);
        let mut sides = SideBySide::new(context, &trial.buffers).await?;
        for (seed, &slice) in (1..).zip(&trial.inputs) {
            sides.write(slice, bytemuck::cast_slice(&numbers(seed, slice.len)));
        }
        if let Some(difference) = sides.first_difference(&trial.recording, trial.tolerance).await? {
            return Ok(Some(difference.to_string()));
        }
    }
    Ok(None)
}

/// The fastest of some variants, if it beats what they replace. Where nothing can be timed, the first is taken.
async fn fastest(
    context: &Context,
    measured: fn() -> Trial,
    variants: &[&'static Variant],
) -> Result<Option<&'static Variant>, ExecuteError> {
    if variants.is_empty() {
        return Ok(None);
    }
    let mut best = time(context, measured()).await?.map(|ns| (ns, None));
    for &variant in variants {
        let mut trial = measured();
        variant.stand_in(&mut trial.recording);
        let Some(ns) = time(context, trial).await? else { return Ok(Some(variant)) };
        if best.is_none_or(|(least, _)| ns < least) {
            best = Some((ns, Some(variant)));
        }
    }
    Ok(best.and_then(|(_, variant)| variant))
}

/// Nanoseconds of a trial, the best of three; none where nothing can be timed.
async fn time(context: &Context, trial: Trial) -> Result<Option<f64>, ExecuteError> {
    let mut backend = Backend::gpu(context, &trial.buffers).await?;
    let program = backend.prepare(trial.recording);
    let mut best = f64::INFINITY;
    // The first run loads code and data.
    for _ in 0..4 {
        match backend.profile(program).await {
            Err(ExecuteError::Refused(_)) => return Ok(None),
            timings => best = best.min(timings?.iter().map(|timing| timing.ns).sum()),
        }
    }
    Ok(Some(best))
}

impl Trial {
    fn new(name: &'static str, terms: usize) -> Self {
        let tolerance = 4e-6 * (1.0 + (terms as f32).sqrt());
        Self { buffers: Buffers::default(), recording: Recording::new(name), inputs: Vec::new(), tolerance }
    }

    fn input(&mut self, len: usize) -> Slice {
        let slice = self.buffers.add("trial", len);
        self.inputs.push(slice);
        slice
    }
}

/// Numbers in −1 … 1.
fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..len).map(|_| (2.0 * rng.uniform() - 1.0) as f32).collect()
}
