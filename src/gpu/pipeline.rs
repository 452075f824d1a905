//! The pipelines of a device.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::context::Context;
use super::kernel::{Access, Halves, Kernel};
use super::recording::{Buffers, Recording};
use super::variant::choose;

/// The pipelines of a device by entry point and the width of what is bound. Compiling one takes longer than most runs of it, so that all backends of
/// a [`Context`] share them.
pub(super) type Pipelines = Rc<RefCell<HashMap<(&'static str, Halves), wgpu::ComputePipeline>>>;

impl Context {
    /// What runs in place of a dispatch's kernel on this device, with buffers of 32 bits.
    pub fn runs(&self, recording: &Recording, index: usize) -> &'static Kernel {
        let dispatch = &recording.dispatches[index];
        choose(&self.variants, dispatch.kernel, recording.params(index), dispatch.workgroups, Halves::default()).0
    }

    /// Has the device compile the kernels of a recording that are `wanted`, before there are any buffers. A browser does so
    /// beside this program, which can go on with other things.
    pub fn compile(&self, buffers: &Buffers, recording: &Recording, wanted: impl Fn(&Kernel) -> bool) {
        for (index, dispatch) in recording.dispatches.iter().enumerate().filter(|(_, of)| wanted(of.kernel)) {
            let (params, halves) = (recording.params(index), buffers.halves(dispatch));
            let (kernel, _) = choose(&self.variants, dispatch.kernel, params, dispatch.workgroups, halves);
            pipeline(&self.device, &self.pipelines, kernel, halves);
        }
    }
}

/// The pipeline of a kernel, compiled unless that has happened before.
pub(super) fn pipeline(
    device: &wgpu::Device,
    pipelines: &Pipelines,
    kernel: &'static Kernel,
    halves: Halves,
) -> wgpu::ComputePipeline {
    if let Some(pipeline) = pipelines.borrow().get(&(kernel.name, halves)) {
        return pipeline.clone();
    }
    let label = Some(kernel.name);
    let uniform = wgpu::BufferBindingType::Uniform;
    let storage =
        kernel.access.iter().map(|access| wgpu::BufferBindingType::Storage { read_only: *access == Access::Read });
    let entries: Vec<_> = std::iter::once(uniform)
        .chain(storage)
        .zip(0..)
        .map(|(ty, binding)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        })
        .collect();
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label,
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let source = wgpu::ShaderSource::Wgsl(kernel.source(halves).into());
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label,
        layout: Some(&layout),
        module: &module,
        entry_point: label,
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    pipelines.borrow_mut().insert((kernel.name, halves), pipeline.clone());
    pipeline
}
