//! The device of a run.

use super::Session;
use crate::config::RunConfig;
use crate::gpu::backend::Backend;
use crate::gpu::context::{Context, ContextError};
use crate::gpu::recording::Buffers;
use crate::model::memory::{self, RoomError};
use crate::types::{BackendChoice, DeviceInfo, RunId};
use crate::wire::Event;

/// A GPU, or the CPU if there is no context.
pub(super) struct Device {
    pub context: Option<Context>,
    /// The backend that was requested.
    choice: BackendChoice,
    pub info: DeviceInfo,
    /// Why it is not the preferred device.
    pub notice: Option<String>,
}

impl Drop for Device {
    /// Releases the device and its buffers, which a browser would otherwise do only at garbage collection.
    fn drop(&mut self) {
        self.context.iter().for_each(|context| context.device.destroy());
    }
}

impl Device {
    /// Replaces the device by the CPU, for this reason.
    pub(super) fn replace_by_cpu(&mut self, why: String) {
        self.context.take().iter().for_each(|context| context.device.destroy());
        self.info = DeviceInfo::cpu();
        self.notice = Some(why);
    }
}

/// Opens the requested device.
///
/// # Errors
/// If it is not available.
pub(super) async fn open_device(choice: BackendChoice) -> Result<Device, ContextError> {
    let mut notice = None;
    let context = match choice {
        BackendChoice::Cpu => None,
        BackendChoice::Gpu => Some(Context::new().await?),
        BackendChoice::Auto => match Context::new().await {
            Ok(context) => Some(context),
            Err(error) => {
                notice = Some(format!("Training on the CPU, which is slower: {error}."));
                None
            }
        },
    };
    if let Some(advice) = context.as_ref().and_then(|context| context.adapter.advice()) {
        notice = Some(advice.into());
    }
    let info = match &context {
        Some(Context { adapter, .. }) => {
            let (name, backend) = (adapter.name.clone(), adapter.backend.clone());
            DeviceInfo { name, backend, software: adapter.software, limits: adapter.limits }
        }
        None => DeviceInfo::cpu(),
    };
    Ok(Device { context, choice, info, notice })
}

/// Reuses the previous run's device, including its compiled kernels, if it is a GPU that this choice would open again and that
/// still works. Otherwise opens the requested device.
///
/// # Errors
/// As [`open_device`].
pub(super) async fn keep_or_open(before: Option<Device>, choice: BackendChoice) -> Result<Device, ContextError> {
    if let Some(device) = before.filter(|device| device.choice == choice)
        && let Some(context) = &device.context
        && answers(context).await
    {
        return Ok(device);
    }
    open_device(choice).await
}

/// Whether a device still works, which only a read can determine.
async fn answers(context: &Context) -> bool {
    let mut buffers = Buffers::default();
    let word = buffers.add("is it there", 1);
    match Backend::gpu(context, &buffers).await {
        Ok(mut backend) => backend.read(word).await.is_ok(),
        Err(_) => false,
    }
}

/// Checks whether this program's memory is sufficient for a new run, if it is computed on the CPU.
///
/// # Errors
/// What to lower if it is not.
pub(super) fn check_room(config: &RunConfig, device: &Device) -> Result<(), RoomError> {
    match device.context {
        Some(_) => Ok(()),
        None => memory::check_room(config),
    }
}

impl Session {
    /// Emits the device of a run.
    pub(super) fn tell_device(&mut self, run: RunId, device: &Device) {
        if let Some(message) = device.notice.clone() {
            self.tell(Event::Notice { run, message });
        }
        self.tell(Event::Device { run, device: device.info.clone() });
    }
}
