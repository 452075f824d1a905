//! What a sweep does next: repetitions of diverged runs, extensions of censored budgets, and the time that is left for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::isoflop::{Minimum, Unusable};
use super::plan::Plan;
use super::shape::{Shape, nearest};
use super::spec::{Outcome, Purpose, RunResult, SweepRun, reserved};
use super::table::{Budget, Run};
use super::variable::Variable;

/// How often one budget is extended.
const MAX_EXTENSIONS: usize = 3;

/// The runs of a sweep and the results so far, by id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// Specifications.
    pub specs: BTreeMap<String, SweepRun>,
    /// Results.
    pub results: BTreeMap<String, RunResult>,
}

/// Time, as CS336's third assignment counts it: finished runs are charged what they took, and all others reserve time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ledger {
    /// Allowed seconds; `None` without a limit.
    pub allowed_s: Option<f64>,
    /// Seconds of finished runs.
    pub charged_s: f64,
    /// Seconds that queued and running ones and the check run reserve.
    pub reserved_s: f64,
}

impl Ledger {
    /// Seconds that are neither charged nor reserved; infinite without a limit.
    pub fn free_s(&self) -> f64 {
        self.allowed_s.map_or(f64::INFINITY, |allowed| (allowed - self.charged_s - self.reserved_s).max(0.0))
    }
}

/// A run to add, or the reason why one that would help is not added.
#[derive(Clone, Debug, PartialEq)]
pub enum FollowUp {
    /// To be queued.
    Run(Box<SweepRun>),
    /// Left out, with the reason.
    Refused(String),
}

impl Sweep {
    /// The ledger of this sweep.
    pub fn ledger(&self, plan: &Plan) -> Ledger {
        let charged_s = self.results.values().map(|result| result.seconds).sum();
        let queued: f64 = self.open().iter().map(|spec| spec.reserved_s()).sum();
        let checked = self.specs.values().any(|spec| spec.purpose == Purpose::Check);
        let check = if checked { 0.0 } else { reserved(plan.check_s) };
        Ledger { allowed_s: plan.allowed_s, charged_s, reserved_s: queued + check }
    }

    /// All measured runs but those of checks.
    pub fn runs(&self) -> Vec<Run> {
        let counted = self.finished().filter(|(spec, _)| spec.purpose != Purpose::Check);
        counted.flat_map(|(spec, result)| result.runs(spec)).collect()
    }

    /// Runs with a result.
    pub fn finished(&self) -> impl Iterator<Item = (&SweepRun, &RunResult)> {
        self.results.iter().filter_map(|(id, result)| Some((self.specs.get(id)?, result)))
    }

    /// Runs without a result, the shortest first.
    pub fn open(&self) -> Vec<&SweepRun> {
        let mut open: Vec<&SweepRun> =
            self.specs.values().filter(|spec| !self.results.contains_key(&spec.id)).collect();
        open.sort_by(|a, b| a.expected_s.total_cmp(&b.expected_s));
        open
    }

    /// What the results so far require. Depends only on specifications and results, so that several programs that work on one
    /// sweep add the same runs.
    pub fn follow_ups(&self, plan: &Plan) -> Vec<FollowUp> {
        let mut ledger = self.ledger(plan);
        let wanted: Vec<SweepRun> = self.repetitions().chain(self.extensions(plan)).collect();
        let decide = |spec: SweepRun| {
            if let Some(problem) = spec.problem() {
                return FollowUp::Refused(format!("{} is not added: {problem}", spec.id));
            }
            let (needed, free) = (spec.reserved_s(), ledger.free_s());
            if needed > free {
                let reason =
                    format!("{} is not added: it would reserve {needed:.0} s, and {free:.0} s are free", spec.id);
                return FollowUp::Refused(reason);
            }
            ledger.reserved_s += needed;
            FollowUp::Run(Box::new(spec))
        };
        wanted.into_iter().map(decide).collect()
    }

    /// Runs that diverged once, at a lower learning rate.
    fn repetitions(&self) -> impl Iterator<Item = SweepRun> {
        let diverged =
            self.finished().filter(|(spec, result)| result.outcome == Outcome::Diverged && spec.attempt == 0);
        diverged.map(|(spec, _)| spec.slower()).filter(|slower| !self.specs.contains_key(&slower.id))
    }

    /// A size for each budget whose runs have all ended and whose minimum is not bracketed.
    fn extensions(&self, plan: &Plan) -> impl Iterator<Item = SweepRun> {
        let ladder = Shape::ladder(plan.request.task);
        let extended =
            plan.budgets.iter().filter_map(move |&budget| Some((budget, self.missing(plan, &ladder, budget)?)));
        extended.flat_map(move |(budget, shape)| {
            plan.request.seeds.iter().filter_map(move |&seed| {
                let mut spec = SweepRun::new(&shape, &[budget], &plan.settings, seed);
                spec.purpose = Purpose::Extension;
                (!self.specs.contains_key(&spec.id)).then_some(spec)
            })
        })
    }

    /// The next smaller or larger shape that a budget needs.
    fn missing(&self, plan: &Plan, ladder: &[Shape], budget: f64) -> Option<Shape> {
        if plan.request.variable != Variable::Size {
            return None;
        }
        let of_budget = |spec: &&SweepRun| {
            spec.purpose != Purpose::Check && spec.horizons.iter().any(|horizon| horizon.budget == budget)
        };
        let specs: Vec<&SweepRun> = self.specs.values().filter(of_budget).collect();
        let pending = |spec: &&SweepRun| match self.results.get(&spec.id) {
            None => true,
            Some(result) => {
                result.outcome == Outcome::Diverged && spec.attempt == 0 && {
                    !self.results.contains_key(&spec.slower().id)
                }
            }
        };
        let extensions = specs.iter().filter(|spec| spec.purpose == Purpose::Extension && spec.attempt == 0).count();
        if specs.iter().any(pending) || extensions >= MAX_EXTENSIONS * plan.request.seeds.len() {
            return None;
        }
        let smallest = specs.iter().map(|spec| spec.n_params).min()? as f64;
        let largest = specs.iter().map(|spec| spec.n_params).max()? as f64;
        let ratio = plan.request.size_ratio;
        let group = Budget { flops: budget, runs: self.runs_of(budget) };
        let target = match group.minimum(Minimum::Parabola(None)) {
            Err(Unusable::SmallestIsLowest) => smallest / ratio,
            Err(Unusable::LargestIsLowest | Unusable::TooFewSizes) => largest * ratio,
            _ => return None,
        };
        let beyond: Vec<Shape> = ladder
            .iter()
            .filter(|shape| {
                if target < smallest { (shape.n_params as f64) < smallest } else { shape.n_params as f64 > largest }
            })
            .cloned()
            .collect();
        nearest(&beyond, target).cloned()
    }

    /// Measured points of one nominal budget, by size.
    pub fn runs_of(&self, budget: f64) -> Vec<Run> {
        let counted = self.finished().filter(|(spec, _)| spec.purpose != Purpose::Check);
        let points = counted.flat_map(|(spec, result)| {
            let of_budget = result.points.iter().filter(move |point| point.budget == budget);
            of_budget.map(|point| spec.run(point.tokens, point.loss))
        });
        let mut runs: Vec<Run> = points.filter(Run::is_valid).collect();
        runs.sort_by(|a, b| a.n.total_cmp(&b.n));
        runs
    }

    /// Standard deviation of ln loss between seeds of equal runs; `None` without repetitions.
    pub fn seed_deviation(&self) -> Option<f64> {
        let mut groups: BTreeMap<(u64, u64), Vec<f64>> = BTreeMap::new();
        for (spec, result) in self.finished().filter(|(spec, _)| spec.purpose != Purpose::Check) {
            for point in result.points.iter().filter(|point| point.loss > 0.0) {
                groups.entry((spec.value().to_bits(), point.budget.to_bits())).or_default().push(point.loss.ln());
            }
        }
        let (mut squares, mut dof) = (0.0, 0.0);
        for losses in groups.values().filter(|losses| losses.len() > 1) {
            let mean = losses.iter().sum::<f64>() / losses.len() as f64;
            squares += losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>();
            dof += losses.len() as f64 - 1.0;
        }
        (dof > 0.0).then(|| (squares / dof).sqrt())
    }
}
