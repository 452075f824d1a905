//! Whether a device can train a model, decided from the configuration alone: the page refuses settings that the worker
//! could not run. `MemoryPlan::check` is exact and decides in the end; this module lists only the buffers that can be the
//! largest ones.

use thiserror::Error;

use super::Account;
use crate::config::{DeviceLimits, FeedForward, RunConfig, Storage, ValidConfig};

/// Rows of logits that are in memory at the same time, at least.
const MIN_LOGIT_ROWS: u64 = 128;

/// Why a device cannot train a model, and what to change.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DeviceError {
    /// The device does not support f16.
    #[error("{device} does not support f16 (shader-f16). Set activation_storage to f32.")]
    NoHalves {
        /// Name of the device.
        device: String,
    },
    /// A buffer, or all of them together, are too large.
    #[error("{what} take {need_mib} MiB, and {device} allows {max_mib} MiB{whole}. To train on it, {advice}.")]
    TooLarge {
        /// Name of the device.
        device: String,
        /// What is too large, in the plural.
        what: &'static str,
        /// Required size in MiB.
        need_mib: u64,
        /// The limit in MiB.
        max_mib: u64,
        /// The object of the limit, as the end of a clause.
        whole: &'static str,
        /// Which setting to lower, and to what value.
        advice: String,
    },
}

/// A buffer that may exceed a limit.
struct Large {
    what: &'static str,
    bytes: u64,
    /// Whether kernels bind only parts of it.
    in_parts: bool,
}

/// Checks whether a device with these limits can train a configuration.
///
/// # Errors
/// If it cannot, with the setting to change.
pub fn check(config: &ValidConfig, limits: &DeviceLimits, device: &str) -> Result<(), DeviceError> {
    if config.train.activation_storage == Storage::F16 && !limits.f16 {
        return Err(DeviceError::NoHalves { device: device.into() });
    }
    let Some((what, bytes, max, whole)) = exceeded(config, limits) else { return Ok(()) };
    let fits = |smaller: &RunConfig| {
        ValidConfig::try_from(smaller.clone()).is_ok_and(|smaller| exceeded(&smaller, limits).is_none())
    };
    let advice = config.advice(fits);
    let (need_mib, max_mib) = (bytes.div_ceil(1 << 20), max >> 20);
    Err(DeviceError::TooLarge { device: device.into(), what, need_mib, max_mib, whole, advice })
}

/// What exceeds a limit, its size in bytes, the limit, and the object of the limit.
fn exceeded(config: &ValidConfig, limits: &DeviceLimits) -> Option<(&'static str, u64, u64, &'static str)> {
    let max = |large: &Large| match large.in_parts {
        true => limits.buffer_bytes,
        false => limits.buffer_bytes.min(limits.binding_bytes),
    };
    let single = large(config).into_iter().find(|large| large.bytes > max(large));
    if let Some(single) = single {
        let max = max(&single);
        return Some((single.what, single.bytes, max, " in one buffer"));
    }
    let total = total_bytes(config);
    (total > limits.total_bytes).then_some(("parameters, gradients and activations", total, limits.total_bytes, ""))
}

/// The buffers that can be the largest ones of a run.
fn large(config: &ValidConfig) -> Vec<Large> {
    let (model, train) = (&config.model, &config.train);
    let [t, c, f, v] = [model.context_length, model.d_model, model.d_ff, model.vocab_size].map(|size| size as u64);
    let [l, h, kv] = [model.n_layers, model.n_heads, model.d_kv()].map(|size| size as u64);
    let n = t * train.batch_size as u64;
    let gates = if model.feed_forward == FeedForward::Swiglu { 2 } else { 1 };
    let one = |what, numbers: u64| Large { what, bytes: numbers.saturating_mul(4), in_parts: false };
    let parts = |what, numbers: u64| Large { what, bytes: numbers.saturating_mul(4), in_parts: true };
    vec![
        parts("Parameters", model.n_params()),
        one("Queries, keys and values of a batch", n * (c + 2 * kv)),
        one("Gradients of the feed-forward layer", n * f * gates),
        one("Logits", n.min(MIN_LOGIT_ROWS) * v),
        one("Attention weights of the probe", h * t * t),
        one("Entropies of attention rows", l * (h + 1) * t),
        parts("Attention maps of all layers", l * (h * t * t).div_ceil(4)),
        parts("Logits of the probe", t * v),
    ]
}

/// Lower bound of the size of all buffers: a run has small ones, too.
fn total_bytes(config: &ValidConfig) -> u64 {
    let account = Account::new(config);
    let state = |part: &super::Part| {
        let gradients = account.gradient_bytes(part);
        account.weight_bytes(part).saturating_add(gradients).saturating_add(account.moment_bytes(part))
    };
    // Only some rows of the logits are in memory at a time.
    let activations = |part: &super::Part| if part.name == "head" { 0 } else { account.activation_bytes(part) };
    account.total(state).saturating_add(account.total(activations))
}
