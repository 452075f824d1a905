//! Measures how many workers actually compute in parallel. Browsers may report a different number of cores than available: some
//! do so to prevent fingerprinting, and WebKitGTK reports at least 4.

use std::hint::black_box;

use crate::parallel::pool::SharedPool;

/// Reported numbers up to this one are used without a measurement, because one surplus worker costs little.
const TRUSTED_CORES: usize = 2;

/// Number of repetitions of the measurement: one worker alone, then all together twice, for `TRIAL_MS` each. The best one
/// counts, because other programs, and a browser that is still compiling, can only slow a measurement down.
const TRIALS: usize = 4;
const TRIAL_MS: u32 = 20;

/// Minimum measured fraction at which the reported number is accepted: cores that all compute are slower than one alone.
const MIN_SHARE: f64 = 0.8;

/// Added before rounding to a number of workers, to account for other programs that ran even during the best measurement.
const ALLOWANCE: f64 = 0.25;

/// Iterations per round, so that a round takes longer than reading the clock.
const ITERATIONS: usize = 200;

/// Milliseconds since 1970: the clock shared by all workers.
pub fn date_ms() -> f64 {
    #[cfg(target_arch = "wasm32")]
    return js_sys::Date::now();
    #[cfg(not(target_arch = "wasm32"))]
    {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0.0, |since| since.as_secs_f64() * 1e3)
    }
}

/// Computes until `to_ms` and returns the number of rounds since `from_ms`. All workers share the clock, so no more of them
/// compute within this window than there are cores.
pub fn spin(from_ms: f64, to_ms: f64) -> u64 {
    let (mut rounds, mut numbers) = (0, [1.0f32; 256]);
    loop {
        let now = date_ms();
        if now >= to_ms {
            return rounds;
        }
        for _ in 0..ITERATIONS {
            numbers.iter_mut().for_each(|number| *number = *number * 0.999 + 0.001);
        }
        black_box(&numbers);
        rounds += u64::from(now >= from_ms);
    }
}

/// Measures how many of `reported` workers increase throughput, within a fraction of a second, and terminates the others.
pub async fn useful_workers(pool: &SharedPool, reported: usize) -> usize {
    if reported <= TRUSTED_CORES {
        return reported.max(1);
    }
    let (mut alone, mut together) = (0, 0);
    for _ in 0..TRIALS {
        for n in [1, reported, reported] {
            let rounds = pool.borrow_mut().spin(n, TRIAL_MS);
            let rounds = rounds.await;
            alone = rounds.iter().copied().fold(alone, u64::max);
            together = together.max(rounds.iter().sum());
        }
    }
    let n = workers_for(reported, alone, together);
    pool.borrow_mut().call(n - 1);
    n
}

/// The number of workers for a machine on which one worker completes at most `alone` rounds, and `reported` workers complete
/// `together` rounds in the same time.
pub fn workers_for(reported: usize, alone: u64, together: u64) -> usize {
    let speedup = together as f64 / alone.max(1) as f64;
    match speedup >= MIN_SHARE * reported as f64 {
        true => reported,
        false => ((speedup + ALLOWANCE).round() as usize).clamp(1, reported.max(1)),
    }
}
