//! What the lesson knows, and how it changes. Pure, as all of [`super`].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::protocol::lesson::{EMBEDDINGS, LessonCommand, LessonEvent, SEED, Sheet, WORDS};
use crate::protocol::{BackendChoice, DeviceInfo};
use crate::ui::lesson::steps::STEPS;

/// An exercise, computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Of which step.
    pub step: usize,
    /// On what.
    pub device: DeviceInfo,
    /// The matrices.
    pub sheet: Sheet,
}

/// A cell: matrix, row, column.
pub type Cell = (usize, usize, usize);

/// Everything that the lesson shows.
#[derive(Clone, Debug, PartialEq)]
pub struct LessonState {
    /// The step on the screen.
    pub step: usize,
    /// X, row-major.
    pub x: Vec<f32>,
    /// The row that is held through all steps.
    pub query: usize,
    /// The seed of all weights.
    pub seed: u64,
    /// The control of each step, where it is a number or a choice.
    pub controls: Vec<f64>,
    /// Who computes.
    pub backend: BackendChoice,
    /// Counts the changes that need a new answer.
    pub request: u32,
    /// The request that was answered last.
    pub answered: Option<u32>,
    /// Whether the worker has a question.
    pub waiting: bool,
    /// What it answered.
    pub answer: Option<Rc<Answer>>,
    /// The cell under the pointer or the keyboard.
    pub lit: Option<Cell>,
    /// Steps whose question was answered.
    pub reached: BTreeSet<usize>,
    /// Files of kernels, by the kernel's name.
    pub codes: BTreeMap<String, String>,
    /// What went wrong.
    pub problem: Option<String>,
}

/// What can happen in the lesson.
#[derive(Clone, Debug)]
pub enum LessonAction {
    /// Another step; beyond the last it stays at the last.
    Go(usize),
    /// Another number in X.
    Embedding(usize, f32),
    /// Another row is held.
    Query(usize),
    /// Another seed.
    Seed(u64),
    /// The step's own control.
    Control(f64),
    /// Someone else computes.
    Backend(BackendChoice),
    /// All inputs as they were at first.
    Reset,
    /// The present request was sent.
    Asked,
    /// A cell is under the pointer or the keyboard, or none.
    Light(Option<Cell>),
}

impl Default for LessonState {
    fn default() -> Self {
        Self {
            step: 0,
            x: EMBEDDINGS.into(),
            query: 1,
            seed: SEED,
            controls: STEPS.iter().map(|step| step.control.first()).collect(),
            backend: BackendChoice::Auto,
            request: 0,
            answered: None,
            waiting: false,
            answer: None,
            lit: None,
            reached: BTreeSet::new(),
            codes: BTreeMap::new(),
            problem: None,
        }
    }
}

impl LessonState {
    /// The number of the present step's control.
    pub fn control(&self) -> f64 {
        self.controls[self.step]
    }

    /// What to ask the worker now: nothing while it has a question, so that of many changes only the latest is computed.
    pub fn question(&self) -> Option<LessonCommand> {
        if self.waiting || self.answered == Some(self.request) {
            return None;
        }
        let exercise = (STEPS[self.step].exercise)(self);
        Some(LessonCommand::Compute { request: self.request, backend: self.backend, exercise })
    }

    /// The matrices of the present step, once they came.
    pub fn sheet(&self) -> Option<&Sheet> {
        self.answer.as_ref().filter(|answer| answer.step == self.step).map(|answer| &answer.sheet)
    }

    /// Carries out one action.
    pub fn apply(&mut self, action: LessonAction) {
        match action {
            LessonAction::Light(cell) => return self.lit = cell,
            LessonAction::Asked => return self.waiting = true,
            LessonAction::Go(step) => (self.step, self.lit) = (step.min(STEPS.len() - 1), None),
            LessonAction::Embedding(cell, value) => {
                if let Some(cell) = self.x.get_mut(cell) {
                    *cell = value;
                }
            }
            LessonAction::Query(query) => self.query = query.min(WORDS.len() - 1),
            LessonAction::Seed(seed) => self.seed = seed,
            LessonAction::Control(value) => self.controls[self.step] = value,
            LessonAction::Backend(backend) => self.backend = backend,
            LessonAction::Reset => {
                let old = std::mem::take(self);
                let Self { step, backend, request, waiting, answer, reached, codes, .. } = old;
                *self = Self { step, backend, request, waiting, answer, reached, codes, ..Self::default() };
            }
        }
        self.request += 1;
        (self.problem, self.lit) = (None, None);
    }

    /// Takes over what the worker said.
    pub fn hear(&mut self, event: LessonEvent) {
        match event {
            LessonEvent::Computed { request, device, sheet } => {
                self.waiting = false;
                if request != self.request {
                    return; // the inputs have changed meanwhile, and the page asks again
                }
                if (STEPS[self.step].reached)(self, &sheet) {
                    self.reached.insert(self.step);
                }
                self.answered = Some(request);
                self.answer = Some(Rc::new(Answer { step: self.step, device, sheet }));
            }
            LessonEvent::Code { kernel, wgsl } => drop(self.codes.insert(kernel, wgsl)),
            LessonEvent::Problem { message } => {
                (self.problem, self.waiting, self.answered) = (Some(message), false, Some(self.request));
            }
        }
    }
}
