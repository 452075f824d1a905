//! The first error that a device reports outside of an error scope. It is registered once per device and shared by
//! everything that computes on the device.

use std::sync::{Arc, Mutex, PoisonError};

use super::error::ExecuteError;

/// Shared by the device's callbacks and all backends of a context.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<Mutex<Option<ExecuteError>>>);

impl Fault {
    /// Registers the callbacks of a new device.
    pub fn watch(device: &wgpu::Device) -> Self {
        let fault = Self::default();
        let of_errors = fault.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| of_errors.keep(classify(&error))));
        let of_loss = fault.clone();
        device.set_device_lost_callback(move |reason, message| {
            let why = format!("{reason:?}: {}", message.trim());
            of_loss.keep(ExecuteError::DeviceLost(why.trim_end_matches(": ").into()));
        });
        fault
    }

    /// Stores the first error. Device loss and lack of memory replace a rejected command, which is their consequence.
    pub fn keep(&self, error: ExecuteError) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*first, &error) {
            (None, _) => *first = Some(error),
            (Some(ExecuteError::Refused(_)), ExecuteError::DeviceLost(_) | ExecuteError::OutOfMemory(_)) => {
                *first = Some(error);
            }
            _ => (),
        }
    }

    /// Fails if the device has reported an error.
    ///
    /// # Errors
    /// The first error that the device has reported.
    pub fn check(&self) -> Result<(), ExecuteError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }
}

/// Maps an uncaptured wgpu error to an [`ExecuteError`].
pub(super) fn classify(error: &wgpu::Error) -> ExecuteError {
    let text = error.to_string();
    match error {
        _ if text.contains("is lost") => ExecuteError::DeviceLost(text),
        wgpu::Error::OutOfMemory { .. } => ExecuteError::OutOfMemory(text),
        _ => ExecuteError::Refused(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_classified() {
        let error = wgpu::Error::OutOfMemory { source: "no memory for the buffer “uploads”".into() };
        assert!(matches!(classify(&error), ExecuteError::OutOfMemory(_)));
        let refused = |text: &str| classify(&wgpu::Error::Validation { source: text.into(), description: text.into() });
        assert!(matches!(refused("a binding is missing"), ExecuteError::Refused(_)));
        assert!(matches!(refused("Device with “glasshead” label is lost"), ExecuteError::DeviceLost(_)));
    }
}
