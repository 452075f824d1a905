//! The state of the lesson. Pure, like all of [`super`].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::tokenizer::Encoding;
use crate::lesson::steps::STEPS;
use glasshead::types::lesson::{EMBEDDINGS, PairPoint, PairText, SEED, Sheet, WORDS};
use glasshead::types::{BackendChoice, DeviceInfo};
use glasshead::wire::lesson::{LessonCommand, LessonEvent};

/// A computed exercise.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The step that it belongs to.
    pub step: usize,
    /// The device that computed it.
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
    /// The text decoded from the ids.
    pub decoded: String,
}

/// The two models trained side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairState {
    /// The losses of all steps.
    pub points: Rc<Vec<PairPoint>>,
    /// The latest sample texts of both.
    pub written: Option<Rc<[PairText; 2]>>,
    /// Whether they are training.
    pub running: bool,
    /// The device that computes.
    pub device: Option<DeviceInfo>,
}

/// A cell: matrix, row, column.
pub type Cell = (usize, usize, usize);

/// The state of the lesson.
#[derive(Clone, Debug, PartialEq)]
pub struct LessonState {
    /// The current step.
    pub step: usize,
    /// X, row-major.
    pub x: Vec<f32>,
    /// The selected row, kept across steps.
    pub query: usize,
    /// The seed of all weights.
    pub seed: u64,
    /// The number or choice of each step's control.
    pub controls: Vec<f64>,
    /// The backend that computes.
    pub backend: BackendChoice,
    /// Counts the changes that need a new computation.
    pub request: u32,
    /// The last request that was answered.
    pub answered: Option<u32>,
    /// Whether a request is pending.
    pub waiting: bool,
    /// The latest computed exercise.
    pub answer: Option<Rc<Answer>>,
    /// The highlighted cell.
    pub lit: Option<Cell>,
    /// Steps whose question was answered.
    pub reached: BTreeSet<usize>,
    /// The index of the number of X being edited.
    pub edited: Option<usize>,
    /// The sentence as tokens, once requested.
    pub tokens: Option<Tokens>,
    /// The highlighted token.
    pub token_lit: Option<usize>,
    /// The two models trained side by side.
    pub pair: PairState,
    /// Shader source files by kernel name.
    pub codes: BTreeMap<String, String>,
    /// The error message, if any.
    pub problem: Option<String>,
}

/// Actions in the lesson.
#[derive(Clone, Debug)]
pub enum LessonAction {
    /// Goes to a step, at most the last.
    Go(usize),
    /// Moves by this many steps.
    Walk(isize),
    /// Sets a number of X.
    Embedding(usize, f32),
    /// Selects a row.
    Query(usize),
    /// Sets the seed.
    Seed(u64),
    /// Sets the step's control.
    Control(f64),
    /// Sets the backend.
    Backend(BackendChoice),
    /// Resets all inputs to their defaults.
    Reset,
    /// The current request was sent.
    Asked,
    /// Highlights a cell, or none.
    Light(Option<Cell>),
    /// Starts editing a number of X, or stops.
    Edit(Option<usize>),
    /// Highlights a token, or none.
    LightToken(Option<usize>),
    /// An error of the page itself.
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
    /// The value of the current step's control.
    pub fn control(&self) -> f64 {
        self.controls[self.step]
    }

    /// The next request to the worker; none while one is pending, so that of several changes only the latest is
    /// computed.
    pub fn question(&self) -> Option<LessonCommand> {
        if self.waiting || self.answered == Some(self.request) {
            return None;
        }
        let exercise = (STEPS[self.step].exercise)(self);
        Some(LessonCommand::Compute { request: self.request, backend: self.backend, exercise })
    }

    /// The matrices of the current step, once computed.
    pub fn sheet(&self) -> Option<&Sheet> {
        self.answer.as_ref().filter(|answer| answer.step == self.step).map(|answer| &answer.sheet)
    }

    /// Applies an action.
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

    /// Handles an event from the worker.
    pub fn hear(&mut self, event: LessonEvent) {
        match event {
            LessonEvent::Computed { request, device, sheet } => {
                self.waiting = false;
                if request != self.request {
                    return; // the inputs have changed since; a new request follows
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

    /// Checks whether the current sheet answers the step's question.
    fn look_for_answer(&mut self) {
        let reached = self.sheet().is_some_and(|sheet| (STEPS[self.step].reached)(self, sheet));
        if reached {
            self.reached.insert(self.step);
        }
    }
}
