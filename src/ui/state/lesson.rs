//! What the lesson knows, and how it changes. Pure, as all of [`super`].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::tokenizer::Encoding;
use crate::protocol::lesson::{EMBEDDINGS, LessonCommand, LessonEvent, PairPoint, PairText, SEED, Sheet, WORDS};
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

/// A sentence as GPT-2's tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    /// The sentence.
    pub text: String,
    /// Its tokens.
    pub encoding: Rc<Encoding>,
    /// The text of the ids.
    pub decoded: String,
}

/// The two models that learn side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairState {
    /// All steps.
    pub points: Rc<Vec<PairPoint>>,
    /// What both wrote at last.
    pub written: Option<Rc<[PairText; 2]>>,
    /// Whether they learn.
    pub running: bool,
    /// On what.
    pub device: Option<DeviceInfo>,
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
    /// The number of X that is under change.
    pub edited: Option<usize>,
    /// The sentence as tokens, once it was asked for.
    pub tokens: Option<Tokens>,
    /// The token under the pointer or the keyboard.
    pub token_lit: Option<usize>,
    /// The two models.
    pub pair: PairState,
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
    /// So many steps on.
    Walk(isize),
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
    /// A number of X is to be changed, or none any more.
    Edit(Option<usize>),
    /// A token is under the pointer or the keyboard, or none.
    LightToken(Option<usize>),
    /// Something of the page's own went wrong.
    Problem(String),
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
            edited: None,
            tokens: None,
            token_lit: None,
            pair: PairState::default(),
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
            LessonAction::Edit(cell) => return self.edited = cell.filter(|&cell| cell < self.x.len()),
            LessonAction::LightToken(token) => return self.token_lit = token,
            LessonAction::Problem(message) => return self.problem = Some(message),
            LessonAction::Asked => return self.waiting = true,
            LessonAction::Walk(by) => return self.apply(LessonAction::Go(self.step.saturating_add_signed(by))),
            LessonAction::Go(step) => (self.step, self.edited) = (step.min(STEPS.len() - 1), None),
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
                let Self { step, backend, request, waiting, answer, reached, codes, tokens, pair, .. } = old;
                let kept = Self { step, backend, request, waiting, answer, ..Self::default() };
                *self = Self { reached, codes, tokens, pair, ..kept };
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
                self.answered = Some(request);
                self.answer = Some(Rc::new(Answer { step: self.step, device, sheet }));
                self.look_for_answer();
            }
            LessonEvent::Tokens { text, tokens, decoded } => {
                self.tokens = Some(Tokens { text, encoding: Encoding::new(0, tokens), decoded });
                self.look_for_answer();
            }
            LessonEvent::Pair { device, points, written, running } => {
                self.hear_pair(&points, written, running);
                self.pair.device = Some(device);
                self.look_for_answer();
            }
            LessonEvent::Code { kernel, wgsl } => drop(self.codes.insert(kernel, wgsl)),
            LessonEvent::Problem { message } => {
                (self.problem, self.waiting, self.answered) = (Some(message), false, Some(self.request));
                self.pair.running = false;
            }
        }
    }

    fn hear_pair(&mut self, points: &[PairPoint], written: Option<[PairText; 2]>, running: bool) {
        let pair = &mut self.pair;
        if points.first().is_some_and(|point| point.step == 1) {
            *pair = PairState::default();
        }
        Rc::make_mut(&mut pair.points).extend_from_slice(points);
        pair.written = written.map(Rc::new).or(pair.written.take());
        pair.running = running;
    }

    /// Whether what is shown answers the step's question.
    fn look_for_answer(&mut self) {
        let reached = self.sheet().is_some_and(|sheet| (STEPS[self.step].reached)(self, sheet));
        if reached {
            self.reached.insert(self.step);
        }
    }
}
