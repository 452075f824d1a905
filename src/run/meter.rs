//! Time measurements of a run: its throughput, and when recurring events are due.

use std::collections::VecDeque;

/// A recurring event. It may take a limited share of the time, and has a minimum interval.
pub struct Recurring {
    at_least_apart: f64,
    /// Seconds of pause per second of work.
    pause_factor: f64,
    /// Earliest time of the next occurrence, on the clock.
    pub not_before: f64,
}

impl Recurring {
    /// An event at least `at_least_apart` seconds apart, with `pause_factor` seconds of pause per second of work.
    pub fn new(at_least_apart: f64, pause_factor: f64) -> Self {
        Self { at_least_apart, pause_factor, not_before: 0.0 }
    }

    /// Records an occurrence that took from `began` to `now`.
    pub fn done(&mut self, began: f64, now: f64) {
        self.not_before = now + self.at_least_apart.max((now - began) * self.pause_factor);
    }
}

/// Minimum time between two collections for a reliable measurement: browser clocks have millisecond resolution, and Firefox
/// reports completed work every 100 ms. Shorter intervals are merged with the next.
const MIN_SAMPLE_SECONDS: f64 = 0.02;

/// The throughput is averaged over about this many seconds of training.
const WINDOW_SECONDS: f64 = 1.0;

/// Training throughput: total tokens divided by total seconds between collections. Inspection and generation are excluded.
#[derive(Default)]
pub struct Meter {
    samples: VecDeque<Sample>,
    /// Measurements that are too short to be a sample yet.
    pending: Sample,
    pacing: Pacing,
}

/// Steps that were collected, and the seconds since the previous collection.
#[derive(Clone, Copy, Default)]
struct Sample {
    steps: usize,
    tokens: usize,
    seconds: f64,
}

/// Sizes of the latest chunk and submission, in steps.
#[derive(Default)]
struct Pacing {
    chunk: usize,
    submission: usize,
}

impl Meter {
    /// Discards all measurements, because the workers have changed.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Adds the steps of a collection, `seconds` after the previous one.
    pub fn add(&mut self, steps: usize, tokens: usize, seconds: f64) {
        let pending = &mut self.pending;
        pending.steps += steps;
        pending.tokens += tokens;
        pending.seconds += seconds.max(0.0);
        if pending.seconds < MIN_SAMPLE_SECONDS || pending.steps == 0 {
            return;
        }
        self.samples.push_back(std::mem::take(pending));
        while let Some(oldest) = self.samples.front()
            && self.total().seconds - oldest.seconds >= WINDOW_SECONDS
        {
            self.samples.pop_front();
        }
    }

    fn total(&self) -> Sample {
        self.samples.iter().fold(Sample::default(), |sum, sample| Sample {
            steps: sum.steps + sample.steps,
            tokens: sum.tokens + sample.tokens,
            seconds: sum.seconds + sample.seconds,
        })
    }

    /// Throughput; 0 until enough has been measured.
    pub fn tokens_per_second(&self) -> f64 {
        let total = self.total();
        if total.seconds > 0.0 { total.tokens as f64 / total.seconds } else { 0.0 }
    }

    /// Seconds per step; `None` until enough has been measured.
    pub fn seconds_per_step(&self) -> Option<f64> {
        let total = self.total();
        (total.steps > 0).then(|| total.seconds / total.steps as f64)
    }

    /// The number of steps that take about `seconds`, at most twice the previous number.
    pub fn chunk(&mut self, seconds: f64, most: usize) -> usize {
        let step = self.seconds_per_step();
        self.pacing.chunk = grow(self.pacing.chunk, step, seconds, most);
        self.pacing.chunk
    }

    /// The same for one submission; a single step until enough has been measured.
    pub fn submission(&mut self, seconds: f64, most: usize) -> usize {
        if let Some(step) = self.seconds_per_step() {
            self.pacing.submission = grow(self.pacing.submission, Some(step), seconds, most);
        }
        self.pacing.submission.max(1)
    }
}

fn grow(last: usize, seconds_per_step: Option<f64>, seconds: f64, most: usize) -> usize {
    let doubled = (2 * last).clamp(1, most);
    match seconds_per_step {
        // A cast saturates, so a step that takes no time yields `doubled` steps.
        Some(step) => ((seconds / step) as usize).clamp(1, doubled),
        None => doubled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: usize = 1024;

    /// Simulates chunks of `steps` that take `true_seconds` each, measured with a clock that displays `shown(time)`. Returns
    /// the largest ratio of the measured to the true throughput after the first second, and the largest growth of chunk and
    /// submission.
    fn worst(steps: usize, true_seconds: f64, shown: impl Fn(f64) -> f64) -> f64 {
        let (mut meter, mut time, mut worst) = (Meter::default(), 0.0, 1.0f64);
        for _ in 0..400 {
            let before = shown(time);
            time += true_seconds;
            meter.add(steps, steps * TOKENS, shown(time) - before);
            let ratio = meter.tokens_per_second() / ((steps * TOKENS) as f64 / true_seconds);
            if time > 1.0 {
                worst = worst.max(ratio.max(1.0 / ratio));
            }
        }
        worst
    }

    #[test]
    fn completions_that_come_in_bunches_are_counted_by_their_sum() {
        // Firefox reports completed work every 100 ms.
        let polled = |time: f64| (time / 0.1).ceil() * 0.1;
        for true_seconds in [0.003, 0.03, 0.08, 0.13] {
            let worst = worst(1, true_seconds, polled);
            assert!(worst < 1.25, "{true_seconds} s a chunk: off by {worst}");
        }
    }

    #[test]
    fn a_clock_of_a_millisecond_is_fine_enough() {
        let coarse = |time: f64| (time * 1e3).floor() / 1e3;
        for true_seconds in [0.0001, 0.0007, 0.004, 0.05] {
            let worst = worst(4, true_seconds, coarse);
            assert!(worst < 1.06, "{true_seconds} s a chunk: off by {worst}");
        }
    }

    #[test]
    fn a_chunk_that_was_done_already_is_no_measurement() {
        let mut meter = Meter::default();
        meter.add(1, TOKENS, 0.0);
        assert_eq!(meter.tokens_per_second(), 0.0);
        assert_eq!(meter.submission(0.008, 64), 1);
        meter.add(1, TOKENS, 0.1);
        assert_eq!(meter.tokens_per_second(), 2.0 * TOKENS as f64 / 0.1);
    }

    #[test]
    fn chunks_and_submissions_at_most_double() {
        let mut meter = Meter::default();
        let chunks: Vec<usize> = (0..4).map(|_| meter.chunk(0.08, 64)).collect();
        assert_eq!(chunks, [1, 2, 4, 8]);
        meter.add(15, 15 * TOKENS, 0.02);
        let chunks: Vec<usize> = (0..4).map(|_| meter.chunk(0.08, 64)).collect();
        assert_eq!(chunks, [16, 32, 60, 60], "a step takes 1.3 ms");
        let submissions: Vec<usize> = (0..4).map(|_| meter.submission(0.008, 64)).collect();
        assert_eq!(submissions, [1, 2, 4, 6]);
        meter.add(60, 60 * TOKENS, 6.0);
        assert_eq!((meter.chunk(0.08, 64), meter.submission(0.008, 64)), (1, 1), "it has become slow");
    }
}
