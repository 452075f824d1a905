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
mod fusing;
mod timing;
mod trials;

pub use self::candidates::{CANDIDATES, Candidates, Class};
pub use self::forced::force;
pub use self::fusing::{FUSIONS, Fusions, fusion_difference};
pub use self::trials::Trial;

fn few_rows(params: &[u8]) -> bool {
    let params: matmul::Params = bytemuck::pod_read_unaligned(params);
    params.m <= matmul::FEW_ROWS
}

/// Time spent on measurements.
#[derive(Default)]
struct Clock {
    spent_ns: f64,
}

impl Clock {
    fn is_spent(&self) -> bool {
        self.spent_ns >= MEASURING_NS
    }
}

/// Time limit for all measurements, without compilation. Kernels after it take their first correct variant: all are made
/// for the kind of device on which they are tried.
const MEASURING_NS: f64 = 1e9;

/// Maximum number of operations of one timed run: some milliseconds on a GPU.
const MAX_FLOPS: f64 = 2e9;

/// Chooses the variants of this device for the kernels of a recording that have no choice yet, and returns a message for
/// each variant that the device runs but computes wrongly. Kernels that are not used are skipped, because compiling one
/// can take seconds. Overrides by the user and earlier measurements on this device are used without measuring again, but
/// are still compared with the reference.
///
/// # Errors
/// When the device was lost.
pub async fn tune(context: &Context, recording: &Recording) -> Result<Vec<String>, ExecuteError> {
    let (mut sentences, mut clock) = (Vec::new(), Clock::default());
    for (candidates, class) in classes() {
        if let Some(params) = largest(recording, candidates, class)
            && context.choose_for(class.key)
        {
            let trial = (!clock.is_spent()).then_some((params, &mut clock));
            sentences.extend(recall_or_choose(context, candidates, class, trial).await?);
        }
    }
    sentences.extend(fusing::choose(context, recording, &mut clock).await?);
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
type Measuring<'m> = Option<(&'m [u8], &'m mut Clock)>;

fn classes() -> impl Iterator<Item = (&'static Candidates, &'static Class)> {
    CANDIDATES.iter().flat_map(|candidates| candidates.classes.iter().map(move |class| (candidates, class)))
}

/// Starts compiling the pipelines of a recording, before any buffers exist: of kernels with variants, all that may run. Those
/// that take longest come first, as far as the length of their source tells.
pub fn compile(context: &Context, buffers: &Buffers, recording: &Recording) {
    let mut kernels: Vec<(&'static Kernel, Halves)> = Vec::new();
    for (index, dispatch) in recording.dispatches.iter().enumerate() {
        let halves = buffers.halves(dispatch);
        for kernel in contestants(context, dispatch.kernel, recording.params(index), halves) {
            if !kernels.iter().any(|(other, of)| other.name == kernel.name && *of == halves) {
                kernels.push((kernel, halves));
            }
        }
    }
    kernels.sort_by_key(|(kernel, _)| std::cmp::Reverse(kernel.wgsl.iter().map(|part| part.len()).sum::<usize>()));
    kernels.into_iter().for_each(|(kernel, halves)| context.compile(kernel, halves));
}

/// The kernels of which one will run in place of `kernel`.
fn contestants(context: &Context, kernel: &'static Kernel, params: &[u8], halves: Halves) -> Vec<&'static Kernel> {
    let class = classes().find(|(of, class)| of.of.name == kernel.name && (class.holds)(params));
    let Some((candidates, class)) = class else { return vec![kernel] };
    // 64-bit integers are read in place of two 32-bit values.
    let fits = |variant: &&&'static Variant| context.can_run(variant) && (halves.is_none() || !variant.int64);
    let variants = || candidates.variants.iter().filter(fits);
    if let Some(name) = told(context, candidates, class).or_else(|| known(context, class)) {
        return vec![variants().find(|variant| variant.kernel.name == name).map_or(kernel, |variant| variant.kernel)];
    }
    let tried = variants().filter(|variant| worth_trying(context, variant)).map(|variant| variant.kernel);
    match context.adapter.software {
        true => vec![tried.take(1).last().unwrap_or(kernel)],
        false => std::iter::once(kernel).chain(tried).collect(),
    }
}

/// The choice of an earlier visit for a class.
fn known(context: &Context, class: &Class) -> Option<String> {
    context.known.borrow().get(class.key).map(str::to_string)
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
    let known = told.clone().or_else(|| known(context, class));
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
    let variants = classes().map(|(of, class)| {
        let variants = of.variants.iter().map(|variant| variant.kernel.name);
        (class.key, std::iter::once(of.of.name).chain(variants).collect())
    });
    variants.chain(FUSIONS.iter().map(|of| {
        let fusions = of.fusions.iter().map(|fusion| fusion.kernel.name);
        (of.key, std::iter::once(of.key).chain(fusions).collect())
    }))
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
        // A CPU that emulates a GPU is only offered variants made for it, each far faster there than its original.
        Some((params, clock)) if !context.adapter.software => {
            fastest(context, class.measured, params, &right, clock).await?
        }
        _ => right.first().copied(),
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
    let stand_in = |mut recording: Recording| {
        variant.into_iter().for_each(|variant| {
            variant.stand_in(&mut recording);
        });
        recording
    };
    disagreement(context, (candidates.gate)(), stand_in).await
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
        _ if variant.hardware => !software,
        0 => true,
        size => software && size == context.subgroup_size,
    };
    context.can_run(variant) && made_for_it
}

/// The first difference between changed recordings of the trials on this device and their CPU counterparts, if there is one.
async fn disagreement(
    context: &Context,
    gate: Vec<Trial>,
    change: impl Fn(Recording) -> Recording,
) -> Result<Option<String>, ExecuteError> {
    for trial in gate {
        let trial = trial.map(&change);
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

/// The fastest of the given variants, if it beats the kernel that they replace.
async fn fastest(
    context: &Context,
    measured: fn(&[u8], f64) -> Trial,
    params: &[u8],
    variants: &[&'static Variant],
    clock: &mut Clock,
) -> Result<Option<&'static Variant>, ExecuteError> {
    if variants.is_empty() {
        return Ok(None);
    }
    let trial = |stand_in: Option<&&'static Variant>| {
        let mut trial = measured(params, MAX_FLOPS);
        stand_in.into_iter().for_each(|variant| {
            variant.stand_in(&mut trial.recording);
        });
        trial
    };
    let trials = std::iter::once(None).chain(variants.iter().map(Some)).map(trial).collect();
    let hardware: Vec<bool> = variants.iter().map(|variant| variant.hardware).collect();
    Ok(race(context, trials, &hardware, clock).await?.map(|index| variants[index]))
}

/// Times the trials, of which the first is the original; returns the index of the best of the others if it beats the original.
/// `hardware` says which of the others are made for hardware.
async fn race(
    context: &Context,
    trials: Vec<Trial>,
    hardware: &[bool],
    clock: &mut Clock,
) -> Result<Option<usize>, ExecuteError> {
    let mut contestants = Vec::new();
    for trial in trials {
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
    let winner = timing::winner(&times.await?, hardware);
    clock.spent_ns += now_ns() - began;
    Ok(winner)
}

/// Random values in −1 … 1.
fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..len).map(|_| (2.0 * rng.uniform() - 1.0) as f32).collect()
}
