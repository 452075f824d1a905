//! The limits requested from a device: what kernels need. No rendering limit is required, because a small GPU may not
//! meet WebGPU's defaults.

use thiserror::Error;

/// A limit of the adapter is below what the kernels need.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{name} is {have}, and training needs {need}; choose the CPU backend")]
pub struct LimitError {
    /// Name of the limit.
    pub name: &'static str,
    /// The adapter's limit.
    pub have: u64,
    /// What the kernels need.
    pub need: u64,
}

/// What the kernels need: storage buffers and uniforms per kernel, invocations and memory per workgroup.
const STORAGE_BUFFERS: u32 = 8;
const UNIFORM_BYTES: u64 = 256;
const INVOCATIONS: u32 = 64;
const WORKGROUP_BYTES: u32 = 16 << 10;

/// The limits to request from an adapter that offers `offered`: all of its memory, and of everything else no more than
/// WebGPU's defaults, so that what runs here runs on every device.
///
/// # Errors
/// The first limit that is below what the kernels need.
pub(super) fn required(offered: &wgpu::Limits) -> Result<wgpu::Limits, LimitError> {
    let needs = [
        ("max_storage_buffers_per_shader_stage", u64::from(offered.max_storage_buffers_per_shader_stage), 6),
        ("max_uniform_buffer_binding_size", offered.max_uniform_buffer_binding_size, UNIFORM_BYTES),
        (
            "max_compute_invocations_per_workgroup",
            offered.max_compute_invocations_per_workgroup.into(),
            INVOCATIONS.into(),
        ),
        ("max_compute_workgroup_size_x", offered.max_compute_workgroup_size_x.into(), INVOCATIONS.into()),
        (
            "max_compute_workgroup_storage_size",
            offered.max_compute_workgroup_storage_size.into(),
            WORKGROUP_BYTES.into(),
        ),
    ];
    if let Some((name, have, need)) = needs.into_iter().find(|(_, have, need)| have < need) {
        return Err(LimitError { name, have, need });
    }
    let least = wgpu::Limits::default().or_worse_values_from(offered);
    Ok(wgpu::Limits {
        max_buffer_size: offered.max_buffer_size,
        max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
        max_storage_buffers_per_shader_stage: offered.max_storage_buffers_per_shader_stage.min(STORAGE_BUFFERS),
        ..least
    })
}

/// The limit for all buffers together on phones and tablets, whose browsers end a page that uses more instead of refusing
/// a buffer.
pub(super) fn total_bytes() -> u64 {
    mobile_total_bytes(&browser(), device_memory_gib())
}

fn mobile_total_bytes(browser: &str, memory_gib: Option<f64>) -> u64 {
    let mobile = ["Mobile", "Android", "iPhone", "iPad"].iter().any(|name| browser.contains(name));
    let gib = |gib: f64| (gib * f64::from(1u32 << 30)) as u64;
    match memory_gib {
        _ if !mobile => u64::MAX,
        Some(memory) => gib(memory / 2.0),
        None => gib(1.0),
    }
}

/// The browser's user agent, which includes the system; empty natively.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn browser() -> String {
    String::new()
}

/// The browser's user agent, which includes the system.
#[cfg(target_arch = "wasm32")]
pub(super) fn browser() -> String {
    use super::browser::get;
    get(&get(&js_sys::global(), "navigator"), "userAgent").as_string().unwrap_or_default()
}

#[cfg(not(target_arch = "wasm32"))]
fn device_memory_gib() -> Option<f64> {
    None
}

/// Main memory as far as the browser reports it.
#[cfg(target_arch = "wasm32")]
fn device_memory_gib() -> Option<f64> {
    use super::browser::get;
    get(&get(&js_sys::global(), "navigator"), "deviceMemory").as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_rendering_are_not_requested() {
        // An iPhone 12 has 15 of these, and WebGPU's default is 16.
        let small = wgpu::Limits { max_inter_stage_shader_variables: 15, ..wgpu::Limits::default() };
        let required = required(&small).unwrap();
        assert!(required.check_limits(&small), "{required:?}");
        assert_eq!(required.max_inter_stage_shader_variables, 15);
    }

    #[test]
    fn memory_is_requested_as_offered() {
        let large = wgpu::Limits {
            max_buffer_size: 1 << 33,
            max_storage_buffer_binding_size: 1 << 31,
            max_compute_invocations_per_workgroup: 1024,
            ..wgpu::Limits::default()
        };
        let required = required(&large).unwrap();
        assert_eq!((required.max_buffer_size, required.max_storage_buffer_binding_size), (1 << 33, 1 << 31));
        assert_eq!(required.max_compute_invocations_per_workgroup, 256, "variants have to run everywhere");
    }

    #[test]
    fn an_adapter_that_cannot_compute_is_refused_by_name() {
        let tiny = wgpu::Limits { max_compute_workgroup_storage_size: 1 << 10, ..wgpu::Limits::default() };
        let sentence = required(&tiny).unwrap_err().to_string();
        assert!(
            sentence.contains("max_compute_workgroup_storage_size is 1024") && sentence.contains("CPU"),
            "{sentence}"
        );
    }

    #[test]
    fn phones_have_a_bound_for_all_buffers() {
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148";
        assert_eq!(mobile_total_bytes(phone, None), 1 << 30);
        assert_eq!(mobile_total_bytes("Mozilla/5.0 (Linux; Android 16) Chrome/148 Mobile", Some(8.0)), 4 << 30);
        assert_eq!(mobile_total_bytes("Mozilla/5.0 (X11; Linux x86_64) Firefox/153", Some(8.0)), u64::MAX);
        assert_eq!(mobile_total_bytes("", None), u64::MAX);
    }
}
