//! The fits as the charts show them: a curve for each budget, the best size over compute with its band, and sentences. Pure.

use super::geometry::{amount, flops, value_text};
use super::state::{Method, Quantity};
use glasshead::scaling::fit::{LawFit, LeftOut, Settings, SizeFit, fit_law, fit_size};
use glasshead::scaling::isoflop::{Minimum, Optimum, Unusable};
use glasshead::scaling::law::Law;
use glasshead::scaling::limits::short;
use glasshead::scaling::linear::{Parabola, PowerLaw};
use glasshead::scaling::table::{Budget, FLOPS_PER_PARAM_AND_TOKEN, Run};
use glasshead::scaling::variable::Variable;

/// Number of bootstrap resamples. Large tables of other programs get fewer, because the page waits for them.
const RESAMPLES: [usize; 2] = [400, 60];

/// Tables with more runs than this are large.
const LARGE: usize = 400;

/// Points of a curve.
const POINTS: usize = 48;

/// A budget in the chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// C, in FLOPs.
    pub c: f64,
    /// Its runs, by size.
    pub runs: Vec<Run>,
    /// The fitted curve: (N, loss); empty without one.
    pub curve: Vec<(f64, f64)>,
    /// Its minimum, if it counts.
    pub optimum: Option<Optimum>,
    /// Why it does not count.
    pub unusable: Option<Unusable>,
}

/// The best value over compute, with a band from the resamples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trend {
    /// The minima: (C, value).
    pub points: Vec<(f64, f64)>,
    /// (C, value, low, high); empty without a fit.
    pub line: Vec<[f64; 4]>,
}

/// A fit by one method.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The budgets.
    pub series: Vec<Series>,
    /// The exponent of N, and its 95 % interval.
    pub exponent: Option<(f64, Option<[f64; 2]>)>,
    /// The law, as text.
    pub law: String,
    /// Intervals and errors of left-out budgets.
    pub facts: Vec<String>,
    /// What the fit does not support, or why there is none.
    pub limits: Vec<String>,
    /// N = a·C^b.
    pub size: Option<PowerLaw>,
    draws: Vec<PowerLaw>,
    parametric: Option<(Law, Vec<Law>)>,
}

impl Fitted {
    /// Fits the runs.
    pub fn new(runs: &[Run], method: Method) -> Self {
        let resamples = RESAMPLES[usize::from(runs.len() > LARGE)];
        let settings = Settings { resamples, seed: 1 };
        match method {
            Method::Lowest => Self::of_sizes(runs, Minimum::Lowest, settings),
            Method::Parabola => Self::of_sizes(runs, Minimum::Parabola(None), settings),
            Method::Parametric => Self::of_law(runs, settings),
        }
    }

    fn empty(runs: &[Run], minimum: Minimum) -> Self {
        let (law, facts, limits, draws) = (String::new(), Vec::new(), Vec::new(), Vec::new());
        let series = series(runs, minimum);
        Self { series, exponent: None, law, facts, limits, size: None, draws, parametric: None }
    }

    fn of_sizes(runs: &[Run], minimum: Minimum, settings: Settings) -> Self {
        let mut fitted = Self::empty(runs, minimum);
        match fit_size(runs, minimum, settings) {
            Ok(fit) => fitted.take_sizes(fit),
            Err(error) => fitted.limits.push(sentence(&error.to_string())),
        }
        fitted
    }

    fn take_sizes(&mut self, fit: SizeFit) {
        let interval = fit.intervals.map(|intervals| [intervals.b.low, intervals.b.high]);
        self.exponent = Some((fit.b, interval));
        self.law = format!("N = {} · C^{:.3}", short(fit.a), fit.b);
        self.size = Some(PowerLaw { coefficient: fit.a, exponent: fit.b });
        self.facts.extend(interval.map(|[low, high]| format!("Exponent {:.3}, 95 %: {low:.3} to {high:.3}", fit.b)));
        self.facts.extend(fit.leave_one_budget_out.as_ref().map(left_out));
        (self.limits, self.draws) = (fit.limits, fit.draws);
    }

    fn of_law(runs: &[Run], settings: Settings) -> Self {
        let mut fitted = Self::empty(runs, Minimum::Parabola(None));
        fitted.series.iter_mut().for_each(|series| series.curve.clear());
        match fit_law(runs, settings) {
            Ok(fit) => fitted.take_law(fit),
            Err(error) => fitted.limits.push(sentence(&error.to_string())),
        }
        fitted
    }

    fn take_law(&mut self, fit: LawFit) {
        let LawFit { law, .. } = fit;
        for series in &mut self.series {
            let c = series.c;
            series.curve = over(&series.runs).map(|n| (n, law.loss(n, c / (FLOPS_PER_PARAM_AND_TOKEN * n)))).collect();
        }
        let interval = fit.optimal_exponent.map(|interval| [interval.low, interval.high]);
        self.exponent = fit.optimal_size.map(|size| (size.exponent, interval));
        let [a, b] = [law.a, law.b].map(short);
        self.law = format!("L = {:.3} + {a}/N^{:.3} + {b}/D^{:.3}", law.e, law.alpha, law.beta);
        if let Some(intervals) = fit.intervals {
            let pairs = [("α", law.alpha, intervals.alpha), ("β", law.beta, intervals.beta), ("E", law.e, intervals.e)];
            let fact = |(name, value, interval): (&str, f64, glasshead::scaling::bootstrap::Interval)| {
                format!("{name} {value:.3}, 95 %: {:.3} to {:.3}", interval.low, interval.high)
            };
            self.facts.extend(pairs.map(fact));
        }
        self.facts.extend(fit.leave_one_budget_out.as_ref().map(left_out));
        self.size = fit.optimal_size;
        self.draws = fit.draws.iter().filter_map(Law::optimal_size).collect();
        (self.limits, self.parametric) = (fit.limits, Some((law, fit.draws)));
    }

    /// A quantity over compute, from `low` to `high` FLOPs.
    pub fn trend(&self, quantity: Quantity, low: f64, high: f64) -> Trend {
        let of_size = |c: f64, n: f64| match quantity {
            Quantity::Tokens => c / (FLOPS_PER_PARAM_AND_TOKEN * n),
            _ => n,
        };
        let optima = self.series.iter().filter_map(|series| series.optimum);
        let value = |optimum: Optimum| match quantity {
            Quantity::Loss => optimum.loss,
            _ => of_size(optimum.c, optimum.n),
        };
        let points: Vec<(f64, f64)> = optima.map(|optimum| (optimum.c, value(optimum))).collect();
        let places = (0..POINTS).map(|i| low * (high / low).powf(i as f64 / (POINTS - 1) as f64));
        let line = places.filter_map(|c| {
            let (value, mut draws): (f64, Vec<f64>) = match quantity {
                Quantity::Loss => self.loss_at(c, &points)?,
                _ => {
                    let draws = self.draws.iter().map(|law| of_size(c, law.at(c))).collect();
                    (of_size(c, self.size?.at(c)), draws)
                }
            };
            draws.retain(|value| value.is_finite());
            draws.sort_by(f64::total_cmp);
            let at = |share: f64| draws.get((share * (draws.len().max(1) - 1) as f64).round() as usize).copied();
            Some([c, value, at(0.025).unwrap_or(value).min(value), at(0.975).unwrap_or(value).max(value)])
        });
        Trend { line: line.collect(), points }
    }

    /// The loss at the best size: by the parametric law, or a power law of the minima.
    fn loss_at(&self, c: f64, minima: &[(f64, f64)]) -> Option<(f64, Vec<f64>)> {
        if let Some((law, draws)) = &self.parametric {
            let of = |law: &Law| {
                let n = law.optimal_size()?.at(c);
                Some(law.loss(n, c / (FLOPS_PER_PARAM_AND_TOKEN * n)))
            };
            return Some((of(law)?, draws.iter().filter_map(of).collect()));
        }
        let value = PowerLaw::fit(minima)?.at(c);
        let without = |left: usize| {
            let others: Vec<(f64, f64)> =
                minima.iter().enumerate().filter(|&(i, _)| i != left).map(|(_, point)| *point).collect();
            Some(PowerLaw::fit(&others)?.at(c))
        };
        Some((value, (0..minima.len()).filter_map(without).collect()))
    }

    /// Number of budgets whose minimum is bracketed.
    pub fn bracketed(&self) -> usize {
        self.series.iter().filter(|series| series.optimum.is_some()).count()
    }
}

/// Sizes from the smallest run to the largest, and a little beyond.
fn over(runs: &[Run]) -> impl Iterator<Item = f64> {
    let sizes = || runs.iter().map(|run| run.n);
    let (low, high) = (sizes().fold(f64::INFINITY, f64::min) / 1.08, 1.08 * sizes().fold(0.0, f64::max));
    (0..POINTS).map(move |i| low * (high / low).powf(i as f64 / (POINTS - 1) as f64))
}

fn series(runs: &[Run], minimum: Minimum) -> Vec<Series> {
    let of_budget = |budget: Budget| {
        let (optimum, unusable) = match budget.minimum(minimum) {
            Ok(optimum) => (Some(optimum), None),
            Err(reason) => (None, Some(reason)),
        };
        let curve = if minimum == Minimum::Lowest {
            budget.sizes()
        } else {
            let points: Vec<(f64, f64)> = budget.runs.iter().map(|run| (run.n.ln(), run.loss)).collect();
            let parabola = Parabola::fit(&points).filter(|_| budget.sizes().len() > 2);
            let at = |Parabola { center, coefficients: [c0, c1, c2] }: Parabola| {
                let loss = move |n: f64| c0 + c1 * (n.ln() - center) + c2 * (n.ln() - center).powi(2);
                over(&budget.runs).map(move |n| (n, loss(n))).collect()
            };
            parabola.map(at).unwrap_or_default()
        };
        Series { c: budget.flops, runs: budget.runs, curve, optimum, unusable }
    };
    Budget::group(runs).into_iter().map(of_budget).collect()
}

fn left_out(left_out: &LeftOut) -> String {
    let LeftOut { quantity, mean_error, max_error, folds } = left_out;
    let what = if *quantity == "n" { "best size" } else { "losses" };
    format!(
        "Each of {folds} budgets predicted from the others: {what} off by {:.1} % on average, {:.1} % at most",
        100.0 * mean_error,
        100.0 * max_error
    )
}

/// A sentence with a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let start: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{start}{}{end}", letters.as_str())
}

/// A point of the chart in words.
pub fn run_text(run: &Run, variable: Variable) -> String {
    let (c, loss) = (flops(run.flops()), run.loss);
    match variable {
        Variable::Size => {
            format!("{} parameters at {c} FLOPs: loss {loss:.3}, {} tokens", amount(run.n), amount(run.d))
        }
        _ => format!("{} {} at {c} FLOPs: loss {loss:.3}", variable.nouns()[0], value_text(variable, run.n)),
    }
}
