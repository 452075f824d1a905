//! Axes of the Scale view's charts. Pure.

use glasshead::scaling::variable::Variable;

/// An axis: values from `low` to `high` map to `from` to `to`, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
    /// Pixel of the smallest value.
    pub from: f64,
    /// Pixel of the largest value.
    pub to: f64,
    /// Whether it is logarithmic.
    pub log: bool,
}

impl Axis {
    /// An axis around these values, with this share of its length free at both ends.
    pub fn around(values: impl Iterator<Item = f64>, (from, to): (f64, f64), log: bool, free: f64) -> Self {
        let place = |value: f64| if log { value.max(1e-30).ln() } else { value };
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite() && (!log || *value > 0.0)) {
            (low, high) = (low.min(place(value)), high.max(place(value)));
        }
        if low > high {
            (low, high) = (place(1.0), place(2.0));
        }
        let room = (free * (high - low)).max(if log { 0.05 } else { 1e-6 });
        let back = |value: f64| if log { value.exp() } else { value };
        Self { low: back(low - room), high: back(high + room), from, to, log }
    }

    /// The pixel of a value.
    pub fn pixel(&self, value: f64) -> f64 {
        let place = |value: f64| if self.log { value.max(1e-30).ln() } else { value };
        let share = (place(value) - place(self.low)) / (place(self.high) - place(self.low)).max(1e-12);
        self.from + share * (self.to - self.from)
    }

    /// `n` values that are evenly spaced on the axis, from one value to another.
    pub fn between(&self, low: f64, high: f64, n: usize) -> Vec<f64> {
        let share = |i: usize| i as f64 / (n.max(2) - 1) as f64;
        let value = |i: usize| {
            if self.log { low * (high / low).powf(share(i)) } else { low + (high - low) * share(i) }
        };
        (0..n.max(2)).map(value).collect()
    }

    /// Round values inside the axis, at most about `n`.
    pub fn ticks(&self, n: usize) -> Vec<f64> {
        if !self.log {
            return linear_ticks(self.low, self.high, n);
        }
        let powers = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let all = |digits: &'static [f64]| -> Vec<f64> {
            let values = powers.clone().flat_map(|power| digits.iter().map(move |digit| digit * 10f64.powi(power)));
            values.filter(|value| (self.low..=self.high).contains(value)).collect()
        };
        let choices = [all(&[1.0, 2.0, 3.0, 5.0, 7.0]), all(&[1.0, 2.0, 5.0]), all(&[1.0, 3.0]), all(&[1.0])];
        let fitting = choices.iter().find(|ticks| ticks.len() <= n && !ticks.is_empty());
        fitting.or_else(|| choices.iter().rev().find(|ticks| !ticks.is_empty())).cloned().unwrap_or_default()
    }
}

fn linear_ticks(low: f64, high: f64, n: usize) -> Vec<f64> {
    let rough = (high - low).max(1e-9) / n.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|&step| step >= rough).unwrap_or(rough);
    ((low / step).ceil() as i64..=(high / step).floor() as i64).map(|i| i as f64 * step).collect()
}

/// A number of parameters or tokens, short: 9.7k, 1.30M.
pub fn amount(value: f64) -> String {
    let digits = |value: f64| if value >= 100.0 { 0 } else { usize::from(value < 10.0) + usize::from(value < 100.0) };
    let with = |value: f64, unit: &str| {
        let text = format!("{value:.*}", digits(value));
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        format!("{text}{unit}")
    };
    match value {
        value if value >= 9.995e11 => format!("{value:.1e}"),
        value if value >= 9.995e8 => with(value / 1e9, "G"),
        value if value >= 9.995e5 => with(value / 1e6, "M"),
        value if value >= 999.5 => with(value / 1e3, "k"),
        value => with(value, ""),
    }
}

/// A value of what a sweep varies.
pub fn value_text(variable: Variable, value: f64) -> String {
    match variable {
        Variable::Size => amount(value),
        Variable::LearningRate if value < 0.1 => {
            let digits = (1.0 - value.max(1e-12).log10().floor()) as usize;
            format!("{value:.digits$}")
        }
        Variable::LearningRate => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

/// A number of FLOPs: 1.7e10.
pub fn flops(value: f64) -> String {
    let text = format!("{value:.1e}");
    text.replace(".0e", "e")
}

/// Seconds as minutes and seconds: 2:05.
pub fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    format!("{}:{:02}", whole / 60, whole % 60)
}

/// The color and the dashes of a budget's curve: six colors, then dashed ones.
pub fn series(index: usize) -> (String, &'static str) {
    let dashes = ["", "6 4", "2 3"];
    (format!("var(--s{})", index % 6 + 1), dashes[(index / 6) % dashes.len()])
}
