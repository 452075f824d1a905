//! The context length of an imported model that fits the memory: models with RoPE specify the longest one they were trained
//! for, which can exceed any device, and compute the same results with a shorter one.

use thiserror::Error;

use crate::config::{ConfigError, ModelConfig, Positions, RunConfig};
use crate::gpu::context::{Budget, DeviceLimits};
use crate::model::memory::{MemoryError, MemoryPlan};
use crate::model::params::ParamTable;

/// Minimum context length.
const MIN_CONTEXT: usize = 64;

/// Why a model cannot be imported here, or cannot be trained.
#[derive(Debug, Error, PartialEq)]
pub enum FitError {
    /// It exceeds the memory that this program can address.
    #[error("the model does not fit this program's memory: {mib} MiB are missing")]
    Memory {
        /// The missing amount in MiB.
        mib: u64,
    },
    /// The device cannot hold a part of it.
    #[error(
        "the model has {n_params} parameters, and its {}; this device allows {} MiB, so {} MiB are missing",
        error.what, error.most_mib, error.need_mib - error.most_mib
    )]
    Device {
        /// Number of parameters.
        n_params: u64,
        /// The part.
        error: MemoryError,
    },
    /// Its sizes exceed what this program can compute with.
    #[error("the model is too large for this program: {0}")]
    Sizes(#[from] ConfigError),
}

/// Shortens a run's context length; returns a message if that changes it.
pub fn shorten(config: &mut RunConfig, context_length: usize) -> Option<String> {
    let before = std::mem::replace(&mut config.model.context_length, context_length);
    (context_length < before).then(|| {
        format!(
            "The model was made for windows of {before} tokens; memory allows {context_length} here. An export keeps \
             {before}."
        )
    })
}

/// Size of maps, logits and tokens in transfer from the model to the page, in bytes.
const IN_PASSING: u64 = 256 << 20;

/// Memory used during the import, before the run is created.
#[derive(Clone, Copy)]
pub struct Held {
    /// Number of copies of all parameters.
    pub copies: u64,
    /// Size of the model's files in bytes.
    pub file_bytes: u64,
}

/// The intended use of a model. On the CPU, memory for training is allocated with the first step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Look,
    Train,
}

/// The longest context length that fits a device with these limits and this budget, or the CPU, and a message if the model can
/// be inspected but not trained.
///
/// # Errors
/// How much memory is missing.
pub fn fitting_context(
    config: RunConfig,
    device: Option<(DeviceLimits, Budget)>,
    held: Held,
) -> Result<(usize, Option<String>), FitError> {
    let no_training = match longest_context(config.clone(), device, held, Purpose::Train) {
        Ok(context_length) => return Ok((context_length, None)),
        Err(problem) => problem,
    };
    let context_length = longest_context(config, device, held, Purpose::Look)?;
    let sentence =
        format!("This model can be inspected and writes text, but it cannot be trained here: {no_training}.");
    Ok((context_length, Some(sentence)))
}

/// Only models with RoPE compute the same results with a shorter context.
fn longest_context(
    mut config: RunConfig,
    device: Option<(DeviceLimits, Budget)>,
    held: Held,
    purpose: Purpose,
) -> Result<usize, FitError> {
    loop {
        let problem = match missing(&config, device, held, purpose) {
            None => return Ok(config.model.context_length),
            Some(problem) => problem,
        };
        if config.model.positions != Positions::Rope || config.model.context_length <= MIN_CONTEXT {
            return Err(problem);
        }
        config.model.context_length = (config.model.context_length / 2).max(MIN_CONTEXT);
    }
}

/// What the device or this program lacks for a model.
fn missing(
    config: &RunConfig,
    device: Option<(DeviceLimits, Budget)>,
    held: Held,
    purpose: Purpose,
) -> Option<FitError> {
    let too_large = |mib: u64| FitError::Memory { mib };
    // Sizes that exceed the address space are not even planned.
    if let Some(mib) = lacking(at_least_bytes(&config.model), usize::MAX as u64) {
        return Some(too_large(mib));
    }
    let table = ParamTable::new(&config.model);
    let window = config.model.context_length + 1;
    let (limits, budget) = device.unwrap_or((DeviceLimits::CPU, Budget::default()));
    let plan = MemoryPlan::within(budget, config, &table, window, window);
    let n_params = config.model.n_params();
    if let Err(error) = plan.check(config, limits) {
        return Some(FitError::Device { n_params, error });
    }
    if let Err(error) = config.validate() {
        return Some(FitError::Sizes(error));
    }
    let copies = held.copies * 4 * table.buffer_len() as u64;
    let buffers = match (device, purpose) {
        (Some(_), _) => 0,
        (None, Purpose::Look) => copies,
        (None, Purpose::Train) => plan.buffers.fixed_bytes(),
    };
    // The files have been freed when the run's buffers are allocated.
    lacking(copies + buffers.max(held.file_bytes) + IN_PASSING, usize::MAX as u64).map(too_large)
}

/// Lower bound of the memory for copies of the weights, or for one layer's attention weights.
fn at_least_bytes(model: &ModelConfig) -> u64 {
    let [v, c, f] = [model.vocab_size, model.d_model, model.d_ff].map(|size| size as f64);
    let [l, h, t] = [model.n_layers, model.n_heads, model.context_length].map(|size| size as f64);
    let weights = v * c + l * (2.0 * c * c + 2.0 * c * f);
    (4.0 * weights.max(h * t * t)) as u64
}

/// The MiB by which `need` exceeds the available bytes; `None` if it fits.
fn lacking(need: u64, have: u64) -> Option<u64> {
    need.checked_sub(have).filter(|&bytes| bytes > 0).map(|bytes| bytes.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;
    use crate::train::import::fine_tuning_config;

    const NOTHING: Held = Held { copies: 1, file_bytes: 0 };

    #[test]
    fn what_is_missing_is_counted() {
        assert_eq!(lacking(5 << 20, 3 << 20), Some(2));
        assert_eq!(lacking((5 << 20) + 1, 3 << 20), Some(3));
        assert_eq!(lacking(3 << 20, 3 << 20), None);
    }

    #[test]
    fn gpt2_small_fits_a_tab() {
        let mut config = fine_tuning_config(ModelConfig::cs336([50_257, 1024], [768, 12, 12, 3072]));
        for (switch, value) in
            [("norm", "layernorm"), ("positions", "learned"), ("feed_forward", "gelu"), ("bias", "true")]
        {
            config.set(switch, value).unwrap();
        }
        config.model.tied_embeddings = true;
        let plan = MemoryPlan::new(&config, &ParamTable::new(&config.model), 200_000, 20_000);
        let tab = u64::from(u32::MAX);
        let limits = DeviceLimits { total_bytes: tab / 4 * 3, ..DeviceLimits::CPU };
        assert_eq!((config.model.n_params(), plan.check(&config, limits)), (124_439_808, Ok(())));
        let held = 4 * config.model.n_params();
        assert!(held + plan.buffers.fixed_bytes() + IN_PASSING < tab, "and so does what it is trained on from");
    }

    #[test]
    fn windows_shrink_until_they_fit_and_no_further() {
        let fits = fine_tuning_config(Preset::Nano.config().model);
        assert_eq!(fitting_context(fits.clone(), None, NOTHING), Ok((64, None)));
        // 16 heads with 8192 positions: the attention weights alone take 4 GiB.
        let mut long = fits;
        (long.model.context_length, long.model.n_heads, long.model.n_kv_heads) = (8192, 16, 16);
        long.model.d_model = 64;
        let (context_length, _) = fitting_context(long.clone(), None, NOTHING).unwrap();
        assert!((1024..8192).contains(&context_length), "{context_length}");
        long.model.positions = Positions::Learned;
        let refused = fitting_context(long, None, NOTHING).unwrap_err().to_string();
        assert!(
            refused.contains("this device allows 2048 MiB, so") && refused.contains("MiB are missing"),
            "{refused}"
        );
        let huge = fine_tuning_config(ModelConfig::cs336([128_000, 1024], [8192, 80, 64, 28_672]));
        assert!(fitting_context(huge, None, NOTHING).unwrap_err().to_string().contains("MiB are missing"));
    }
}
