//! L(N, D) = E + A/N^α + B/D^β (Hoffmann et al. 2022, approach 3), fitted by the Huber loss of the logarithms.

use serde::{Deserialize, Serialize};

use super::lbfgs::{Evaluated, Limits, minimize};
use super::linear::PowerLaw;
use super::table::{FLOPS_PER_PARAM_AND_TOKEN, Run};

/// δ of the Huber loss: residuals of ln L beyond it count linearly.
const HUBER_DELTA: f64 = 1e-3;

/// Exponents from which fits start.
const EXPONENTS: [f64; 5] = [0.1, 0.3, 0.5, 0.8, 1.2];

/// Irreducible losses from which fits start, as fractions of the lowest loss.
const FLOORS: [f64; 3] = [0.1, 0.5, 0.9];

/// An irreducible loss below this fraction of the lowest loss is none.
const NO_FLOOR: f64 = 0.01;

const LIMITS: Limits = Limits { iterations: 1000, gradient: 1e-10, progress: 1e-10 };

/// Logarithms of parameters beyond this are not finite as numbers, or not a law.
const MAX_LOG: f64 = 500.0;

/// L(N, D) = E + A/N^α + B/D^β.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Law {
    /// The irreducible loss.
    #[serde(rename = "E")]
    pub e: f64,
    /// Coefficient of the size.
    #[serde(rename = "A")]
    pub a: f64,
    /// Coefficient of the tokens.
    #[serde(rename = "B")]
    pub b: f64,
    /// Exponent of the size.
    pub alpha: f64,
    /// Exponent of the tokens.
    pub beta: f64,
}

impl Law {
    /// The loss of a run.
    pub fn loss(&self, n: f64, d: f64) -> f64 {
        self.e + self.a / n.powf(self.alpha) + self.b / d.powf(self.beta)
    }

    /// The compute-optimal size N = G·(C/6)^(β/(α+β)) with G = (αA/βB)^(1/(α+β)), as a power law of C. `None` unless both
    /// exponents are positive.
    pub fn optimal_size(&self) -> Option<PowerLaw> {
        let sum = self.alpha + self.beta;
        let scale = (self.alpha * self.a / (self.beta * self.b)).powf(1.0 / sum);
        let exponent = self.beta / sum;
        let coefficient = scale * FLOPS_PER_PARAM_AND_TOKEN.powf(-exponent);
        (self.alpha > 0.0 && self.beta > 0.0 && coefficient.is_finite() && coefficient > 0.0)
            .then_some(PowerLaw { coefficient, exponent })
    }

    /// The parameters in the order E, A, B, α, β.
    pub fn values(&self) -> [f64; 5] {
        [self.e, self.a, self.b, self.alpha, self.beta]
    }

    /// Names of the parameters, in the same order.
    pub const NAMES: [&'static str; 5] = ["E", "A", "B", "alpha", "beta"];
}

/// The runs of a fit. ln N and ln D are stored relative to their means, which makes coefficients and exponents almost
/// independent of each other.
pub struct Objective {
    /// ln N − mean, ln D − mean, ln L.
    rows: Vec<[f64; 3]>,
    mean_n: f64,
    mean_d: f64,
}

/// Optimizer parameters: logarithms of A/N₀^α, B/D₀^β and E, then α and β.
type Params = [f64; 5];

impl Objective {
    /// Prepares runs for fitting; there must be at least one.
    pub fn new(runs: &[Run]) -> Self {
        let mean = |of: fn(&Run) -> f64| runs.iter().map(|run| of(run).ln()).sum::<f64>() / runs.len().max(1) as f64;
        let (mean_n, mean_d) = (mean(|run| run.n), mean(|run| run.d));
        let rows = runs.iter().map(|run| [run.n.ln() - mean_n, run.d.ln() - mean_d, run.loss.ln()]).collect();
        Self { rows, mean_n, mean_d }
    }

    /// The fit from the best start of a grid; every run counts `weights[i]` times.
    pub fn fit(&self, weights: &[f64]) -> Option<Law> {
        let starts = self.starts();
        let fits = starts.into_iter().map(|start| self.minimize(weights, start, 60));
        let best = fits.filter(|fit| fit.value.is_finite()).min_by(|a, b| a.value.total_cmp(&b.value))?;
        self.law(&self.minimize(weights, best.x, LIMITS.iterations).x)
    }

    /// The fit from a known law nearby.
    pub fn refit(&self, weights: &[f64], near: &Law) -> Option<Law> {
        let start = |e: f64| {
            let [a, b] = [near.a.ln() - near.alpha * self.mean_n, near.b.ln() - near.beta * self.mean_d];
            [a, b, e.ln(), near.alpha, near.beta]
        };
        let lowest = self.rows.iter().map(|row| row[2]).fold(f64::INFINITY, f64::min).exp();
        let first = self.minimize(weights, start(near.e.max(1e-12)), LIMITS.iterations);
        if near.e > NO_FLOOR * lowest {
            return self.law(&first.x);
        }
        // Near 0 the logarithm of E has no gradient, and these runs may have a floor.
        let second = self.minimize(weights, start(0.3 * lowest), LIMITS.iterations);
        self.law(if second.value < first.value { &second.x } else { &first.x })
    }

    fn minimize(&self, weights: &[f64], start: Params, iterations: usize) -> Evaluated<5> {
        minimize(|params| self.value(weights, params), start, Limits { iterations, ..LIMITS })
    }

    /// Σ weight · Huber(ln L̂ − ln L) and its gradient; ln L̂ is the log-sum-exp of the three terms' logarithms.
    fn value(&self, weights: &[f64], &[a, b, e, alpha, beta]: &Params) -> (f64, Params) {
        let (mut sum, mut gradient) = (0.0, [0.0; 5]);
        for (&[n, d, log_loss], weight) in self.rows.iter().zip(weights) {
            let terms = [a - alpha * n, b - beta * d, e];
            let max = terms.into_iter().fold(f64::NEG_INFINITY, f64::max);
            let exps = terms.map(|term| (term - max).exp());
            let total: f64 = exps.iter().sum();
            let residual = max + total.ln() - log_loss;
            let clipped = residual.clamp(-HUBER_DELTA, HUBER_DELTA);
            sum += weight * clipped * (residual - 0.5 * clipped);
            let [wa, wb, we] = exps.map(|exp| weight * clipped * exp / total);
            let parts = [wa, wb, we, -wa * n, -wb * d];
            gradient.iter_mut().zip(parts).for_each(|(g, part)| *g += part);
        }
        (sum, gradient)
    }

    /// Starts on a grid of exponents and floors; A and B are the least-squares solution for them.
    fn starts(&self) -> Vec<Params> {
        let lowest = self.rows.iter().map(|row| row[2]).fold(f64::INFINITY, f64::min);
        let mut starts = Vec::new();
        for alpha in EXPONENTS {
            for beta in EXPONENTS {
                for floor in FLOORS {
                    let e = lowest + floor.ln();
                    let [a, b] = self.coefficients(alpha, beta, e.exp());
                    starts.push([a, b, e, alpha, beta]);
                }
            }
        }
        starts
    }

    /// Logarithms of the coefficients that minimize the squared error of L for given exponents and floor.
    fn coefficients(&self, alpha: f64, beta: f64, floor: f64) -> [f64; 2] {
        let (mut xx, mut xy, mut yy, mut xt, mut yt) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for &[n, d, log_loss] in &self.rows {
            let (x, y, target) = ((-alpha * n).exp(), (-beta * d).exp(), log_loss.exp() - floor);
            (xx, xy, yy) = (xx + x * x, xy + x * y, yy + y * y);
            (xt, yt) = (xt + x * target, yt + y * target);
        }
        let determinant = xx * yy - xy * xy;
        let [a, b] = [(yy * xt - xy * yt) / determinant, (xx * yt - xy * xt) / determinant];
        // Where least squares makes one negative, both explain half of the rest.
        let half = [0.5 * xt / xx, 0.5 * yt / yy];
        let usable = a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite();
        (if usable { [a, b] } else { half }).map(|value| value.max(1e-12).ln())
    }

    /// The law with uncentered coefficients. `None` if it is not finite.
    fn law(&self, &[a, b, e, alpha, beta]: &Params) -> Option<Law> {
        let logs = [a + alpha * self.mean_n, b + beta * self.mean_d, e];
        if !logs.iter().all(|log| log.is_finite() && *log < MAX_LOG) {
            return None;
        }
        let [a, b, e] = logs.map(f64::exp);
        let law = Law { e, a, b, alpha, beta };
        (law.values().iter().all(|value| value.is_finite()) && a > 0.0 && b > 0.0).then_some(law)
    }
}
