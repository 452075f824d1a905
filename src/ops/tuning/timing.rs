//! Determines which of several kernels is the fastest on a device, with clocks that may be coarse, wrong, or missing.

use crate::gpu::profile::Reading;

/// Minimum length of a reading by timestamps: browsers round them to 65,536 ns, so this is 76 ticks.
const MIN_STAMPS_NS: f64 = 5e6;

/// Minimum length of a reading by the host's clock, which includes submitting the work and waiting for it.
const MIN_WALL_NS: f64 = 3e7;

/// Maximum number of runs per reading.
const MAX_REPEATS: u32 = 1 << 12;

/// Readings of each contestant, alternating with the others.
const ROUNDS: usize = 3;

/// A hardware variant wins unless the original is faster by more than this factor.
const TIE: f64 = 1.03;

/// Sum of the valid readings of one contestant.
#[derive(Clone, Copy, Default)]
struct Sum {
    ns: f64,
    runs: f64,
    readings: usize,
}

impl Sum {
    fn add(&mut self, ns: f64, runs: u32) {
        self.ns += ns;
        self.runs += f64::from(runs);
        self.readings += 1;
    }

    fn mean(self) -> Option<f64> {
        (self.readings > 0).then(|| self.ns / self.runs)
    }
}

/// Nanoseconds of one run of each of `n` contestants; `None` where no reading was valid. `measure` returns the time of a
/// given number of runs of a contestant; readings of 0 and reversed pairs are discarded.
///
/// # Errors
/// The errors of `measure`.
pub(super) async fn time<E>(
    n: usize,
    mut measure: impl AsyncFnMut(usize, u32) -> Result<Reading, E>,
) -> Result<Vec<Option<f64>>, E> {
    let mut repeats = vec![1; n];
    for (which, repeats) in repeats.iter_mut().enumerate() {
        measure(which, 1).await?; // loads code and data
        while let Some(more) = longer(measure(which, *repeats).await?, *repeats) {
            *repeats = more;
        }
    }
    let (mut stamps, mut wall) = (vec![Sum::default(); n], vec![Sum::default(); n]);
    for _ in 0..ROUNDS {
        for which in 0..n {
            let reading = measure(which, repeats[which]).await?;
            if let Some(ns) = reading.valid_stamps() {
                stamps[which].add(ns, repeats[which]);
            }
            if reading.wall_ns > 0.0 {
                wall[which].add(reading.wall_ns, repeats[which]);
            }
        }
    }
    // All contestants are compared by the same clock.
    let by = if stamps.iter().all(|sum| sum.readings > 0) { stamps } else { wall };
    Ok(by.into_iter().map(Sum::mean).collect())
}

/// Number of runs for the next reading if this one was too short.
fn longer(reading: Reading, repeats: u32) -> Option<u32> {
    let share = match reading.valid_stamps() {
        Some(ns) => ns / MIN_STAMPS_NS,
        None => reading.wall_ns / MIN_WALL_NS,
    };
    let enough = share >= 1.0 || reading.wall_ns >= 4.0 * MIN_WALL_NS || repeats >= MAX_REPEATS;
    let factor = (1.2 / share).clamp(2.0, 8.0).ceil() as u32;
    (!enough).then(|| (repeats * factor).min(MAX_REPEATS))
}

/// The contestant to use, by the times of the original and of each contestant; `None` selects the original. `hardware` says
/// which of the contestants are made for hardware.
pub(super) fn winner(times: &[Option<f64>], hardware: &[bool]) -> Option<usize> {
    let Some(original) = times[0] else { return (!hardware.is_empty()).then_some(0) };
    let timed = times[1..].iter().enumerate().filter_map(|(index, ns)| Some((index, (*ns)?)));
    let (index, ns) = timed.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let limit = if hardware[index] { TIE * original } else { original };
    (ns < limit).then_some(index)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const TICK_NS: f64 = 65_536.0;

    /// Times two kernels that take `ns` nanoseconds per run; `stamps` converts beginning and end to a reading.
    fn times(ns: [f64; 2], stamps: impl Fn(f64, f64) -> Option<f64>, wall: impl Fn(f64) -> f64) -> Vec<Option<f64>> {
        let now = Cell::new(12_345.0);
        let measure = async |which: usize, repeats: u32| {
            let began = now.get() + 31_337.0;
            let end = began + ns[which] * f64::from(repeats);
            now.set(end);
            Ok::<_, ()>(Reading { stamps_ns: stamps(began, end), wall_ns: wall(end - began) })
        };
        pollster::block_on(time(2, measure)).unwrap()
    }

    fn quantized(began: f64, end: f64) -> Option<f64> {
        Some(((end / TICK_NS).floor() - (began / TICK_NS).floor()) * TICK_NS)
    }

    fn wall(ns: f64) -> f64 {
        ns + 300_000.0
    }

    #[test]
    fn quantized_timestamps_find_the_faster_kernel() {
        for (ns, expected) in
            [([10e3, 7e3], Some(0)), ([10e3, 12e3], None), ([900e3, 1.1e6], None), ([2e3, 1e3], Some(0))]
        {
            let times = times(ns, quantized, wall);
            assert!((times[0].unwrap() / ns[0] - 1.0).abs() < 0.03, "{ns:?}: {times:?}");
            assert_eq!(winner(&times, &[true]), expected, "{ns:?}: {times:?}");
        }
    }

    #[test]
    fn zeros_and_reversed_pairs_are_no_times() {
        let readings: [fn(f64, f64) -> Option<f64>; 3] =
            [|_, _| Some(0.0), |began, end| Some(began - end), |_, _| None];
        for stamps in readings {
            let by_wall = times([10e3, 7e3], stamps, wall);
            assert_eq!(winner(&by_wall, &[true]), Some(0), "{by_wall:?}");
            let by_wall = times([10e3, 13e3], stamps, wall);
            assert_eq!(winner(&by_wall, &[true]), None, "{by_wall:?}");
        }
        // One kernel whose pairs are all zero is no winner by that.
        let now = Cell::new(0);
        let measure = async |which: usize, repeats: u32| {
            now.set(now.get() + 1);
            let ns = [1e5, 2e5][which] * f64::from(repeats);
            Ok::<_, ()>(Reading { stamps_ns: Some(if which == 0 { ns } else { 0.0 }), wall_ns: ns })
        };
        let times = pollster::block_on(time(2, measure)).unwrap();
        assert_eq!(winner(&times, &[false]), None, "{times:?}");
    }

    #[test]
    fn a_tie_goes_to_the_variant_for_hardware() {
        assert_eq!(winner(&[Some(100.0), Some(101.0)], &[true]), Some(0));
        assert_eq!(winner(&[Some(100.0), Some(100.0)], &[false]), None);
        assert_eq!(winner(&[Some(100.0), None, Some(90.0)], &[true, false]), Some(1));
        assert_eq!(winner(&[None, None], &[true]), Some(0), "nothing could be timed");
        assert_eq!(winner(&[Some(1.0)], &[]), None);
    }
}
