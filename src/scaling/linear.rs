//! Least squares for a line, a parabola, and a power law.

use serde::{Deserialize, Serialize};

/// y = coefficient · x^exponent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PowerLaw {
    /// Value at x = 1.
    pub coefficient: f64,
    /// Slope in logarithms.
    pub exponent: f64,
}

impl PowerLaw {
    /// Least squares of ln y against ln x. `None` for fewer than two different x.
    pub fn fit(points: &[(f64, f64)]) -> Option<Self> {
        let logs: Vec<(f64, f64)> = points.iter().map(|&(x, y)| (x.ln(), y.ln())).collect();
        let [mean_x, mean_y] = means(&logs);
        let spread: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        let exponent = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>() / spread;
        let coefficient = (mean_y - exponent * mean_x).exp();
        // Rounding leaves a spread of equal values above 0.
        let apart = spread > 1e-12 * (1.0 + mean_x * mean_x);
        (apart && exponent.is_finite() && coefficient.is_finite() && coefficient > 0.0)
            .then_some(Self { coefficient, exponent })
    }

    /// The value at `x`.
    pub fn at(&self, x: f64) -> f64 {
        (self.coefficient.ln() + self.exponent * x.ln()).exp()
    }
}

fn means(points: &[(f64, f64)]) -> [f64; 2] {
    let n = points.len() as f64;
    [points.iter().map(|(x, _)| x).sum::<f64>() / n, points.iter().map(|(_, y)| y).sum::<f64>() / n]
}

/// y = c₀ + c₁·(x − center) + c₂·(x − center)².
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parabola {
    /// Mean of the x that were fitted.
    pub center: f64,
    /// c₀, c₁, c₂.
    pub coefficients: [f64; 3],
}

impl Parabola {
    /// Least squares. `None` for fewer than three different x.
    pub fn fit(points: &[(f64, f64)]) -> Option<Self> {
        let [center, mean_y] = means(points);
        // Orthogonal polynomials on the points: 1, u, u² − s·u − m.
        let of = |f: &dyn Fn(f64, f64) -> f64| points.iter().map(|&(x, y)| f(x - center, y - mean_y)).sum::<f64>();
        let (n, second, third) = (points.len() as f64, of(&|u, _| u * u), of(&|u, _| u * u * u));
        let (mean, slope) = (second / n, third / second);
        let quadratic = |u: f64| u * u - slope * u - mean;
        let norm = of(&|u, _| quadratic(u).powi(2));
        let linear = of(&|u, y| u * y) / second;
        let c2 = of(&|u, y| quadratic(u) * y) / norm;
        let coefficients = [mean_y - c2 * mean, linear - c2 * slope, c2];
        let apart = norm > 1e-12 * second * mean;
        (apart && coefficients.iter().all(|c| c.is_finite())).then_some(Self { center, coefficients })
    }

    /// Where the parabola has its extreme value, and that value; a minimum if `opens_upward`.
    pub fn vertex(&self) -> (f64, f64) {
        let [c0, c1, c2] = self.coefficients;
        let offset = -c1 / (2.0 * c2);
        (self.center + offset, c0 + 0.5 * c1 * offset)
    }

    /// Whether the vertex is a minimum.
    pub fn opens_upward(&self) -> bool {
        self.coefficients[2] > 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_points_give_their_law_back() {
        let law = PowerLaw { coefficient: 0.3, exponent: 0.52 };
        let points: Vec<_> = [1e18, 1e19, 7e20].map(|x| (x, law.at(x))).into();
        let fit = PowerLaw::fit(&points).unwrap();
        assert!((fit.exponent - 0.52).abs() < 1e-12 && (fit.coefficient / 0.3 - 1.0).abs() < 1e-10);
        let parabola = |x: f64| 2.5 + 0.7 * (x - 20.3).powi(2);
        let points: Vec<_> = [18.0, 19.0, 20.0, 23.5].map(|x| (x, parabola(x))).into();
        let fit = Parabola::fit(&points).unwrap();
        let (x, y) = fit.vertex();
        assert!(fit.opens_upward() && (x - 20.3).abs() < 1e-9 && (y - 2.5).abs() < 1e-9, "{x} {y}");
        assert!(!Parabola::fit(&points.map_y(|y| -y)).unwrap().opens_upward());
    }

    trait MapY {
        fn map_y(&self, f: impl Fn(f64) -> f64) -> Vec<(f64, f64)>;
    }

    impl MapY for Vec<(f64, f64)> {
        fn map_y(&self, f: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
            self.iter().map(|&(x, y)| (x, f(y))).collect()
        }
    }

    #[test]
    fn too_few_different_points_give_nothing() {
        assert_eq!(PowerLaw::fit(&[]), None);
        assert_eq!(PowerLaw::fit(&[(1e18, 3.0), (1e18, 4.0)]), None);
        assert_eq!(Parabola::fit(&[]), None);
        assert_eq!(Parabola::fit(&[(18.0, 1.0), (19.0, 2.0), (19.0, 2.5), (18.0, 0.0)]), None);
    }
}
