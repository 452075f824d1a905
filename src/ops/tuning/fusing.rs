//! The choice of fusions, after that of variants: as for these, by comparison with the CPU on this device, then by time at
//! the model's largest shape. Only those with tiles that the device uses anyway are tried, so that few kernels are compiled.
//! Fusions are made for GPUs, where a dispatch costs more than its work; a CPU that emulates one only uses them when told to.

use super::trials::{Trial, gate_and_linear, grads_through_gate, norm_and_linear, norm_linear_and_rope};
use super::{Clock, MAX_FLOPS, disagreement, race};
use crate::gpu::backend::ExecuteError;
use crate::gpu::context::Context;
use crate::gpu::fusion::{Fused, Fusion, fuse};
use crate::gpu::recording::Recording;
use crate::ops::fused::linear_grad_swiglu::LINEAR_GRAD_SWIGLU;
use crate::ops::fused::norm_linear::{self, NORM_LINEAR, NORM_ROPE_LINEAR};
use crate::ops::fused::swiglu_linear::SWIGLU_LINEAR;
use crate::ops::{linear_grad, matmul};

/// Fusions of the same dispatches, and their trials.
pub struct Fusions {
    /// Name under which the choice is stored and overridden. As a choice it means no fusion.
    pub key: &'static str,
    /// The fusions to try, in order of preference.
    pub fusions: &'static [Fusion],
    /// Small and awkward sizes that each fusion has to compute correctly before it may be used.
    pub gate: fn() -> Vec<Trial>,
    /// The trial to time, from the parameters of the model's largest fused dispatch and the maximum number of operations.
    pub measured: fn(params: &[u8], max_flops: f64) -> Trial,
}

/// All fusions.
pub static FUSIONS: [Fusions; 4] = [
    Fusions {
        key: "norm_rope_linear",
        fusions: &NORM_ROPE_LINEAR,
        gate: || vec![norm_linear_and_rope([64, 36, 12], 4), norm_linear_and_rope([128, 96, 260], 16)],
        measured: |params, max_flops| {
            let norm_linear::Params { m, n, k, d_head, .. } = bytemuck::pod_read_unaligned(params);
            norm_linear_and_rope(fewer_rows([m, n, k], max_flops), d_head as usize)
        },
    },
    Fusions {
        key: "norm_linear",
        fusions: &NORM_LINEAR,
        gate: || vec![norm_and_linear([64, 68, 12]), norm_and_linear([128, 132, 260])],
        measured: |params, max_flops| {
            let norm_linear::Params { m, n, k, .. } = bytemuck::pod_read_unaligned(params);
            norm_and_linear(fewer_rows([m, n, k], max_flops))
        },
    },
    Fusions {
        key: "swiglu_linear",
        fusions: &SWIGLU_LINEAR,
        gate: || vec![gate_and_linear([64, 68, 12]), gate_and_linear([128, 132, 260])],
        measured: |params, max_flops| {
            let matmul::Params { m, n, k, .. } = bytemuck::pod_read_unaligned(params);
            gate_and_linear(fewer_rows([m, n, k], max_flops))
        },
    },
    Fusions {
        key: "linear_grad_swiglu",
        fusions: &LINEAR_GRAD_SWIGLU,
        gate: || vec![grads_through_gate([4, 4, 4]), grads_through_gate([100, 132, 260])],
        measured: |params, max_flops| {
            let linear_grad::Params { n_rows, d_in, d_out, .. } = bytemuck::pod_read_unaligned(params);
            grads_through_gate(fewer_rows([n_rows, d_in, d_out], max_flops / 2.0))
        },
    },
];

/// Reduces the number of rows, which stays a multiple of 64, until a matmul of these sizes takes at most `max_flops`.
fn fewer_rows([m, n, k]: [u32; 3], max_flops: f64) -> [usize; 3] {
    let most = (max_flops / (2.0 * f64::from(n) * f64::from(k))) as usize;
    [(m as usize).min(most).max(64) / 64 * 64, n as usize, k as usize]
}

/// Chooses among the fusions that fit somewhere in a recording; returns a message for each that the device computes wrongly.
pub(super) async fn choose(
    context: &Context,
    recording: &Recording,
    clock: &mut Clock,
) -> Result<Vec<String>, ExecuteError> {
    let mut sentences = Vec::new();
    for of in &FUSIONS {
        if let Some(params) = largest(recording, of)
            && context.choose_for(of.key)
        {
            sentences.extend(recall_or_choose(context, of, &params, clock).await?);
        }
    }
    Ok(sentences)
}

/// The parameters of the fused dispatch with the most operations.
fn largest(recording: &Recording, of: &Fusions) -> Option<Vec<u8>> {
    let fused = (0..recording.dispatches.len())
        .filter_map(|index| of.fusions.iter().find_map(|fusion| (fusion.fuse)(recording, index)));
    let work = |fused: &Fused| fused.workgroups.iter().map(|&n| u64::from(n)).product::<u64>();
    fused.max_by_key(work).map(|fused| fused.params)
}

async fn recall_or_choose(
    context: &Context,
    of: &'static Fusions,
    params: &[u8],
    clock: &mut Clock,
) -> Result<Vec<String>, ExecuteError> {
    let told = context.told.borrow().get(of.key).map(str::to_string);
    let known = told.clone().or_else(|| context.known.borrow().get(of.key).map(str::to_string));
    let named = known.as_ref().and_then(|name| of.fusions.iter().find(|fusion| fusion.kernel.name == name));
    let mut sentences = Vec::new();
    match (known, named) {
        (Some(name), _) if name == of.key => return Ok(sentences),
        (_, Some(fusion)) => match problem(context, of, fusion).await? {
            Some(sentence) => sentences.push(sentence),
            None => context.use_fusion(fusion),
        },
        (Some(name), None) if told.is_some() => {
            sentences.push(format!("this device cannot run {name} for {}; its dispatches stay separate", of.key));
        }
        _ if context.adapter.software => {}
        _ => {
            let mut right = Vec::new();
            for fusion in of.fusions.iter().filter(|fusion| context.uses_kernel(fusion.tiles)) {
                match problem(context, of, fusion).await? {
                    Some(sentence) => sentences.push(sentence),
                    None => right.push(fusion),
                }
            }
            let fastest = fastest(context, of, params, &right, clock).await?;
            fastest.into_iter().for_each(|fusion| context.use_fusion(fusion));
        }
    }
    if told.is_none() {
        let used = of.fusions.iter().find(|fusion| context.fuses(fusion));
        context.known.borrow_mut().set(of.key, used.map_or(of.key, |fusion| fusion.kernel.name));
    }
    Ok(sentences)
}

/// Runs all trials of a fusion on the device; returns the first difference from the CPU.
///
/// # Errors
/// When the device was lost, or cannot run the kernel.
pub async fn fusion_difference(
    context: &Context,
    of: &Fusions,
    fusion: &'static Fusion,
) -> Result<Option<String>, ExecuteError> {
    disagreement(context, (of.gate)(), |recording| fuse(recording, &[fusion])).await
}

/// Why a fusion cannot be used on this device, if so.
async fn problem(context: &Context, of: &Fusions, fusion: &'static Fusion) -> Result<Option<String>, ExecuteError> {
    let name = fusion.kernel.name;
    match fusion_difference(context, of, fusion).await {
        Ok(difference) => {
            Ok(difference
                .map(|difference| format!("this device computes {name} wrongly ({difference}); it is not used")))
        }
        Err(ExecuteError::Refused(detail)) => {
            Ok(Some(format!("this device refuses {name} ({detail}); it is not used")))
        }
        Err(error) => Err(error),
    }
}

/// The fastest of the given fusions, if it beats the separate dispatches with the variants in use.
async fn fastest(
    context: &Context,
    of: &Fusions,
    params: &[u8],
    fusions: &[&'static Fusion],
    clock: &mut Clock,
) -> Result<Option<&'static Fusion>, ExecuteError> {
    if fusions.is_empty() || clock.is_spent() {
        return Ok(fusions.first().copied());
    }
    let measured = || (of.measured)(params, MAX_FLOPS);
    let fused = fusions.iter().map(|fusion| measured().map(|recording| fuse(recording, &[fusion])));
    let trials = std::iter::once(measured()).chain(fused).collect();
    let winner = race(context, trials, &vec![true; fusions.len()], clock).await?;
    Ok(winner.map(|index| fusions[index]))
}
