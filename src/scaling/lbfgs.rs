//! L-BFGS (Nocedal & Wright 2006, "Numerical Optimization", algorithms 7.4 and 7.5) with a line search for the strong Wolfe
//! conditions (algorithms 3.5 and 3.6), for smooth functions of a few parameters.

use std::collections::VecDeque;

/// Number of stored pairs of steps and gradient changes.
const MEMORY: usize = 8;

/// Constants of the Wolfe conditions: sufficient decrease, and curvature.
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;

/// Maximum number of function evaluations in one line search.
const MAX_TRIALS: usize = 30;

/// When the search ends.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum number of iterations.
    pub iterations: usize,
    /// Ends when no component of the gradient is larger.
    pub gradient: f64,
    /// Ends when two successive iterations decrease the value by less than this fraction of it.
    pub progress: f64,
}

/// A point with its value and gradient.
#[derive(Clone, Copy, Debug)]
pub struct Evaluated<const P: usize> {
    /// The parameters.
    pub x: [f64; P],
    /// The function's value.
    pub value: f64,
    /// The function's gradient.
    pub gradient: [f64; P],
}

/// A step and the change of the gradient along it.
type Pair<const P: usize> = ([f64; P], [f64; P]);

/// Minimizes `f`, which returns the value and the gradient, from `start`. Returns the best point found; its value is not
/// finite only if the start's is not.
pub fn minimize<const P: usize>(
    f: impl Fn(&[f64; P]) -> (f64, [f64; P]),
    start: [f64; P],
    limits: Limits,
) -> Evaluated<P> {
    let evaluate = |x: [f64; P]| {
        let (value, gradient) = f(&x);
        Evaluated { x, value, gradient }
    };
    let mut at = evaluate(start);
    let (mut pairs, mut stalled) = (VecDeque::with_capacity(MEMORY), 0);
    for _ in 0..limits.iterations {
        if !at.value.is_finite() || at.gradient.iter().all(|g| g.abs() <= limits.gradient) {
            break;
        }
        let mut direction = descent(&at.gradient, &pairs);
        if dot(&direction, &at.gradient) >= 0.0 {
            pairs.clear();
            direction = at.gradient.map(|g| -g);
        }
        // Without curvature information the gradient's length says nothing about the step's.
        let first = if pairs.is_empty() { 1.0 / dot(&at.gradient, &at.gradient).sqrt().max(1.0) } else { 1.0 };
        let Some(next) = search(evaluate, &at, &direction, first) else {
            if pairs.is_empty() {
                break;
            }
            pairs.clear();
            continue;
        };
        let (step, change) = (difference(&next.x, &at.x), difference(&next.gradient, &at.gradient));
        if dot(&step, &change) > 1e-14 * dot(&change, &change) {
            if pairs.len() == MEMORY {
                pairs.pop_front();
            }
            pairs.push_back((step, change));
        }
        stalled = if at.value - next.value <= limits.progress * at.value.abs() { stalled + 1 } else { 0 };
        at = next;
        if stalled == 2 {
            break;
        }
    }
    at
}

fn dot<const P: usize>(a: &[f64; P], b: &[f64; P]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn difference<const P: usize>(a: &[f64; P], b: &[f64; P]) -> [f64; P] {
    std::array::from_fn(|i| a[i] - b[i])
}

/// x + t·direction.
fn moved<const P: usize>(x: &[f64; P], t: f64, direction: &[f64; P]) -> [f64; P] {
    std::array::from_fn(|i| x[i] + t * direction[i])
}

/// The quasi-Newton direction −H·gradient, by the two-loop recursion.
fn descent<const P: usize>(gradient: &[f64; P], pairs: &VecDeque<Pair<P>>) -> [f64; P] {
    let mut q = *gradient;
    let mut factors = Vec::with_capacity(pairs.len());
    for (step, change) in pairs.iter().rev() {
        let factor = dot(step, &q) / dot(step, change);
        q = moved(&q, -factor, change);
        factors.push(factor);
    }
    if let Some((step, change)) = pairs.back() {
        let scale = dot(step, change) / dot(change, change);
        q = q.map(|value| scale * value);
    }
    for ((step, change), factor) in pairs.iter().zip(factors.iter().rev()) {
        let correction = dot(change, &q) / dot(step, change);
        q = moved(&q, factor - correction, step);
    }
    q.map(|value| -value)
}

/// Finds a step along `direction` that satisfies the strong Wolfe conditions, or at least decreases the value; `None` if none
/// does.
fn search<const P: usize>(
    evaluate: impl Fn([f64; P]) -> Evaluated<P>,
    from: &Evaluated<P>,
    direction: &[f64; P],
    first: f64,
) -> Option<Evaluated<P>> {
    let slope = dot(&from.gradient, direction);
    let (mut low, mut low_t, mut high_t) = (*from, 0.0, None);
    let mut t = first;
    for _ in 0..MAX_TRIALS {
        let trial = evaluate(moved(&from.x, t, direction));
        let sufficient = trial.value <= from.value + DECREASE * t * slope;
        let trial_slope = dot(&trial.gradient, direction);
        // NaN counts as an increase.
        if !sufficient || trial.value >= low.value {
            high_t = Some(t);
        } else {
            if trial_slope.abs() <= -CURVATURE * slope {
                return Some(trial);
            }
            // The minimum lies on the side to which the value falls.
            let towards_high = high_t.map_or(1.0, |high: f64| high - low_t);
            if trial_slope * towards_high >= 0.0 {
                high_t = Some(low_t);
            }
            (low, low_t) = (trial, t);
        }
        t = match high_t {
            None => 2.0 * t,
            Some(high) => between(low_t, high, dot(&low.gradient, direction), low.value, &trial, t),
        };
    }
    (low.value < from.value).then_some(low)
}

/// The minimum of the parabola through the lower end, its slope and the trial; the middle if that is too close to an end.
fn between<const P: usize>(low: f64, high: f64, slope: f64, value: f64, trial: &Evaluated<P>, t: f64) -> f64 {
    let (middle, width) = (0.5 * (low + high), t - low);
    let curvature = trial.value - value - slope * width;
    let vertex = low - slope * width * width / (2.0 * curvature);
    let margin = 0.1 * (high - low).abs();
    let (first, last) = (low.min(high) + margin, low.max(high) - margin);
    if vertex > first && vertex < last { vertex } else { middle }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { iterations: 500, gradient: 1e-10, progress: 0.0 };

    fn rosenbrock(&[x, y]: &[f64; 2]) -> (f64, [f64; 2]) {
        let (a, b) = (1.0 - x, y - x * x);
        (a * a + 100.0 * b * b, [-2.0 * a - 400.0 * x * b, 200.0 * b])
    }

    #[test]
    fn it_finds_the_end_of_rosenbrocks_valley() {
        for start in [[-1.2, 1.0], [5.0, -7.0], [-3.0, 12.0]] {
            let found = minimize(rosenbrock, start, LIMITS);
            assert!(found.x.iter().all(|x| (x - 1.0).abs() < 1e-7), "{found:?}");
        }
    }

    #[test]
    fn a_badly_scaled_quadratic_takes_few_iterations() {
        let scales = [1e-3, 1.0, 1e3, 1e4];
        let f = |x: &[f64; 4]| {
            let value = (0..4).map(|i| 0.5 * scales[i] * (x[i] - i as f64).powi(2)).sum();
            (value, std::array::from_fn(|i| scales[i] * (x[i] - i as f64)))
        };
        let found = minimize(f, [9.0; 4], Limits { iterations: 60, ..LIMITS });
        assert!((0..4).all(|i| (found.x[i] - i as f64).abs() < 1e-5), "{found:?}");
    }

    #[test]
    fn it_never_ends_above_its_start_and_survives_functions_without_values() {
        // A wall of NaN next to the start, and a function that is not finite anywhere.
        let wall =
            |&[x]: &[f64; 1]| if x > 1.0 { (f64::NAN, [f64::NAN]) } else { ((x - 2.0) * (x - 2.0), [2.0 * (x - 2.0)]) };
        let found = minimize(wall, [0.0], LIMITS);
        assert!(found.value < 1.1 && found.x[0] <= 1.0, "{found:?}");
        let nowhere = minimize(|_: &[f64; 1]| (f64::INFINITY, [1.0]), [3.0], LIMITS);
        assert_eq!(nowhere.x, [3.0]);
        // Falls forever: the search ends.
        let line = minimize(|x: &[f64; 1]| (-x[0], [-1.0]), [0.0], Limits { iterations: 20, ..LIMITS });
        assert!(line.value < 0.0);
    }
}
