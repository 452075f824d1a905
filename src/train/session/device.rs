//! The device that a run computes on.

use crate::config::RunConfig;
use crate::gpu::context::Context;
use crate::model::memory;
use crate::protocol::{BackendChoice, DeviceInfo};

/// What computes; without a context it is the CPU.
pub(super) struct Device {
    pub context: Option<Context>,
    pub info: DeviceInfo,
    /// Why it is not what one would wish for.
    pub notice: Option<String>,
}

/// Opens what was asked for.
///
/// # Errors
/// A sentence when it is not there.
pub(super) async fn open_device(choice: BackendChoice) -> Result<Device, String> {
    let mut notice = None;
    let context = match choice {
        BackendChoice::Cpu => None,
        BackendChoice::Gpu => Some(Context::new().await.map_err(|error| error.to_string())?),
        BackendChoice::Auto => match Context::new().await {
            Ok(context) => Some(context),
            Err(error) => {
                notice = Some(format!("Training on the CPU, which is slower: {error}."));
                None
            }
        },
    };
    let info = match &context {
        Some(Context { adapter, .. }) => {
            DeviceInfo { name: adapter.name.clone(), backend: adapter.backend.clone(), software: adapter.software }
        }
        None => DeviceInfo { name: "CPU".into(), backend: "CPU".into(), software: false },
    };
    Ok(Device { context, info, notice })
}

/// Whether this program's memory holds a new run, where that is what computes.
///
/// # Errors
/// A sentence with what to lower when it does not.
pub(super) fn check_room(config: &RunConfig, device: &Device) -> Result<(), String> {
    match device.context {
        Some(_) => Ok(()),
        None => memory::check_room(config).map_err(|error| error.to_string()),
    }
}
