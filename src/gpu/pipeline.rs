//! Compiled pipelines of a device.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use super::fault::{Fault, classify};
use super::kernel::{Access, Halves, Kernel};

/// Name of an entry point, and which of its bindings are f16.
pub(super) type PipelineKey = (&'static str, Halves);

/// The pipelines of a device. Compiling one takes longer than most of its runs, so all backends of a [`Context`] share
/// them.
#[derive(Clone, Default)]
pub(super) struct Pipelines(Rc<RefCell<Cache>>);

#[derive(Default)]
struct Cache {
    valid: HashMap<PipelineKey, Compiled>,
    /// Pipelines created but not yet confirmed by the device.
    unconfirmed: Vec<Unconfirmed>,
    /// The error messages of rejected pipelines.
    refused: HashMap<PipelineKey, String>,
    /// What is done to the source of every kernel; used by tests.
    distortion: Option<Distortion>,
}

/// Changes the source of a kernel, given its name.
pub type Distortion = fn(name: &str, source: String) -> String;

/// A pipeline and its bind group layout, which an invalid pipeline does not have.
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

impl Pipelines {
    /// Changes the source of every kernel that is compiled from now on.
    pub fn distort(&self, change: Distortion) {
        self.0.borrow_mut().distortion = Some(change);
    }

    /// The pipeline of a kernel, compiled on first use. Errors go into a separate scope: [`Pipelines::confirm`] reports
    /// them.
    pub fn get(&self, device: &wgpu::Device, kernel: &'static Kernel, halves: Halves) -> Compiled {
        let key = (kernel.name, halves);
        if let Some(compiled) = self.0.borrow().valid.get(&key) {
            return compiled.clone();
        }
        let mut source = kernel.source(halves);
        if let Some(change) = self.0.borrow().distortion {
            source = change(kernel.name, source);
        }
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let (module, compiled) = make(device, kernel, source);
        let error = Box::pin(scope.pop());
        let mut cache = self.0.borrow_mut();
        cache.refused.remove(&key);
        cache.unconfirmed.push(Unconfirmed { key, module, error });
        cache.valid.insert(key, compiled.clone());
        compiled
    }

    /// Waits until the device has confirmed or rejected every pipeline so far. Rejected pipelines are removed.
    pub async fn confirm(&self, fault: &Fault) {
        let unconfirmed = std::mem::take(&mut self.0.borrow_mut().unconfirmed);
        if unconfirmed.is_empty() {
            return;
        }
        let asynchronous = asynchronous_refusals().await;
        for Unconfirmed { key, module, error } in unconfirmed {
            // An error of the module is more precise than that of the pipeline, and comes first.
            if let Some((_, detail)) = asynchronous.iter().find(|(name, _)| name == key.0) {
                let mut cache = self.0.borrow_mut();
                cache.valid.remove(&key);
                cache.refused.insert(key, detail.clone());
            }
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

    /// The error message of the first of these pipelines that the device rejected, if any.
    pub fn refused(&self, keys: &[PipelineKey]) -> Option<String> {
        let cache = self.0.borrow();
        let refused = |key: &PipelineKey| {
            cache.refused.get(key).map(|detail| format!("kernel {} does not compile on this device: {detail}", key.0))
        };
        keys.iter().find_map(refused)
    }
}

/// The device's message, or the compiler's first error with a line number.
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

/// Names and messages of the pipelines that were created asynchronously since the last call and refused.
#[cfg(not(target_arch = "wasm32"))]
async fn asynchronous_refusals() -> Vec<(String, String)> {
    Vec::new()
}

/// Names and messages of the pipelines that were created asynchronously since the last call and refused. `boot.js` creates
/// them so, because a browser then compiles them in parallel.
#[cfg(target_arch = "wasm32")]
async fn asynchronous_refusals() -> Vec<(String, String)> {
    use js_sys::{Array, Function, Promise};
    use wasm_bindgen::JsCast as _;
    let wait: Option<Function> = super::browser::get(&js_sys::global(), "glassheadPipelines").dyn_into().ok();
    let promise = wait.and_then(|wait| wait.call0(&js_sys::global()).ok()).and_then(|value| value.dyn_into().ok());
    let Some(promise) = promise as Option<Promise> else { return Vec::new() };
    let refused = wasm_bindgen_futures::JsFuture::from(promise).await.unwrap_or_default();
    let pair = |pair: wasm_bindgen::JsValue| {
        let [name, message] = [0, 1].map(|index| Array::from(&pair).get(index).as_string().unwrap_or_default());
        (name, message)
    };
    refused.dyn_into::<Array>().map(|list| list.iter().map(pair).collect()).unwrap_or_default()
}

fn make(device: &wgpu::Device, kernel: &Kernel, source: String) -> (wgpu::ShaderModule, Compiled) {
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
    let source = wgpu::ShaderSource::Wgsl(source.into());
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
