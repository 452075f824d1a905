//! What the dispatches of a training step do, and the memory that they use: for its timeline.

use std::collections::BTreeMap;

use super::params::ParamTable;
use crate::gpu::backend::Backend;
use crate::gpu::kernel::Access;
use crate::gpu::recording::{Buffers, Dispatch, Recording, Role, Slice};
use crate::ops::cost::costs;
use crate::systems::memory::{Group, MemoryTimeline, Tensor};
use crate::systems::trace::{Phase, Work};

/// The work of every dispatch of a recording.
pub fn of(recording: &Recording, buffers: &Buffers, table: &ParamTable) -> Vec<Work> {
    let (mut backward, mut last) = (false, None);
    let mut all = Vec::with_capacity(recording.dispatches.len());
    for (dispatch, cost) in recording.dispatches.iter().zip(costs(recording)) {
        let phase = phase(dispatch, buffers, backward);
        backward |= phase == Phase::Backward;
        let layer = layer(dispatch, buffers, table, last);
        last = layer.or(last);
        let tensor = written(dispatch).next().map(|slice| name(slice, buffers, table)).unwrap_or_default();
        all.push(Work { phase, layer, tensor, flops: cost.flops, bytes: cost.bytes });
    }
    all
}

fn written(dispatch: &Dispatch) -> impl Iterator<Item = Slice> + '_ {
    let with_access = dispatch.bindings.iter().zip(dispatch.kernel.access);
    with_access.filter(|(_, access)| **access == Access::ReadWrite).map(|(slice, _)| *slice)
}

/// `backward`: whether the backward pass of this recording has begun.
fn phase(dispatch: &Dispatch, buffers: &Buffers, backward: bool) -> Phase {
    let name = dispatch.kernel.name;
    let writes = |roles: &[Role]| written(dispatch).any(|slice| roles.contains(&buffers.specs[slice.buffer.0].role));
    if writes(&[Role::Parameters, Role::OptimizerState]) || name.starts_with("squared_sums") || name == "grad_norm" {
        Phase::Update
    } else if writes(&[Role::Gradients, Role::ActivationGradients]) || name.contains("_grad") {
        Phase::Backward
    } else if backward && writes(&[Role::Activations]) {
        Phase::Recompute
    } else {
        Phase::Forward
    }
}

/// The layer of a dispatch: that of the first of its buffers and parameters that belongs to one. Kernels that bind only tensors
/// that layers share belong to the layer of the dispatch before them.
fn layer(dispatch: &Dispatch, buffers: &Buffers, table: &ParamTable, last: Option<usize>) -> Option<usize> {
    // These read or write the first layer's input, and belong to no layer.
    if ["embedding", "gather", "residual"].iter().any(|kernel| dispatch.kernel.name.starts_with(kernel)) {
        return None;
    }
    let found = dispatch.bindings.iter().find_map(|slice| match buffers.specs[slice.buffer.0].role {
        Role::Parameters | Role::Gradients => table.at(slice.start)?.layer,
        _ => buffers.specs[slice.buffer.0].layer,
    });
    let within = ["flash_attention", "rope", "swiglu", "gelu", "silu", "head_scale"];
    found.or_else(|| last.filter(|_| within.iter().any(|kernel| dispatch.kernel.name.starts_with(kernel))))
}

fn name(slice: Slice, buffers: &Buffers, table: &ParamTable) -> String {
    let spec = &buffers.specs[slice.buffer.0];
    match (spec.role, table.at(slice.start)) {
        (Role::Gradients, Some(param)) if slice.len < spec.len => format!("gradient of {}", param.name),
        _ => spec.label(),
    }
}

fn group(role: Role) -> Group {
    match role {
        Role::Parameters => Group::Parameters,
        Role::Gradients => Group::Gradients,
        Role::OptimizerState => Group::Moments,
        Role::Activations => Group::Activations,
        Role::ActivationGradients => Group::ActivationGradients,
        Role::Logits => Group::Logits,
        Role::Tokens | Role::Inspection | Role::Generation | Role::Other => Group::Other,
    }
}

/// The memory over the dispatches of one step. Parameters, moments, tokens and tables exist throughout; the values of all
/// others are needed from their first use to their last one. The gradient of each parameter counts from its first use to the
/// update.
pub fn memory(recordings: &[Recording], buffers: &Buffers, table: &ParamTable, backend: &Backend) -> MemoryTimeline {
    let dispatches: Vec<&Dispatch> = recordings.iter().flat_map(|recording| &recording.dispatches).collect();
    let last = dispatches.len().saturating_sub(1);
    let mut uses: BTreeMap<usize, [usize; 2]> = BTreeMap::new();
    let mut parts: BTreeMap<(usize, usize, usize), usize> = BTreeMap::new();
    for (at, dispatch) in dispatches.iter().enumerate() {
        for slice in &dispatch.bindings {
            let id = slice.buffer.0;
            uses.entry(id).or_insert([at, at])[1] = at;
            if buffers.specs[id].role == Role::Gradients && slice.len < buffers.specs[id].len {
                parts.entry((id, slice.start, slice.len)).or_insert(at);
            }
        }
    }
    let bytes = backend.buffer_bytes();
    let in_cpu = matches!(backend, Backend::Cpu(..));
    let (mut tensors, mut elsewhere_bytes) = (Vec::new(), 0);
    for (id, spec) in buffers.specs.iter().enumerate() {
        let Some(&live) = uses.get(&id) else {
            elsewhere_bytes += bytes[id];
            continue;
        };
        let size = if in_cpu { 4 * spec.len as u64 } else { spec.size_bytes() };
        let group = group(spec.role);
        let throughout = matches!(group, Group::Parameters | Group::Moments | Group::Other);
        let live = if throughout { [0, last] } else { live };
        let of_params: Vec<(&(usize, usize, usize), &usize)> =
            parts.range((id, 0, 0)..(id + 1, 0, 0)).filter(|((_, start, _), _)| table.at(*start).is_some()).collect();
        if of_params.len() < 2 {
            tensors.push(Tensor { name: spec.label(), group, layer: spec.layer, bytes: size, live });
            continue;
        }
        let mut left = size;
        for (&(_, start, len), &first) in of_params {
            let bytes = (4 * len as u64).min(left);
            left -= bytes;
            let param = table.at(start);
            let name = format!("gradient of {}", param.map_or("padding", |param| &param.name));
            let layer = param.and_then(|param| param.layer);
            tensors.push(Tensor { name, group, layer, bytes, live: [first, live[1]] });
        }
        tensors.push(Tensor { name: "padding of gradients".into(), group, layer: None, bytes: left, live });
    }
    tensors.retain(|tensor| tensor.bytes > 0);
    MemoryTimeline {
        n_dispatches: dispatches.len(),
        tensors,
        allocated_bytes: backend.allocated_bytes(),
        elsewhere_bytes,
    }
}
