//! What a sweep does next: measurements, the plan, the pilot, runs that follow from results, the check of a prediction. Pure.

use std::rc::Rc;

use super::state::{Compared, Scale, ScaleAction};
use crate::maps::Plane;
use crate::state::Maps;
use crate::state::queue::{Item, ItemState, Queue};
use glasshead::scaling::check::{CHANGED, History, check_run, conclusion, seal};
use glasshead::scaling::fit::Settings;
use glasshead::scaling::pilot::Trial;
use glasshead::scaling::plan::Plan;
use glasshead::scaling::planner::{pilot_run, trial, usual_lr};
use glasshead::scaling::shape::Shape;
use glasshead::scaling::spec::{Outcome, Point, RunResult, SweepRun};
use glasshead::scaling::sweep::{FollowUp, Ledger};
use glasshead::scaling::variable::Variable;
use glasshead::types::queue::QueueEnd;
use glasshead::types::{BackendChoice, CorpusChoice};
use glasshead::wire::queue::QueueEvent;

/// Resamples of the prediction's intervals.
const RESAMPLES: usize = 1000;

/// Where a sweep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There is no plan.
    Empty,
    /// Speeds are being measured.
    Measuring,
    /// Runs were not started yet.
    Planned,
    /// The learning rate is being found.
    Pilot,
    /// Runs are left.
    Runs,
    /// All runs have ended, and no prediction is open.
    Complete,
    /// A prediction is sealed.
    Sealed,
    /// Its check run is left.
    Checking,
}

impl Scale {
    /// Where the sweep is.
    pub fn stage(&self) -> Stage {
        let sweep = &self.sweep;
        if !self.waiting.is_empty() {
            Stage::Measuring
        } else if sweep.plan.is_none() {
            Stage::Empty
        } else if !sweep.started {
            Stage::Planned
        } else if !sweep.tuned {
            Stage::Pilot
        } else if sweep.history.open().is_some() {
            if sweep.checking { Stage::Checking } else { Stage::Sealed }
        } else if sweep.runs.open().is_empty() {
            Stage::Complete
        } else {
            Stage::Runs
        }
    }

    /// Applies an action. `setup`: the text and the backend that Train has selected.
    pub fn apply(&mut self, action: ScaleAction, queue: &mut Queue, setup: (CorpusChoice, BackendChoice)) {
        match action {
            ScaleAction::Enter(field, text) => {
                let entered = self.form.enter(field, &text);
                self.refused = entered.err().map(|error| (field, text, error.to_string()));
            }
            ScaleAction::Schedule(schedule) => self.form.schedule = schedule,
            ScaleAction::Variable(variable) => self.form.variable = variable,
            ScaleAction::Plan => self.begin_plan(queue, setup),
            ScaleAction::Start => self.start(queue),
            ScaleAction::New => self.begin_new(queue),
            ScaleAction::Method(method) => self.method = method,
            ScaleAction::Quantity(quantity) => self.quantity = quantity,
            ScaleAction::Open(name, bytes) => self.open(name, &bytes),
            ScaleAction::CloseForeign => (self.foreign, self.problem) = (None, None),
            ScaleAction::Point(id) => self.pointed = id,
            ScaleAction::Seal(time) => self.seal(time),
            ScaleAction::Check => {
                self.sweep.checking = true;
                queue.on = true;
            }
            ScaleAction::BreakSeal(reason, time) => self.break_seal(&reason, time),
            ScaleAction::Compare(open) => self.compare(open, queue),
            ScaleAction::Sentence(sentence) => {
                self.compared.sentence = sentence;
                self.compared.models.iter_mut().for_each(|(_, maps)| *maps = None);
            }
            ScaleAction::Head(at, plane) => {
                if let Some(shown) = self.compared.shown.get_mut(at) {
                    *shown = plane;
                }
            }
            ScaleAction::Loaded(json) => return self.load(json.as_deref()),
        }
        self.revision += 1;
        self.advance(queue);
    }

    fn begin_new(&mut self, queue: &mut Queue) {
        let old = std::mem::take(&mut self.sweep);
        queue.items.retain(|item| item.run.list != old.list() || queue.active.as_ref() == Some(&item.run.id));
        queue.revision += 1;
        self.sweep.earlier = old.earlier;
        if !old.history.sealed.is_empty() {
            self.sweep.earlier.push((format!("Sweep {}", old.number), old.history));
        }
        self.sweep.number = old.number + 1;
        (self.problem, self.waiting, self.compared) = (None, Vec::new(), Compared::default());
        self.not_added.clear();
    }

    fn begin_plan(&mut self, queue: &mut Queue, (corpus, backend): (CorpusChoice, BackendChoice)) {
        if self.sweep.started || self.sweep.number == 0 {
            self.begin_new(queue);
        }
        (self.problem, self.foreign) = (None, None);
        let sweep = &mut self.sweep;
        (sweep.corpus, sweep.backend) = (Some(corpus), Some(backend));
        (sweep.form, sweep.plan) = (self.form.clone(), None);
        sweep.planner = Some(self.form.planner());
        self.measure();
    }

    /// Requests the measurements that the planner needs next, or makes the plan.
    fn measure(&mut self) {
        let Some(planner) = &mut self.sweep.planner else { return };
        match planner.to_measure() {
            Ok(shapes) if shapes.is_empty() => match planner.plan() {
                Ok(plan) => self.sweep.plan = Some(plan),
                Err(error) => self.problem = Some(format!("{error}.")),
            },
            Ok(shapes) => {
                let settings = &planner.settings;
                let config = |shape: &Shape| SweepRun::new(shape, &[1e9], settings, 1).config;
                self.waiting = shapes.iter().map(config).collect();
                self.measurements += 1;
            }
            Err(error) => self.problem = Some(format!("{error}.")),
        }
    }

    fn start(&mut self, queue: &mut Queue) {
        if self.sweep.plan.is_some() {
            self.sweep.started = true;
            queue.on = true;
            let list = self.sweep.list();
            for item in queue.items.iter_mut().filter(|item| item.run.list == list) {
                if matches!(item.end(), Some(QueueEnd::Failed { .. })) {
                    item.state = if item.saved.is_some() { ItemState::Stopped } else { ItemState::Waiting };
                }
            }
        }
    }

    fn seal(&mut self, time: u64) {
        let Some(plan) = self.sweep.plan.clone() else { return };
        let settings = Settings { resamples: RESAMPLES, seed: 1 };
        match seal((&plan, &self.sweep.runs, &self.sweep.history), None, settings, time) {
            Ok(sealed) => {
                self.problem = None;
                self.sweep.history.sealed.push(sealed);
                self.sweep.checking = false;
            }
            Err(error) => self.problem = Some(format!("No prediction: {error}.")),
        }
    }

    fn break_seal(&mut self, reason: &str, time: u64) {
        let history = &mut self.sweep.history;
        if let Some(open) = history.open() {
            let broken = History::broken(open, reason, time);
            history.afterwards.push(broken);
            self.sweep.checking = false;
        }
    }

    /// Handles the queue's events that are not about its runs: speeds and maps.
    pub fn hear(&mut self, event: &QueueEvent, bytes: Option<&Rc<[u8]>>) {
        match event {
            QueueEvent::Measured { config, tokens_per_s, problem } => {
                let before = self.waiting.len();
                self.waiting.retain(|waiting| waiting.model != config.model);
                if self.waiting.len() == before {
                    return; // of an earlier plan
                }
                let Some(planner) = &mut self.sweep.planner else { return };
                match tokens_per_s {
                    Some(speed) => planner.settings.speed.add(config.model.n_params(), *speed),
                    None => {
                        self.waiting.clear();
                        self.problem = problem.clone();
                        return;
                    }
                }
                if self.waiting.is_empty() {
                    self.measure();
                    self.revision += 1;
                }
            }
            QueueEvent::Maps { id, tokens, n_layers, n_heads, problem } => {
                self.compared.problem.clone_from(problem);
                let Some((_, maps)) = self.compared.models.iter_mut().find(|(model, _)| model == id) else { return };
                let bytes = bytes.cloned().unwrap_or_else(|| Rc::from([]));
                *maps =
                    problem.is_none().then(|| Rc::new(Maps::of_event(tokens.clone(), (*n_layers, *n_heads), &bytes)));
            }
            _ => (),
        }
    }

    /// Takes results from the queue, and adds the runs that follow from them.
    pub fn advance(&mut self, queue: &mut Queue) {
        let before = self.sweep.runs.results.len();
        let Some(plan) = self.sweep.plan.clone().filter(|_| self.sweep.started && self.loaded && queue.loaded) else {
            return;
        };
        let ended: Vec<Item> = queue.of_list(&self.sweep.list()).filter(|item| item.is_over()).cloned().collect();
        if !self.sweep.tuned && !self.tune(&plan, &ended, queue) {
            return;
        }
        let Some(plan) = self.sweep.plan.clone() else { return };
        self.take_results(&ended);
        for follow_up in self.sweep.runs.follow_ups(&plan) {
            match follow_up {
                FollowUp::Run(run) => drop(self.sweep.runs.specs.insert(run.id.clone(), *run)),
                FollowUp::Refused(reason) if !self.not_added.contains(&reason) => self.not_added.push(reason),
                FollowUp::Refused(_) => (),
            }
        }
        if self.sweep.checking {
            self.check(&plan);
        }
        let open: Vec<SweepRun> = self.sweep.runs.open().into_iter().cloned().collect();
        queue.add(open.iter().map(|run| self.sweep.queued(run)));
        self.revision += u64::from(self.sweep.runs.results.len() != before);
    }

    /// Adds the pilot's next run; returns whether the learning rate is final.
    fn tune(&mut self, plan: &Plan, ended: &[Item], queue: &mut Queue) -> bool {
        let sweep = &mut self.sweep;
        for item in ended {
            let (lr, loss) = (item.run.config.train.max_lr, item.progress.reached.first().map(|reached| reached.loss));
            sweep.pilot.add(Trial { lr, loss: loss.filter(|_| item.end() == Some(&QueueEnd::Done)) });
        }
        let Some(run) = pilot_run(plan).filter(|_| sweep.form.lr.is_none()) else { return self.tuned() };
        match sweep.pilot.next(usual_lr(run.n_params, 0.5)) {
            Some(lr) => {
                let run = sweep.queued(&trial(run, lr));
                queue.add([run]);
                false
            }
            None => self.tuned(),
        }
    }

    fn tuned(&mut self) -> bool {
        let sweep = &mut self.sweep;
        let Some(planner) = &mut sweep.planner else { return false };
        match planner.plan_with(&sweep.pilot) {
            Ok(plan) => {
                sweep.runs.specs = plan.runs.iter().map(|run| (run.id.clone(), run.clone())).collect();
                (sweep.plan, sweep.tuned) = (Some(plan), true);
                self.revision += 1;
                true
            }
            Err(error) => {
                self.problem = Some(format!("{error}."));
                false
            }
        }
    }

    fn take_results(&mut self, ended: &[Item]) {
        let per_byte = self.variable() == Variable::Vocabulary;
        let sweep = &mut self.sweep;
        for item in ended {
            let bytes = item.progress.bytes_per_token.filter(|_| per_byte).unwrap_or(1.0);
            let Some(spec) = sweep.spec_of(&item.run.id).cloned() else { continue };
            let outcome = match item.end() {
                Some(QueueEnd::Done) => Outcome::Done,
                Some(QueueEnd::Diverged) => Outcome::Diverged,
                Some(QueueEnd::Overtime) => Outcome::Overtime,
                Some(QueueEnd::Failed { .. }) | None => continue,
            };
            let points = spec.horizons.iter().zip(&item.progress.reached).map(|(horizon, reached)| Point {
                budget: horizon.budget,
                tokens: spec.tokens(horizon.steps),
                loss: reached.loss / bytes,
            });
            let points = points.collect();
            let result = RunResult { id: spec.id.clone(), outcome, points, seconds: item.progress.seconds };
            sweep.runs.results.insert(spec.id, result);
        }
    }

    /// Adds the check run of the open prediction, or draws the conclusion from its result.
    fn check(&mut self, plan: &Plan) {
        let sweep = &mut self.sweep;
        let Some(sealed) = sweep.history.open().cloned() else { return };
        if sweep.history.changed().is_some() {
            let time = sealed.prediction.time_unix_s;
            sweep.history.afterwards.push(History::broken(&sealed, CHANGED, time));
            return;
        }
        match check_run(plan, &sealed) {
            Ok(run) => {
                if let Some(result) = sweep.runs.results.get(&run.id) {
                    let after = conclusion(&sealed, result, sealed.prediction.time_unix_s);
                    sweep.history.afterwards.push(after);
                    sweep.checking = false;
                    self.revision += 1;
                } else {
                    sweep.runs.specs.entry(run.id.clone()).or_insert(run);
                }
            }
            Err(error) => self.problem = Some(format!("{error}.")),
        }
    }

    /// The time of the sweep.
    pub fn ledger(&self) -> Option<Ledger> {
        self.sweep.plan.as_ref().map(|plan| match self.sweep.tuned {
            true => self.sweep.runs.ledger(plan),
            false => Ledger { allowed_s: plan.allowed_s, charged_s: 0.0, reserved_s: plan.reserved_s() },
        })
    }

    fn compare(&mut self, open: bool, queue: &Queue) {
        self.compared.open = open;
        let models = self.sweep.extremes(queue);
        if open && self.compared.models.iter().map(|(id, _)| id).ne(&models) {
            self.compared.shown = vec![Plane::Head(0, 0); models.len()];
            self.compared.models = models.into_iter().map(|id| (id, None)).collect();
        }
    }
}
