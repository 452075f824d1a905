//! The loss chart's geometry: scales, ticks, thinning. Pure.

use crate::protocol::StepPoint;

/// From data to pixels: `low` lands on `from`, `high` on `to`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
    /// Pixel of the smallest.
    pub from: f64,
    /// Pixel of the largest.
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

/// The lowest and highest loss in each column of pixels that has any: (column, low, high). However long the run, this
/// is what a screen can show of it.
pub fn columns(points: &[StepPoint], x: &Scale) -> Vec<(f64, f64, f64)> {
    let mut columns: Vec<(f64, f64, f64)> = Vec::new();
    for point in points {
        let (column, loss) = (x.pixel(point.step as f64).round(), f64::from(point.loss));
        match columns.last_mut() {
            Some((last, low, high)) if *last == column => (*low, *high) = (low.min(loss), high.max(loss)),
            _ => columns.push((column, loss, loss)),
        }
    }
    columns
}

/// The exponential moving average of the losses over about `window` steps, without the bias of its beginning; one
/// value per column of pixels, the last one in it.
pub fn smoothed(points: &[StepPoint], x: &Scale, window: f64) -> Vec<(f64, f64)> {
    let keep = 1.0 - 1.0 / window.max(1.0);
    let (mut sum, mut weight) = (0.0, 0.0);
    let mut line: Vec<(f64, f64)> = Vec::new();
    for point in points {
        sum = keep * sum + f64::from(point.loss);
        weight = keep * weight + 1.0;
        let column = x.pixel(point.step as f64).round();
        match line.last_mut() {
            Some((last, value)) if *last == column => *value = sum / weight,
            _ => line.push((column, sum / weight)),
        }
    }
    line
}

/// The step whose pixel is nearest; its index in `points`.
pub fn nearest(points: &[StepPoint], step: f64) -> Option<usize> {
    let after = points.partition_point(|point| (point.step as f64) < step);
    let distance = |index: &usize| (points[*index].step as f64 - step).abs();
    [after.checked_sub(1), Some(after).filter(|&i| i < points.len())]
        .into_iter()
        .flatten()
        .min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// Where labels go that want to be at `wanted` (ascending pixels): each at least `gap` below the one before, and none
/// below `bottom` as long as they all fit above it.
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
