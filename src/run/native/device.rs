//! The device of a native run, with the fastest kernels.

use thiserror::Error;

use super::kernel_cache;
use super::kernel_cache::any_overrides;
use crate::config::RunConfig;
use crate::gpu::context::{Context, ContextError};
use crate::train::trainer::{TrainError, Trainer};
use crate::types::BackendChoice;

/// Why a device cannot be opened.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// There is no GPU, or it cannot be used.
    #[error("{0}; or compute on the CPU with --backend cpu")]
    Gpu(#[from] ContextError),
    /// Kernel variants are overridden, but the CPU has none.
    #[error("--variant chooses kernels of the GPU, and --backend cpu runs none; leave out one of them")]
    NoVariants,
}

/// The device to compute on; `None` for the CPU.
///
/// # Errors
/// When there is no GPU, or kernel variants are overridden on the CPU.
pub async fn open_device(backend: BackendChoice) -> Result<Option<Context>, DeviceError> {
    match backend {
        BackendChoice::Cpu if any_overrides() => Err(DeviceError::NoVariants),
        BackendChoice::Cpu => Ok(None),
        BackendChoice::Gpu => open_gpu().await.map(Some),
        BackendChoice::Auto => Ok(open_gpu().await.ok()),
    }
}

/// Opens the GPU, with the variants of kernels that were chosen on it earlier.
///
/// # Errors
/// When there is no GPU.
pub async fn open_gpu() -> Result<Context, DeviceError> {
    let context = Context::new().await?;
    kernel_cache::prepare(&context);
    Ok(context)
}

/// Selects the fastest kernels for training this model on this device; returns a message for each variant that failed.
///
/// # Errors
/// If the model cannot be trained.
pub async fn tune_kernels(config: &RunConfig, context: Option<&Context>) -> Result<Vec<String>, TrainError> {
    let failed = Trainer::choose_kernels(config, context).await?;
    context.into_iter().for_each(kernel_cache::keep);
    Ok(failed)
}
