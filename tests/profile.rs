//! Profile of a step: every dispatch is counted, and the run is unchanged.

use glasshead::train::profile::profile_step;
use glasshead::train::trainer::Trainer;
use glasshead::types::profile::{KernelTime, Profile, TimedBy};
use pollster::block_on;

use crate::common::{context, ids};
use crate::step::awkward;

#[test]
fn a_profile_counts_every_dispatch_and_leaves_the_run_as_it_is() {
    for gpu in [false, true] {
        let (context, tokens) = (gpu.then(context), ids(1, 400, 300));
        block_on(async {
            let mut trainer = Trainer::new(awkward(), context.as_ref(), &tokens, &tokens).await.unwrap();
            trainer.submit(3);
            trainer.collect().await.unwrap();
            let before = trainer.state().await.unwrap();
            let profile = profile_step(&mut trainer, context.as_ref()).await.unwrap();
            assert!(trainer.state().await.unwrap() == before, "GPU {gpu}: the run has changed");
            let total = profile.total();
            assert_eq!((profile.step, total.times), (3, trainer.dispatches_per_step()), "GPU {gpu}");
            assert_eq!(profile.timed_by, if gpu { TimedBy::Timestamps } else { TimedBy::Clock });
            assert!(profile.kernels.is_sorted_by(|a, b| a.ns >= b.ns) && total.ns > 0.0);
            assert!(total.flops > 0.0 && total.bytes > 0.0 && profile.peak_flops_per_s > 0.0);
            assert!(profile.kernels.iter().any(|kernel| kernel.flops == 0.0 && kernel.bytes > 0.0));
            assert!(profile.kernels.iter().all(|kernel| kernel.least_ns > 0.0));
        });
    }
}

#[test]
fn coarse_timestamps_are_noticed() {
    let profile = |timed_by, times: &[f64]| Profile {
        step: 1,
        timed_by,
        kernels: times.iter().map(|&ns| KernelTime { ns, ..KernelTime::none("k") }).collect(),
        peak_flops_per_s: 1e9,
        peak_bytes_per_s: 1e9,
    };
    assert_eq!(profile(TimedBy::Timestamps, &[3e5, 1e5, 0.0]).coarse_ns(), Some(1e5));
    assert_eq!(profile(TimedBy::Timestamps, &[3e5, 123_456.0]).coarse_ns(), None);
    assert_eq!(profile(TimedBy::Clock, &[3e5, 1e5]).coarse_ns(), None);
    assert_eq!(profile(TimedBy::Timestamps, &[0.0]).coarse_ns(), None);
}
