//! The pipelines of a device.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use super::context::Context;
use super::fault::{Fault, classify};
use super::kernel::{Access, Halves, Kernel};
use super::recording::{Buffers, Recording};
use super::variant::choose;

/// An entry point and the widths of what is bound.
pub(super) type PipelineKey = (&'static str, Halves);

/// The pipelines of a device. Compiling one takes longer than most runs of it, so all backends of a [`Context`] share them.
#[derive(Clone, Default)]
pub(super) struct Pipelines(Rc<RefCell<Cache>>);

#[derive(Default)]
struct Cache {
    valid: HashMap<PipelineKey, Compiled>,
    /// Made, but the device has not confirmed them yet.
    unconfirmed: Vec<Unconfirmed>,
    /// Why the device refused a pipeline.
    refused: HashMap<PipelineKey, String>,
}

/// A pipeline and the layout of its bindings. An invalid pipeline has no layout to ask for.
#[derive(Clone)]
pub(super) struct Compiled {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

struct Unconfirmed {
    key: PipelineKey,
    module: wgpu::ShaderModule,
    error: Pin<Box<dyn Future<Output = Option<wgpu::Error>>>>,
}

impl Context {
    /// What runs in place of a dispatch's kernel on this device, with buffers of 32 bits.
    pub fn runs(&self, recording: &Recording, index: usize) -> &'static Kernel {
        let dispatch = &recording.dispatches[index];
        choose(&self.variants, dispatch.kernel, recording.params(index), dispatch.workgroups, Halves::default()).0
    }

    /// Has the device compile the kernels of a recording that are `wanted`, before there are any buffers. A browser does so
    /// in parallel to this program.
    pub fn compile(&self, buffers: &Buffers, recording: &Recording, wanted: impl Fn(&Kernel) -> bool) {
        for (index, dispatch) in recording.dispatches.iter().enumerate().filter(|(_, of)| wanted(of.kernel)) {
            let (params, halves) = (recording.params(index), buffers.halves(dispatch));
            let (kernel, _) = choose(&self.variants, dispatch.kernel, params, dispatch.workgroups, halves);
            self.pipelines.get(&self.device, kernel, halves);
        }
    }
}

impl Pipelines {
    /// The pipeline of a kernel, compiled unless that has happened before. Errors go into a scope of their own:
    /// [`Pipelines::confirm`] reports them.
    pub fn get(&self, device: &wgpu::Device, kernel: &'static Kernel, halves: Halves) -> Compiled {
        let key = (kernel.name, halves);
        if let Some(compiled) = self.0.borrow().valid.get(&key) {
            return compiled.clone();
        }
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let (module, compiled) = make(device, kernel, halves);
        let error = Box::pin(scope.pop());
        let mut cache = self.0.borrow_mut();
        cache.refused.remove(&key);
        cache.unconfirmed.push(Unconfirmed { key, module, error });
        cache.valid.insert(key, compiled.clone());
        compiled
    }

    /// Waits until the device has confirmed or refused every pipeline so far. A refused one is not kept.
    pub async fn confirm(&self, fault: &Fault) {
        let unconfirmed = std::mem::take(&mut self.0.borrow_mut().unconfirmed);
        for Unconfirmed { key, module, error } in unconfirmed {
            if let Some(error) = error.await {
                self.0.borrow_mut().valid.remove(&key);
                let class = classify(&error);
                if class.needs_another_device() {
                    fault.keep(class);
                    continue;
                }
                let detail = describe(&error, &module).await;
                self.0.borrow_mut().refused.insert(key, detail);
            }
        }
    }

    /// Which of these pipelines the device has refused, in a sentence.
    pub fn refused(&self, keys: &[PipelineKey]) -> Option<String> {
        let cache = self.0.borrow();
        let refused = |key: &PipelineKey| {
            cache.refused.get(key).map(|detail| format!("kernel {} does not compile on this device: {detail}", key.0))
        };
        keys.iter().find_map(refused)
    }
}

/// The device's message; where the compiler reports errors with lines, the first of these.
async fn describe(error: &wgpu::Error, module: &wgpu::ShaderModule) -> String {
    let info = module.get_compilation_info().await;
    let first = info.messages.iter().find(|message| message.message_type == wgpu::CompilationMessageType::Error);
    match first {
        Some(message) => {
            let line = message.location.map_or_else(String::new, |at| format!(" (line {})", at.line_number));
            format!("{}{line}", message.message)
        }
        None => error.to_string(),
    }
}

fn make(device: &wgpu::Device, kernel: &Kernel, halves: Halves) -> (wgpu::ShaderModule, Compiled) {
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
    let of_pipeline = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label,
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let source = wgpu::ShaderSource::Wgsl(kernel.source(halves).into());
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label,
        layout: Some(&of_pipeline),
        module: &module,
        entry_point: label,
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    (module, Compiled { pipeline, layout })
}
