//! Selects the kernel variants that a device uses: those that it can run, that agree with the reference on this very
//! device, and that are faster there than the kernels they replace.

use std::hash::Hasher;

use super::cost::costs;
use super::{KERNELS, matmul};
use crate::gpu::backend::{Backend, ExecuteError};
use crate::gpu::clock::now_ns;
use crate::gpu::compare::SideBySide;
use crate::gpu::context::Context;
use crate::gpu::kernel::{Halves, Kernel};
use crate::gpu::recording::{Buffers, Recording};
use crate::gpu::variant::Variant;
use crate::rng::Rng;

mod candidates;
mod forced;
mod timing;
mod trials;

pub use self::candidates::{CANDIDATES, Candidates, Class};
pub use self::forced::force;
pub use self::trials::Trial;

fn few_rows(params: &[u8]) -> bool {
    let params: matmul::Params = bytemuck::pod_read_unaligned(params);
    params.m <= matmul::FEW_ROWS
}

/// Time limit for all measurements, without compilation. Kernels after it take their first correct variant: all are made
/// for the kind of device on which they are tried.
const MEASURING_NS: f64 = 1e9;

/// Operations of one timed run: some milliseconds on either kind of device.
const MAX_FLOPS_ON_SOFTWARE: f64 = 1e7;
const MAX_FLOPS_ON_HARDWARE: f64 = 2e9;

/// Chooses the variants of this device for the kernels of a recording that have no choice yet, and returns a message for
/// each variant that the device runs but computes wrongly. Kernels that are not used are skipped, because compiling one
/// can take seconds. Overrides by the user and earlier measurements on this device are used without measuring again, but
/// are still compared with the reference.
///
/// # Errors
/// When the device was lost.
pub async fn tune(context: &Context, recording: &Recording) -> Result<Vec<String>, ExecuteError> {
    let (mut sentences, mut measuring_ns) = (Vec::new(), 0.0);
    for (candidates, class) in classes() {
        if let Some(params) = largest(recording, candidates, class)
            && context.choose_for(class.key)
        {
            let trial = (measuring_ns < MEASURING_NS).then_some((params, &mut measuring_ns));
            sentences.extend(recall_or_choose(context, candidates, class, trial).await?);
        }
    }
    // A variant that is wrong is reported once, even if its kernel has several classes.
    sentences.dedup();
    Ok(sentences)
}

/// The parameters of the dispatch with the most operations in a class, if there is one.
fn largest<'r>(recording: &'r Recording, candidates: &Candidates, class: &Class) -> Option<&'r [u8]> {
    let costs = costs(recording);
    let of_class = (0..recording.dispatches.len()).filter(|&index| {
        recording.dispatches[index].kernel.name == candidates.of.name && (class.holds)(recording.params(index))
    });
    let index = of_class.max_by(|&a, &b| costs[a].flops.total_cmp(&costs[b].flops))?;
    Some(recording.params(index))
}

/// The key under which choices of a device are stored: valid for one version of device, driver, browser and shaders.
pub fn memory_key(context: &Context) -> String {
    let mut hasher = rustc_hash::FxHasher::default();
    KERNELS.iter().for_each(|kernel| hasher.write(kernel.source(Halves::default()).as_bytes()));
    format!("{} / {:016x}", context.device_name(), hasher.finish())
}

/// Parameters to time with, and the time spent on timing so far; `None` where nothing is timed.
type Measuring<'m> = Option<(&'m [u8], &'m mut f64)>;

fn classes() -> impl Iterator<Item = (&'static Candidates, &'static Class)> {
    CANDIDATES.iter().flat_map(|candidates| candidates.classes.iter().map(move |class| (candidates, class)))
}

/// Starts compiling the pipelines of a recording, except for kernels that variants may replace: these are compiled when
/// the variant is chosen.
pub fn compile(context: &Context, buffers: &Buffers, recording: &Recording) {
    let may_be_replaced = |kernel: &Kernel| {
        let of = CANDIDATES.iter().find(|candidates| candidates.of.name == kernel.name);
        let tried = of.is_some_and(|of| of.variants.iter().any(|variant| worth_trying(context, variant)));
        let known = context.known.borrow();
        tried && of.is_some_and(|of| of.classes.iter().any(|class| known.get(class.key) != Some(kernel.name)))
    };
    context.compile(buffers, recording, |kernel| !may_be_replaced(kernel));
}

/// The user's override for a class: its own, else that of the kernel.
fn told(context: &Context, candidates: &Candidates, class: &Class) -> Option<String> {
    let told = context.told.borrow();
    told.get(class.key).or_else(|| told.get(candidates.of.name)).map(str::to_string)
}

async fn recall_or_choose(
    context: &Context,
    candidates: &Candidates,
    class: &Class,
    measuring: Measuring<'_>,
) -> Result<Vec<String>, ExecuteError> {
    let of = candidates.of.name;
    let told = told(context, candidates, class);
    let known = told.clone().or_else(|| context.known.borrow().get(class.key).map(str::to_string));
    let sentences = match known {
        Some(name) if name == of => return Ok(Vec::new()),
        Some(name) => match candidates.variants.iter().find(|variant| variant.kernel.name == name) {
            Some(&variant) if context.can_run(variant) => adopt(context, candidates, class, variant).await?,
            _ if told.is_some() => {
                vec![format!("this device cannot run {name} in place of {of}; {of} is used instead")]
            }
            _ => choose_by(context, candidates, class, measuring).await?,
        },
        None => choose_by(context, candidates, class, measuring).await?,
    };
    if told.is_none() {
        let used = candidates.variants.iter().find(|variant| context.uses(variant, class.key));
        context.known.borrow_mut().set(class.key, used.map_or(of, |variant| variant.kernel.name));
    }
    Ok(sentences)
}

/// Every name that can be overridden, with the kernels that may run for it; the first is the default.
pub fn names() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    classes().map(|(of, class)| {
        let variants = of.variants.iter().map(|variant| variant.kernel.name);
        (class.key, std::iter::once(of.of.name).chain(variants).collect())
    })
}

/// Chooses among the variants of one kernel for all classes of shapes, without timing them.
///
/// # Errors
/// As [`tune`].
pub async fn choose(context: &Context, candidates: &Candidates) -> Result<Vec<String>, ExecuteError> {
    let mut sentences = Vec::new();
    for class in candidates.classes {
        sentences.extend(choose_by(context, candidates, class, None).await?);
    }
    sentences.dedup();
    Ok(sentences)
}

/// As [`choose`] for one class; without a measurement, takes the first correct variant.
async fn choose_by(
    context: &Context,
    candidates: &Candidates,
    class: &Class,
    measuring: Measuring<'_>,
) -> Result<Vec<String>, ExecuteError> {
    let (mut sentences, mut right) = (Vec::new(), Vec::new());
    for &variant in candidates.variants.iter().filter(|variant| worth_trying(context, variant)) {
        match problem(context, candidates, variant).await? {
            None => right.push(variant),
            Some(sentence) => sentences.push(sentence),
        }
    }
    let best = match measuring {
        Some((params, spent_ns)) => fastest(context, class.measured, params, &right, spent_ns).await?,
        None => right.first().copied(),
    };
    if let Some(variant) = best {
        context.use_variant(variant, class.key, class.holds);
    }
    Ok(sentences)
}

/// Uses a variant, unless it computes wrongly; then returns a message.
async fn adopt(
    context: &Context,
    candidates: &Candidates,
    class: &Class,
    variant: &'static Variant,
) -> Result<Vec<String>, ExecuteError> {
    let problem = problem(context, candidates, variant).await?;
    if problem.is_none() {
        context.use_variant(variant, class.key, class.holds);
    }
    Ok(problem.into_iter().collect())
}

/// Runs all trials of a kernel, or of one of its variants, on the device; returns the first difference from the CPU.
///
/// # Errors
/// When the device was lost, or cannot run the kernel.
pub async fn difference(
    context: &Context,
    candidates: &Candidates,
    variant: Option<&'static Variant>,
) -> Result<Option<String>, ExecuteError> {
    disagreement(context, (candidates.gate)(), variant).await
}

/// Why a variant cannot be used on this device, if so. Variants are compared once per device, whatever the number of classes.
async fn problem(
    context: &Context,
    candidates: &Candidates,
    variant: &'static Variant,
) -> Result<Option<String>, ExecuteError> {
    let (name, original) = (variant.kernel.name, variant.of.name);
    if let Some(known) = context.compared.borrow().get(name) {
        return Ok(known.clone());
    }
    let problem = match difference(context, candidates, Some(variant)).await {
        Ok(None) => None,
        Ok(Some(difference)) => {
            Some(format!("this device computes {name} wrongly ({difference}); {original} is used instead"))
        }
        Err(ExecuteError::Refused(detail)) => {
            Some(format!("this device refuses {name} ({detail}); {original} is used instead"))
        }
        Err(error) => return Err(error),
    };
    context.compared.borrow_mut().insert(name, problem.clone());
    Ok(problem)
}

/// Whether a device can run a variant and is of the kind that it is made for: hardware, or a CPU that emulates a GPU with
/// subgroups of exactly this size.
fn worth_trying(context: &Context, variant: &Variant) -> bool {
    let software = context.adapter.software;
    let made_for_it = match variant.subgroup_size {
        0 => !(variant.hardware && software),
        size => software && size == context.subgroup_size,
    };
    context.can_run(variant) && made_for_it
}

/// The first difference between a variant on this device and its CPU counterpart, if there is one.
async fn disagreement(
    context: &Context,
    gate: Vec<Trial>,
    variant: Option<&'static Variant>,
) -> Result<Option<String>, ExecuteError> {
    for mut trial in gate {
        variant.into_iter().for_each(|variant| {
            variant.stand_in(&mut trial.recording);
        });
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

/// The fastest of the given variants, if it beats the kernel that they replace. Adds the time taken to `spent_ns`.
async fn fastest(
    context: &Context,
    measured: fn(&[u8], f64) -> Trial,
    params: &[u8],
    variants: &[&'static Variant],
    spent_ns: &mut f64,
) -> Result<Option<&'static Variant>, ExecuteError> {
    if variants.is_empty() {
        return Ok(None);
    }
    let most_flops = if context.adapter.software { MAX_FLOPS_ON_SOFTWARE } else { MAX_FLOPS_ON_HARDWARE };
    let mut contestants = Vec::new();
    for stand_in in std::iter::once(None).chain(variants.iter().map(Some)) {
        let mut trial = measured(params, most_flops);
        stand_in.into_iter().for_each(|variant| {
            variant.stand_in(&mut trial.recording);
        });
        let mut backend = Backend::gpu(context, &trial.buffers).await?;
        let program = backend.prepare(trial.recording);
        backend.ready().await?;
        contestants.push((backend, program));
    }
    let began = now_ns();
    let times = timing::time(contestants.len(), async |which, repeats| {
        let (backend, program) = &mut contestants[which];
        backend.time_repeated(*program, repeats).await
    });
    let winner = timing::winner(&times.await?, variants);
    *spent_ns += now_ns() - began;
    Ok(winner.map(|index| variants[index]))
}

/// Random values in −1 … 1.
fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..len).map(|_| (2.0 * rng.uniform() - 1.0) as f32).collect()
}
