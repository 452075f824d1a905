//! Commands of the lesson: exercises on a separate device, tokens, two models trained in parallel, sources of kernels.

use self::pair::Pair;
use super::Session;
use super::device::{Device, open_device};
use super::error::ServeError;
use crate::lesson::compute;
use crate::ops::KERNELS;
use crate::types::BackendChoice;
use crate::types::lesson::Exercise;
use crate::wire::Event;
use crate::wire::lesson::{LessonCommand, LessonEvent};

mod pair;

/// The exercises' device, and the two models with theirs; created when first needed.
#[derive(Default)]
pub(super) struct LessonDesk {
    device: Option<(BackendChoice, Device)>,
    pair: Option<PairOnDevice>,
    /// Whether the two models are being trained.
    training: bool,
}

struct PairOnDevice {
    pair: Pair,
    backend: BackendChoice,
    device: Device,
}

impl Session {
    /// Handles one command of the lesson.
    pub(super) async fn answer_lesson(&mut self, command: LessonCommand) {
        let result = match command {
            LessonCommand::Compute { request, backend, exercise } => {
                self.lesson.compute(request, backend, exercise).await
            }
            LessonCommand::Code { kernel } => code(kernel),
            LessonCommand::Tokens { text } => self.vocabularies.gpt2_tokens(text).map_err(ServeError::from),
            LessonCommand::TrainPair { backend } => self.lesson.train_pair(backend).await,
            LessonCommand::PausePair => self.lesson.pause_pair(),
        };
        self.tell_lesson(result);
    }

    /// Trains the two models for a short time; returns whether training continues.
    pub(super) async fn work_on_lesson(&mut self) -> bool {
        if self.lesson.training {
            let result = self.lesson.work().await;
            self.tell_lesson(result);
        }
        self.lesson.training
    }

    fn tell_lesson(&mut self, result: Result<LessonEvent, ServeError>) {
        let event = result.unwrap_or_else(|error| LessonEvent::Problem { message: error.to_string() });
        self.tell(Event::Lesson(event));
    }
}

impl LessonDesk {
    /// The device; opened if necessary.
    async fn device(&mut self, backend: BackendChoice) -> Result<&Device, ServeError> {
        let (_, device) = match self.device.take().filter(|(choice, _)| *choice == backend) {
            Some(open) => self.device.insert(open),
            None => self.device.insert((backend, open_device(backend).await?)),
        };
        Ok(device)
    }

    async fn compute(
        &mut self,
        request: u32,
        backend: BackendChoice,
        exercise: Exercise,
    ) -> Result<LessonEvent, ServeError> {
        let device = self.device(backend).await?;
        match compute(&exercise, device.context.as_ref()).await {
            Ok(sheet) => Ok(LessonEvent::Computed { request, device: device.info.clone(), sheet }),
            Err(error) => {
                self.device = None; // reopened by the next command
                Err(error.into())
            }
        }
    }

    /// Starts or resumes training.
    async fn train_pair(&mut self, backend: BackendChoice) -> Result<LessonEvent, ServeError> {
        let kept = self.pair.take().filter(|kept| kept.backend == backend && !kept.pair.done());
        let on_device = match kept {
            Some(kept) => kept,
            None => {
                let device = open_device(backend).await?;
                let pair = Pair::new(device.context.as_ref()).await?;
                PairOnDevice { pair, backend, device }
            }
        };
        let info = self.pair.insert(on_device).device.info.clone();
        self.training = true;
        Ok(LessonEvent::Pair { device: info, points: Vec::new(), written: None, running: true })
    }

    fn pause_pair(&mut self) -> Result<LessonEvent, ServeError> {
        self.training = false;
        let kept = self.pair.as_ref().ok_or(ServeError::NothingToPause)?;
        Ok(LessonEvent::Pair { device: kept.device.info.clone(), points: Vec::new(), written: None, running: false })
    }

    async fn work(&mut self) -> Result<LessonEvent, ServeError> {
        let result = self.train().await;
        if result.is_err() {
            (self.training, self.pair) = (false, None);
        }
        result
    }

    async fn train(&mut self) -> Result<LessonEvent, ServeError> {
        let PairOnDevice { pair, device, .. } = self.pair.as_mut().ok_or(ServeError::NoPair)?;
        let points = pair.train().await?;
        let written = match pair.writes_now() {
            true => Some(pair.write().await?),
            false => None,
        };
        self.training = !pair.done();
        Ok(LessonEvent::Pair { device: device.info.clone(), points, written, running: self.training })
    }
}

/// The operation's own WGSL file, which is the last of a kernel's sources.
fn code(kernel: String) -> Result<LessonEvent, ServeError> {
    let known = KERNELS.iter().find(|known| known.name == kernel).and_then(|known| known.wgsl.last());
    match known {
        Some(wgsl) => Ok(LessonEvent::Code { wgsl: (*wgsl).into(), kernel }),
        None => Err(ServeError::NoKernel { name: kernel }),
    }
}
