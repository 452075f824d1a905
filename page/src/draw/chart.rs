//! The loss chart's geometry: scales, ticks, thinning. Pure.

use glasshead::types::StepPoint;

/// A linear map from data to pixels: `low` maps to `from`, `high` to `to`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
    /// Pixel of the smallest value.
    pub from: f64,
    /// Pixel of the largest value.
    pub to: f64,
}

impl Scale {
    /// The pixel of a value.
    pub fn pixel(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low).max(1e-12) * (self.to - self.from)
    }

    /// The value of a pixel.
    pub fn value(&self, pixel: f64) -> f64 {
        self.low + (pixel - self.from) / (self.to - self.from) * (self.high - self.low)
    }

    /// Round values inside the scale, about `n` of them.
    pub fn ticks(&self, n: usize) -> Vec<f64> {
        let span = (self.high - self.low).max(1e-9);
        let rough = span / n.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|&s| s >= rough).unwrap_or(rough);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last).map(|i| i as f64 * step).collect()
    }
}

/// The lowest and highest loss in each pixel column that has any: (column, low, high). `points` are (x, loss),
/// ascending. Bounds the amount of drawing however long the run is.
pub fn columns(points: impl Iterator<Item = (f64, f64)>, x: &Scale) -> Vec<(f64, f64, f64)> {
    let mut columns: Vec<(f64, f64, f64)> = Vec::new();
    for (at, loss) in points {
        let column = x.pixel(at).round();
        match columns.last_mut() {
            Some((last, low, high)) if *last == column => (*low, *high) = (low.min(loss), high.max(loss)),
            _ => columns.push((column, loss, loss)),
        }
    }
    columns
}

/// The exponential moving average of the losses over about `window` points, corrected for initialization bias; one
/// value per pixel column, the last one in it. `points` are (x, loss), ascending.
pub fn smoothed(points: impl Iterator<Item = (f64, f64)>, x: &Scale, window: f64) -> Vec<(f64, f64)> {
    let keep = 1.0 - 1.0 / window.max(1.0);
    let (mut sum, mut weight) = (0.0, 0.0);
    let mut line: Vec<(f64, f64)> = Vec::new();
    for (at, loss) in points {
        sum = keep * sum + loss;
        weight = keep * weight + 1.0;
        let column = x.pixel(at).round();
        match line.last_mut() {
            Some((last, value)) if *last == column => *value = sum / weight,
            _ => line.push((column, sum / weight)),
        }
    }
    line
}

/// The index of the point whose x is nearest to `wanted`. `at` gives the x of a point; they ascend.
pub fn nearest(points: &[StepPoint], at: impl Fn(&StepPoint) -> f64, wanted: f64) -> Option<usize> {
    let after = points.partition_point(|point| at(point) < wanted);
    let distance = |index: &usize| (at(&points[*index]) - wanted).abs();
    [after.checked_sub(1), Some(after).filter(|&i| i < points.len())]
        .into_iter()
        .flatten()
        .min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// The x of an evaluation: that of the last point at or before its step, or 0 if there is none.
pub fn place_of(points: &[StepPoint], at: impl Fn(&StepPoint) -> f64, step: u64) -> f64 {
    let after = points.partition_point(|point| point.step <= step);
    after.checked_sub(1).map_or(0.0, |index| at(&points[index]))
}

/// A number for an axis or a table: thousands as k, millions as M.
pub fn short(value: f64) -> String {
    let plain = |value: f64| format!("{:.2}", value).trim_end_matches('0').trim_end_matches('.').to_string();
    match value.abs() {
        size if size >= 1e6 => format!("{} M", plain(value / 1e6)),
        size if size >= 1e4 => format!("{} k", plain(value / 1e3)),
        _ => plain(value),
    }
}

/// Label positions near `wanted` (ascending pixels): each at least `gap` below the previous one, and none below
/// `bottom` as long as all fit above it.
pub fn apart(wanted: &[f64], gap: f64, bottom: f64) -> Vec<f64> {
    let mut places: Vec<f64> = Vec::with_capacity(wanted.len());
    for &place in wanted {
        places.push(places.last().map_or(place, |last| place.max(last + gap)));
    }
    let mut limit = bottom;
    for place in places.iter_mut().rev() {
        *place = place.min(limit);
        limit = *place - gap;
    }
    places
}
