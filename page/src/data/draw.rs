//! The geometry of the charts, in pixels. Pure.

use glasshead_filter::wire::{Funnel, Histogram};

use super::state::Unit;

/// A stage in the funnel.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// Left edge.
    pub x: f64,
    /// Height: what remains after the stage.
    pub height: f64,
    /// What remains.
    pub value: u64,
    /// What the stage drops.
    pub dropped: u64,
    /// The area from the previous bar to this one, and that of what is dropped, as SVG paths; none for the first bar.
    pub paths: Option<(String, String)>,
    /// The middle of the label of what is dropped.
    pub label_x: f64,
}

/// The layout of the funnel: space above for titles and below for labels.
#[derive(Clone, Copy, Debug)]
pub struct FunnelSize {
    /// Width of the drawing.
    pub width: f64,
    /// Height of the drawing.
    pub height: f64,
}

const TOP: f64 = 36.0;
const LABELS: f64 = 40.0;
const LEFT: f64 = 14.0;
const RIGHT: f64 = 118.0;
const BAR: f64 = 10.0;

/// The amounts after each stage: all documents first.
pub fn amounts(funnel: &Funnel, unit: Unit) -> Vec<(u64, u64)> {
    let mut left = match unit {
        Unit::Pages => funnel.documents,
        Unit::Bytes => funnel.text_bytes,
    };
    let mut amounts = vec![(left, 0)];
    for count in &funnel.stages {
        let dropped = match unit {
            Unit::Pages => count.dropped,
            Unit::Bytes => count.dropped_bytes,
        };
        left = left.saturating_sub(dropped);
        amounts.push((left, dropped));
    }
    amounts
}

/// The bars and bands of a funnel.
pub fn funnel(funnel: &Funnel, unit: Unit, size: FunnelSize) -> Vec<Bar> {
    let amounts = amounts(funnel, unit);
    let room = ((size.height - TOP - LABELS) * 0.8).max(10.0);
    let scale = room / amounts[0].0.max(1) as f64;
    let step = (size.width - LEFT - RIGHT) / (amounts.len().max(2) - 1) as f64;
    let base = size.height - LABELS + 4.0;
    let mut bars: Vec<Bar> = Vec::new();
    for (at, &(value, dropped)) in amounts.iter().enumerate() {
        let (x, height) = (LEFT + at as f64 * step, value as f64 * scale);
        let label_x = x - step * 0.45;
        let paths = bars.last().map(|previous: &Bar| {
            let (x0, m) = (previous.x + BAR, (previous.x + BAR + x) / 2.0);
            let (y, y0) = (TOP + height, TOP + height);
            let kept = format!("M{x0:.1} {TOP}H{x:.1}V{y:.1}C{m:.1} {y:.1} {m:.1} {y:.1} {x0:.1} {y:.1}Z");
            let thick = (dropped as f64 * scale).max(if dropped > 0 { 1.5 } else { 0.0 });
            let wide = thick.min(step * 0.42 - 4.0).max(if dropped > 0 { 1.5 } else { 0.0 });
            let (right, bottom) = (label_x + wide / 2.0, base.max(y0 + thick + 8.0));
            let left = label_x - wide / 2.0;
            let (turn, inner) = ((y0 + thick + 20.0).min(bottom - 2.0), (y0 + thick).min(bottom - 1.0));
            let gone = format!(
                "M{x0:.1} {y0:.1}C{:.1} {y0:.1} {right:.1} {:.1} {right:.1} {turn:.1}V{bottom:.1}H{left:.1}V{turn:.1}C{left:.1} \
                 {:.1} {:.1} {inner:.1} {x0:.1} {inner:.1}Z",
                right - 6.0,
                y0 + 4.0,
                inner + 3.0,
                left - 4.0,
            );
            (kept, gone)
        });
        bars.push(Bar { x, height, value, dropped, paths, label_x });
    }
    bars
}

/// The top of the bars.
pub const FUNNEL_TOP: f64 = TOP;

/// The width of a bar.
pub const BAR_WIDTH: f64 = BAR;

/// Linear axes of a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axes {
    /// The values at the left and the right edge.
    pub x: (f64, f64),
    /// The values at the bottom and the top.
    pub y: (f64, f64),
    /// Width and height of the drawing.
    pub size: (f64, f64),
    /// Space at the left, right, top and bottom.
    pub margins: [f64; 4],
}

impl Axes {
    /// The horizontal position of a value.
    pub fn at_x(&self, x: f64) -> f64 {
        let [left, right, ..] = self.margins;
        left + (x - self.x.0) / (self.x.1 - self.x.0).max(1e-12) * (self.size.0 - left - right)
    }

    /// The vertical position of a value.
    pub fn at_y(&self, y: f64) -> f64 {
        let [_, _, top, bottom] = self.margins;
        self.size.1 - bottom - (y - self.y.0) / (self.y.1 - self.y.0).max(1e-12) * (self.size.1 - top - bottom)
    }

    /// The value at a horizontal position.
    pub fn value_at(&self, x: f64) -> f64 {
        let [left, right, ..] = self.margins;
        let share = (x - left) / (self.size.0 - left - right).max(1.0);
        self.x.0 + share.clamp(0.0, 1.0) * (self.x.1 - self.x.0)
    }

    /// A curve as an SVG path.
    pub fn path(&self, points: impl IntoIterator<Item = (f64, f64)>) -> String {
        let point = |(at, (x, y)): (usize, (f64, f64))| {
            format!("{}{:.1} {:.1}", if at == 0 { "M" } else { "L" }, self.at_x(x), self.at_y(y))
        };
        points.into_iter().enumerate().map(point).collect()
    }
}

/// The ends of the axis of a histogram, so that the limit is on it.
pub fn histogram_range(histogram: &Histogram, limit: Option<f64>) -> (f64, f64) {
    let (low, high) = histogram.range;
    let Some(limit) = limit.filter(|limit| limit.is_finite() && limit.abs() < 1e6) else { return (low, high) };
    (low.min(limit), high.max(limit.min(low + (high - low) * 4.0)))
}

/// The height of a bin, 0 to 1: square roots, so that small bins are seen.
pub fn bin_height(histogram: &Histogram, at: usize) -> f64 {
    let most = histogram.bins.iter().copied().max().unwrap_or(1).max(1);
    (f64::from(histogram.bins[at]) / f64::from(most)).sqrt()
}

/// Round values for ticks between two ends.
pub fn ticks(from: f64, to: f64, n: usize) -> Vec<f64> {
    let span = to - from;
    if !span.is_finite() || span <= 0.0 {
        return vec![from];
    }
    let rough = span / n.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(power);
    let first = (from / step - 1e-9).ceil() as i64;
    (0..).map(|at| (first + at) as f64 * step).take_while(|value| *value <= to + step * 1e-9).take(20).collect()
}

/// A number with as many decimals as its size needs.
pub fn short(value: f64) -> String {
    let text = match value.abs() {
        v if v >= 1000.0 => return crate::units::grouped(value.round() as u64),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 0.1 => format!("{value:.2}"),
        v if v >= 0.001 || v == 0.0 => format!("{value:.3}"),
        _ => return format!("{value:.0e}"),
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// The probability that a pair with similarity `j` shares one of `bands` bands of `rows` rows.
pub fn found(j: f64, bands: f64, rows: f64) -> f64 {
    1.0 - (1.0 - j.powf(rows)).powf(bands)
}

#[cfg(test)]
mod tests {
    use super::*;
    use glasshead_filter::rules::Bound;
    use glasshead_filter::settings::Stage;
    use glasshead_filter::wire::StageCount;

    #[test]
    fn the_funnel_loses_what_each_stage_drops() {
        let count = |stage, dropped| StageCount { stage, dropped, dropped_bytes: 10 * dropped, rules: Vec::new() };
        let funnel = Funnel {
            documents: 100,
            text_bytes: 1000,
            stages: vec![count(Stage::Language, 30), count(Stage::Gopher, 0), count(Stage::Minhash, 20)],
            kept: 50,
            ..Funnel::default()
        };
        let bars = super::funnel(&funnel, Unit::Pages, FunnelSize { width: 1000.0, height: 300.0 });
        assert_eq!(bars.iter().map(|bar| bar.value).collect::<Vec<_>>(), [100, 70, 70, 50]);
        assert!(bars.windows(2).all(|pair| pair[0].x < pair[1].x && pair[0].height >= pair[1].height));
        assert!((bars[3].height / bars[0].height - 0.5).abs() < 1e-9);
        assert!(bars.iter().skip(1).all(|bar| !bar.paths.as_ref().unwrap().0.contains("NaN")));
        assert_eq!(amounts(&funnel, Unit::Bytes)[1], (700, 300));
    }

    #[test]
    fn axes_invert() {
        let axes = Axes { x: (0.2, 0.8), y: (0.0, 1.0), size: (300.0, 100.0), margins: [40.0, 10.0, 5.0, 20.0] };
        assert!((axes.value_at(axes.at_x(0.35)) - 0.35).abs() < 1e-9);
        assert_eq!((axes.at_y(0.0), axes.at_y(1.0)), (80.0, 5.0));
        assert_eq!(axes.path([(0.2, 0.0), (0.8, 1.0)]), "M40.0 80.0L290.0 5.0");
    }

    #[test]
    fn ticks_are_round_and_numbers_short() {
        assert_eq!(ticks(0.0, 1.0, 5), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks(3.0, 3.0, 5), [3.0]);
        for (value, text) in [(0.8, "0.8"), (120.0, "120"), (12345.0, "12,345"), (0.004, "0.004"), (0.0, "0")] {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn the_limit_is_on_the_axis() {
        let histogram = |range| Histogram {
            stage: Stage::Gopher,
            rule: "gopher_short_doc".into(),
            bound: Bound::Min,
            range,
            bins: vec![4, 0, 1],
        };
        assert_eq!(histogram_range(&histogram((100.0, 200.0)), Some(50.0)), (50.0, 200.0));
        assert_eq!(histogram_range(&histogram((0.0, 0.1)), Some(1e300)), (0.0, 0.1));
        assert_eq!([0, 2].map(|at| bin_height(&histogram((0.0, 1.0)), at)), [1.0, 0.5]);
    }

    #[test]
    fn the_s_curve_has_the_published_values() {
        for (j, bands, rows, p) in [(0.8, 14.0, 8.0, 0.924), (0.8, 10.0, 10.0, 0.679), (0.9, 10.0, 10.0, 0.986)] {
            assert!((found(j, bands, rows) - p).abs() < 5e-4);
        }
    }
}
