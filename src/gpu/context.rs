//! The adapter and the device.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use thiserror::Error;

#[cfg(target_arch = "wasm32")]
use super::browser::get;
use super::choices::Choices;
use super::fault::Fault;
use super::fusion::{Fusion, fuse};
use super::kernel::{Halves, Kernel};
use super::limits::{self, LimitError};
use super::pipeline::{Distortion, Pipelines};
use super::recording::Recording;
use super::variant::{Used, Variant, Variants, choose};
pub use crate::config::DeviceLimits;

/// A device to compute on and its capabilities.
pub struct Context {
    /// The wgpu device.
    pub device: wgpu::Device,
    /// The device's queue.
    pub queue: wgpu::Queue,
    /// Name, backend, driver and limits of the adapter.
    pub adapter: AdapterFacts,
    /// Minimum number of invocations in a subgroup; 0 where kernels cannot use subgroups.
    pub subgroup_size: u32,
    /// Whether kernels can use 64-bit integers.
    pub int64: bool,
    /// Whether f16 values can be stored and loaded (`shader-f16`).
    pub f16: bool,
    /// The first error that the device reported.
    pub(super) fault: Fault,
    /// Pipelines compiled for the device so far.
    pub(super) pipelines: Pipelines,
    /// Kernel variants in use.
    pub(super) variants: Variants,
    /// Fusions in use.
    pub(super) fusions: RefCell<Vec<&'static Fusion>>,
    /// The kernels, or classes of their shapes, for which variants have been chosen.
    chosen: RefCell<HashSet<&'static str>>,
    /// Kernel variants compared with the CPU on this device, and why those that failed cannot be used.
    pub(crate) compared: RefCell<HashMap<&'static str, Option<String>>>,
    /// Variant overrides set by the user.
    pub told: RefCell<Choices>,
    /// Variants chosen for this device, now or earlier.
    pub known: RefCell<Choices>,
    /// How many devices were lost before this one; each loss makes pieces four times smaller.
    pub losses: Cell<u32>,
}

/// What the rest of the program needs from an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterFacts {
    /// Name of the adapter.
    pub name: String,
    /// `WebGPU`, `Vulkan`, `Metal` or `Dx12`.
    pub backend: String,
    /// Driver, as far as it is reported.
    pub driver: String,
    /// Whether the adapter is emulated on the CPU.
    pub software: bool,
    /// Limits of the device.
    pub limits: DeviceLimits,
}

impl AdapterFacts {
    fn new(info: &wgpu::AdapterInfo, name: String, limits: DeviceLimits) -> Self {
        let software = info.device_type == wgpu::DeviceType::Cpu || name.to_lowercase().contains("swiftshader");
        let backend = match info.backend {
            wgpu::Backend::BrowserWebGpu => "WebGPU".to_string(),
            other => format!("{other:?}"),
        };
        let driver = format!("{} {} {}", info.driver, info.driver_info, limits::browser()).trim().to_string();
        Self { name, backend, driver, software, limits }
    }

    /// Advice for the user where the browser has probably chosen the slower of two GPUs.
    pub fn advice(&self) -> Option<&'static str> {
        let intel = self.name.to_lowercase().contains("intel");
        (intel && limits::browser().contains("Windows")).then_some(SECOND_GPU)
    }
}

/// On Windows browsers use the GPU that the system assigns to them, whatever a page requests.
const SECOND_GPU: &str = "Training runs on the Intel GPU. If this computer has a second GPU, assign the browser to it: \
                          Windows Settings > System > Display > Graphics, then High performance, and restart the browser.";

/// Limits of one dispatch. Larger layers are computed in pieces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Maximum size of one binding in bytes.
    pub binding_bytes: u64,
    /// Maximum operations of one dispatch: drivers reset a device that is busy with one for about two seconds.
    pub dispatch_flops: f64,
}

impl Budget {
    /// No limits: every layer is one piece.
    pub const WHOLE: Self = Self { binding_bytes: u32::MAX as u64, dispatch_flops: f64::INFINITY };

    /// The budget for a device with these limits.
    pub fn of(limits: DeviceLimits) -> Self {
        let budget = Self::default();
        Self { binding_bytes: budget.binding_bytes.min(limits.binding_bytes), ..budget }
    }
}

impl Default for Budget {
    /// A budget that every GPU computes in a fraction of a second.
    fn default() -> Self {
        Self { binding_bytes: 1 << 31, dispatch_flops: 2e10 }
    }
}

/// Why no device is available.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ContextError {
    /// The browser has no WebGPU.
    #[error(
        "this browser has no WebGPU; a current Chrome, Edge, Safari or Firefox has it (on Linux it may have to be \
         switched on)"
    )]
    Missing,
    /// WebGPU exists only on secure origins.
    #[error("WebGPU is only there on secure origins; open this page through https or from localhost")]
    InsecureOrigin,
    /// WebGPU is available, but no adapter.
    #[error("no graphics adapter answered; {hint}", hint = NO_ADAPTER_HINT)]
    NoAdapter,
    /// A limit of the adapter is too low.
    #[error("the graphics adapter {name} cannot train: {limit}")]
    Limit {
        /// Name of the adapter.
        name: String,
        /// The limit.
        limit: LimitError,
    },
    /// The adapter refused a device.
    #[error("the graphics adapter {name} refused a device: {detail}")]
    Refused {
        /// Name of the adapter.
        name: String,
        /// The adapter's error message.
        detail: String,
    },
}

#[cfg(not(target_arch = "wasm32"))]
const NO_ADAPTER_HINT: &str = "install a Vulkan driver; on Debian, `apt-get install mesa-vulkan-drivers libvulkan1` \
                               brings one that needs no graphics card";
#[cfg(target_arch = "wasm32")]
const NO_ADAPTER_HINT: &str = "hardware acceleration may be switched off, or the browser may block the driver";

impl Context {
    /// Requests the fastest adapter, and a device with the adapter's memory limits.
    ///
    /// # Errors
    /// When no adapter or device is available; the message includes advice.
    pub async fn new() -> Result<Self, ContextError> {
        Self::with_binding_limit(u64::MAX).await
    }

    /// As [`Context::new`], with bindings of at most `binding_bytes` bytes, like those of smaller adapters.
    ///
    /// # Errors
    /// As [`Context::new`].
    pub async fn with_binding_limit(binding_bytes: u64) -> Result<Self, ContextError> {
        check_environment()?;
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = instance.request_adapter(&options).await.map_err(|_| ContextError::NoAdapter)?;
        let (info, mut offered) = (adapter.get_info(), adapter.limits());
        offered.max_storage_buffer_binding_size = offered.max_storage_buffer_binding_size.min(binding_bytes);
        let name = readable_name(&info).await;
        let required_limits =
            limits::required(&offered).map_err(|limit| ContextError::Limit { name: name.clone(), limit })?;
        let limits = DeviceLimits {
            f16: adapter.features().contains(wgpu::Features::SHADER_F16),
            buffer_bytes: required_limits.max_buffer_size,
            binding_bytes: required_limits.max_storage_buffer_binding_size,
            total_bytes: limits::total_bytes(),
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("glasshead"),
            required_limits,
            // Used by the profiler and by kernel variants, which do without them where they are missing.
            required_features: adapter.features()
                & (wgpu::Features::TIMESTAMP_QUERY
                    | wgpu::Features::SHADER_INT64
                    | wgpu::Features::SHADER_F16
                    | wgpu::Features::SUBGROUP),
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|error| ContextError::Refused { name: name.clone(), detail: error.to_string() })?;
        Ok(Self::of(device, queue, AdapterFacts::new(&info, name, limits), info.subgroup_min_size))
    }

    fn of(device: wgpu::Device, queue: wgpu::Queue, adapter: AdapterFacts, subgroup_min_size: u32) -> Self {
        let subgroup_size = if has_subgroups(&device) { subgroup_min_size } else { 0 };
        let int64 = device.features().contains(wgpu::Features::SHADER_INT64);
        let f16 = device.features().contains(wgpu::Features::SHADER_F16);
        let fault = Fault::watch(&device);
        let (pipelines, variants, fusions, chosen, compared) = Default::default();
        let (told, known, losses) = Default::default();
        Self {
            device,
            queue,
            adapter,
            subgroup_size,
            int64,
            f16,
            fault,
            pipelines,
            variants,
            fusions,
            chosen,
            compared,
            told,
            known,
            losses,
        }
    }

    /// A string that identifies this device.
    pub fn device_name(&self) -> String {
        let AdapterFacts { name, backend, driver, .. } = &self.adapter;
        [name, backend, driver].map(|part| part.replace(['\t', '\n', '\r'], " ")).join(" / ")
    }

    /// The number of iterations, including those of nested loops, after which the device ends an invocation's loops
    /// without an error. llvmpipe does so; a browser may run on llvmpipe without reporting it.
    pub fn loop_limit(&self) -> Option<u64> {
        const LLVMPIPE: u64 = 65_535;
        let swiftshader = self.adapter.name.to_lowercase().contains("swiftshader");
        let may_be_llvmpipe = self.adapter.software || cfg!(target_arch = "wasm32");
        (may_be_llvmpipe && !swiftshader).then_some(LLVMPIPE)
    }

    /// The limits of one dispatch on this device.
    pub fn budget(&self) -> Budget {
        let budget = Budget::of(self.adapter.limits);
        Budget { dispatch_flops: budget.dispatch_flops / self.caution(), ..budget }
    }

    /// By how much dispatches and submissions are shortened because devices were lost: by 4 for each, at most 256.
    pub fn caution(&self) -> f64 {
        4f64.powi(self.losses.get().min(4) as i32)
    }

    /// Whether the device has the features that a variant needs.
    pub fn can_run(&self, variant: &Variant) -> bool {
        variant.subgroup_size <= self.subgroup_size && (self.int64 || !variant.int64)
    }

    /// Whether a variant of this kernel, or of a class of its shapes, has yet to be chosen; marks it as chosen.
    pub fn choose_for(&self, key: &'static str) -> bool {
        self.chosen.borrow_mut().insert(key)
    }

    /// From now on, prepares recordings with this variant wherever it fits and `holds` accepts the parameters.
    pub fn use_variant(&self, variant: &'static Variant, key: &'static str, holds: fn(params: &[u8]) -> bool) {
        self.variants.borrow_mut().push(Used::new(variant, key, holds, self.loop_limit()));
    }

    /// From now on, fuses recordings with this fusion wherever it fits.
    pub fn use_fusion(&self, fusion: &'static Fusion) {
        self.fusions.borrow_mut().push(fusion);
    }

    /// Whether a variant is in use for any shapes.
    pub fn uses_kernel(&self, variant: &Kernel) -> bool {
        self.variants.borrow().iter().any(|used| used.variant.kernel.name == variant.name)
    }

    /// Whether recordings are fused with this fusion.
    pub fn fuses(&self, fusion: &Fusion) -> bool {
        self.fusions.borrow().iter().any(|used| used.kernel.name == fusion.kernel.name)
    }

    /// Whether recordings are fused at all.
    pub fn has_fusions(&self) -> bool {
        !self.fusions.borrow().is_empty()
    }

    /// A recording as this device runs it: with its fusions.
    pub fn fused(&self, recording: Recording) -> Recording {
        fuse(recording, &self.fusions.borrow())
    }

    /// From now on, prepares recordings without variants of this kernel, and without fusions that run it; returns the names
    /// of those that were in use. Later visits do not use them either.
    pub fn forget_variants(&self, of: &str) -> Vec<&'static str> {
        let (mut variants, mut fusions) = (self.variants.borrow_mut(), self.fusions.borrow_mut());
        let mut known = self.known.borrow_mut();
        let mut gone = Vec::new();
        for fusion in fusions.iter().filter(|fusion| fusion.kernel.name == of) {
            known.set(fusion.key, fusion.key);
            gone.push(fusion.kernel.name);
        }
        for used in variants.iter().filter(|used| used.variant.of.name == of) {
            known.set(used.key, of);
            gone.push(used.variant.kernel.name);
        }
        fusions.retain(|fusion| fusion.kernel.name != of);
        variants.retain(|used| used.variant.of.name != of);
        gone
    }

    /// Whether recordings are prepared with this variant for this kernel or class of shapes.
    pub fn uses(&self, variant: &'static Variant, key: &str) -> bool {
        let variants = self.variants.borrow();
        variants.iter().any(|used| used.key == key && used.variant.kernel.name == variant.kernel.name)
    }
}

/// A readable adapter name. Browsers report little about an adapter, sometimes nothing.
async fn readable_name(info: &wgpu::AdapterInfo) -> String {
    let told = [info.name.trim().to_string(), info.driver.trim().to_string(), family().await];
    told.into_iter().find(|name| !name.is_empty()).unwrap_or("a GPU that does not tell its name".into())
}

#[cfg(not(target_arch = "wasm32"))]
fn has_subgroups(device: &wgpu::Device) -> bool {
    device.features().contains(wgpu::Features::SUBGROUP)
}

/// wgpu does not support this browser feature: boot.js requests it wherever an adapter has it, and reports that.
#[cfg(target_arch = "wasm32")]
fn has_subgroups(_: &wgpu::Device) -> bool {
    get(&js_sys::global(), "glassheadSubgroups").is_truthy()
}

#[cfg(not(target_arch = "wasm32"))]
async fn family() -> String {
    String::new()
}

/// Vendor and architecture, for example `nvidia ampere`. Browsers leave the description empty, and wgpu passes on nothing
/// else, so this requests the same adapter again.
#[cfg(target_arch = "wasm32")]
async fn family() -> String {
    use js_sys::{Function, Object, Promise};
    use wasm_bindgen::JsCast as _;
    let gpu = get(&get(&js_sys::global(), "navigator"), "gpu");
    let options = Object::new();
    // A plain object takes any property.
    drop(js_sys::Reflect::set(&options, &"powerPreference".into(), &"high-performance".into()));
    let request: Option<Function> = get(&gpu, "requestAdapter").dyn_into().ok();
    let promise = request.and_then(|request| request.call1(&gpu, &options).ok());
    let Some(promise) = promise.and_then(|promise| promise.dyn_into::<Promise>().ok()) else { return String::new() };
    let adapter = wasm_bindgen_futures::JsFuture::from(promise).await.unwrap_or_default();
    let info = get(&adapter, "info");
    let words = ["vendor", "architecture"].map(|key| get(&info, key).as_string().unwrap_or_default());
    words.join(" ").trim().to_string()
}

impl Context {
    /// The kernel that runs in place of a dispatch's kernel on this device, with f32 buffers.
    pub fn runs(&self, recording: &Recording, index: usize) -> &'static Kernel {
        let dispatch = &recording.dispatches[index];
        choose(&self.variants, dispatch.kernel, recording.params(index), dispatch.workgroups, Halves::default()).0
    }

    /// Starts compiling a kernel. A browser compiles in parallel with this program.
    pub fn compile(&self, kernel: &'static Kernel, halves: Halves) {
        self.pipelines.get(&self.device, kernel, halves);
    }

    /// From now on, compiles changed kernels, like a device or driver that computes wrongly; used by tests.
    pub fn distort(&self, change: Distortion) {
        self.pipelines.distort(change);
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn check_environment() -> Result<(), ContextError> {
    Ok(())
}

/// Distinguishes the three ways in which a browser can be without WebGPU: an insecure origin or a missing API (here), or
/// a refused adapter (later).
#[cfg(target_arch = "wasm32")]
fn check_environment() -> Result<(), ContextError> {
    let global = js_sys::global();
    let gpu = get(&get(&global, "navigator"), "gpu");
    if !gpu.is_undefined() && !gpu.is_null() {
        return Ok(());
    }
    let secure = get(&global, "isSecureContext").is_truthy();
    Err(if secure { ContextError::Missing } else { ContextError::InsecureOrigin })
}
