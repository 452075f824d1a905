//! The lesson's questions: exercises on a device of their own, and the files of kernels.

use super::device::{Device, open_device};
use crate::lesson::compute;
use crate::ops::KERNELS;
use crate::protocol::BackendChoice;
use crate::protocol::lesson::{Exercise, LessonCommand, LessonEvent};

/// The device that the lesson computes on, once it was needed.
#[derive(Default)]
pub(super) struct LessonDesk {
    device: Option<(BackendChoice, Device)>,
}

impl LessonDesk {
    /// Answers one command.
    pub(super) async fn answer(&mut self, command: LessonCommand) -> LessonEvent {
        let result = match command {
            LessonCommand::Compute { request, backend, exercise } => self.compute(request, backend, exercise).await,
            LessonCommand::Code { kernel } => code(kernel),
        };
        result.unwrap_or_else(|message| LessonEvent::Problem { message })
    }

    async fn compute(
        &mut self,
        request: u32,
        backend: BackendChoice,
        exercise: Exercise,
    ) -> Result<LessonEvent, String> {
        let (_, device) = match self.device.take().filter(|(choice, _)| *choice == backend) {
            Some(open) => self.device.insert(open),
            None => self.device.insert((backend, open_device(backend).await?)),
        };
        match compute(&exercise, device.context.as_ref()).await {
            Ok(sheet) => Ok(LessonEvent::Computed { request, device: device.info.clone(), sheet }),
            Err(error) => {
                self.device = None; // the next question opens it anew
                Err(error.to_string())
            }
        }
    }
}

/// The operation's own file, which is the last of a kernel's sources.
fn code(kernel: String) -> Result<LessonEvent, String> {
    let known = KERNELS.iter().find(|known| known.name == kernel).and_then(|known| known.wgsl.last());
    match known {
        Some(wgsl) => Ok(LessonEvent::Code { wgsl: (*wgsl).into(), kernel }),
        None => Err(format!("There is no kernel {kernel}; reload the page, which may be older than its worker.")),
    }
}
