//! Timelines, precision, links, strategies and bounds: the pure functions of the systems view.

use glasshead::systems::bounds::Layer;
use glasshead::systems::chrome;
use glasshead::systems::compare::differences;
use glasshead::systems::job::{Block, Job, Sizes};
use glasshead::systems::link::Link;
use glasshead::systems::precision::{FOUR_SUMS, Format, Histogram, LossScale, MIN_POWER};
use glasshead::systems::ring::{Collective, execute};
use glasshead::systems::simulate::{Setting, Simulation, Strategy, simulate};
use glasshead::systems::trace::{Cause, HostWork, Phase, Span, Trace, Work};
use glasshead::train::profile::profile_whole_step;
use glasshead::train::trainer::Trainer;
use pollster::block_on;
use proptest::prelude::{prop_assert, proptest};

use crate::common::{context, ids};
use crate::step::awkward;

#[test]
fn the_four_sums_are_those_of_the_assignment() {
    let sums = FOUR_SUMS.map(|sum| format!("{:.4}", sum.run(0.01, 1000).last().unwrap()));
    assert_eq!(sums, ["10.0001", "9.9531", "10.0021", "10.0021"]);
    assert_eq!(FOUR_SUMS[3].title(), "f16 into f32, cast first");
    // In f16, additions stop having an effect where the spacing is more than twice the term.
    assert_eq!(FOUR_SUMS[1].run(0.01, 10_000).last(), Some(&32.0));
}

#[test]
fn rounding_counts_what_is_lost() {
    let values = [0.0, 1.0, 1e-9, 3e-6, 1e6, -70_000.0, f32::INFINITY, f32::NAN];
    let histogram = Histogram::new(&values, 1.0);
    assert_eq!((histogram.n, histogram.zeros, histogram.non_finite), (8, 1, 2));
    let [f16, bf16] = &histogram.roundings[..] else { panic!("two formats") };
    assert_eq!((f16.format, f16.underflow, f16.subnormal, f16.overflow), (Format::F16, 1, 1, 2));
    assert_eq!((bf16.underflow, bf16.subnormal, bf16.overflow), (0, 0, 0));
    assert_eq!(histogram.bins[(0 - MIN_POWER) as usize], 1, "1 is in [2^0, 2^1)");
    assert_eq!(histogram.bins.iter().sum::<u64>(), 5);
    // A scale moves small gradients into range.
    assert_eq!(Histogram::new(&[1e-9], 65_536.0).roundings[0].underflow, 0);
    // Half a unit in the last place: 2^-11 for f16, 2^-8 for bf16.
    let many: Vec<f32> = (0..1000u16).map(|i| 1.0 + f32::from(i) / 1000.0).collect();
    let errors: Vec<f64> =
        Histogram::new(&many, 1.0).roundings.iter().map(|rounding| rounding.relative_error).collect();
    assert!(errors[0] < f64::powi(2.0, -11) && errors[1] < f64::powi(2.0, -8) && errors[1] > 4.0 * errors[0]);
}

#[test]
fn the_loss_scale_halves_and_doubles() {
    let mut scale = LossScale { interval: 3, ..LossScale::DEFAULT };
    assert!(!scale.step(true));
    assert_eq!((scale.scale, scale.good), (32_768.0, 0));
    assert!([false; 3].map(|overflow| scale.step(overflow)).iter().all(|applied| *applied));
    assert_eq!((scale.scale, scale.good), (65_536.0, 0));
    (0..40).for_each(|_| assert!(!scale.step(true)));
    assert_eq!(scale.scale, 1.0, "it never falls below 1");
}

fn span(kernel: &str, phase: Phase, layer: Option<usize>, [start_ns, ns]: [f64; 2]) -> Span {
    let work = Work { phase, layer, tensor: "y".into(), flops: 10.0, bytes: 20.0 };
    Span { kernel: kernel.into(), work, start_ns, ns, least_ns: ns / 2.0 }
}

fn trace(norm_ns: f64) -> Trace {
    Trace {
        device: "test".into(),
        step: 3,
        plain_ns: 95.0 + norm_ns,
        wall_ns: 100.0 + norm_ns,
        host: vec![],
        spans: vec![
            span("matmul_nt", Phase::Forward, Some(0), [10.0, 30.0]),
            span("rmsnorm", Phase::Forward, Some(1), [45.0, norm_ns]),
            span("linear_grad", Phase::Backward, Some(1), [45.0 + norm_ns, 20.0]),
            span("adamw", Phase::Update, None, [65.0 + norm_ns, 25.0]),
        ],
    }
}

#[test]
fn a_timeline_adds_up_and_two_of_them_are_ranked() {
    let (before, after) = (trace(5.0), trace(50.0));
    let idle: f64 = before.idle_ns().iter().map(|(_, ns)| ns).sum();
    assert_eq!(before.busy_ns() + idle, before.wall_ns);
    assert_eq!(before.idle_ns(), [(Cause::Host, 10.0), (Cause::Launch, 5.0), (Cause::Read, 10.0)]);
    assert_eq!(before.layer_ns(), [[30.0, 0.0], [5.0, 20.0], [0.0, 0.0]]);
    let changes = differences(&before, &after);
    assert_eq!((changes[0].name.as_str(), changes[0].times, changes[0].change_ns()), ("rmsnorm", [1, 1], 45.0));
    let sum: f64 = changes.iter().map(|change| change.change_ns()).sum();
    assert!((sum - (after.wall_ns - before.wall_ns)).abs() < 1e-9);
    let empty = Trace { wall_ns: 7.0, ..Trace::default() };
    assert_eq!(empty.idle_ns()[0].1 + empty.idle_ns()[2].1, 7.0);
}

#[test]
fn an_exported_trace_is_read_again_and_nothing_else_is() {
    let text = chrome::write(&trace(5.0), None).to_string();
    assert_eq!(chrome::read(&text).unwrap(), trace(5.0));
    for wrong in ["", "{}", "[1]", "{\"otherData\":{\"glasshead\":{}}}", "{\"otherData\":{\"glasshead\":7}}"] {
        assert!(chrome::read(wrong).is_err(), "{wrong}");
    }
    assert!(chrome::read(&text.replace("\"wall_ns\":105.0", "\"wall_ns\":-1.0")).is_err());
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let events = value["traceEvents"].as_array().unwrap();
    let complete: Vec<_> = events.iter().filter(|event| event["ph"] == "X").collect();
    assert_eq!(complete.len(), 4);
    assert_eq!((complete[0]["ts"].as_f64(), complete[0]["dur"].as_f64()), (Some(0.01), Some(0.03)));
}

/// The timeline of a real step, on both backends: its parts add up to the measured time, its dispatches do not overlap.
#[test]
fn a_measured_timeline_adds_up() {
    for gpu in [false, true] {
        let (context, tokens) = (gpu.then(context), ids(1, 400, 300));
        let mut trainer = block_on(Trainer::new(awkward(), context.as_ref(), &tokens, &tokens)).unwrap();
        let measured = block_on(profile_whole_step(&mut trainer, context.as_ref())).unwrap();
        let trace = &measured.trace;
        let idle: f64 = trace.idle_ns().iter().map(|(_, ns)| ns).sum();
        let sum = trace.busy_ns() + idle;
        assert!((sum / trace.wall_ns - 1.0).abs() < 0.05, "GPU {gpu}: {sum} of {} ns", trace.wall_ns);
        assert!(trace.spans.windows(2).all(|pair| pair[0].end_ns() <= pair[1].start_ns + 1e-3), "GPU {gpu}");
        assert_eq!(trace.spans.len(), trainer.dispatches_per_step());
        assert!(
            trace.plain_ns > 0.0
                && trace.host.iter().any(|span| span.work == if gpu { HostWork::Submit } else { HostWork::Compute })
        );
        let phases: Vec<Phase> = trace.spans.iter().map(|span| span.work.phase).collect();
        assert_eq!(phases.last(), Some(&Phase::Update));
        assert!(phases.contains(&Phase::Forward) && phases.contains(&Phase::Backward));
        // Kernels and timeline are the same measurement.
        let kernels = measured.profile.total().ns;
        assert!(trace.busy_ns() <= kernels * 1.001, "GPU {gpu}");
        let json = chrome::write(trace, Some(&measured.memory));
        assert_eq!(&chrome::read(&json.to_string()).unwrap(), trace);
        let counters = json["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == "C");
        assert_eq!(counters.count(), trace.spans.len());
    }
}

fn job(n_layers: usize) -> Job {
    let block = |index: usize| Block {
        name: format!("layer {index}"),
        forward_s: 0.01,
        backward_s: 0.02,
        param_bytes: 4e6,
        n_tensors: 8,
        feed_forward: 0.6,
        output_bytes: 1e6,
    };
    Job { blocks: (0..n_layers).map(block).collect(), update_s: 0.004, activation_bytes: 64e6 }
}

fn simulated(strategy: Strategy, ranks: usize, bytes_per_s: f64) -> Simulation {
    let link = Link { bytes_per_s, latency_s: 1e-5 };
    simulate(&job(10), strategy, Setting { ranks, link, bucket_bytes: 8e6, overhead_s: 1e-5 })
}

#[test]
fn strategies_hide_what_they_can() {
    // The all-reduce takes a tenth of the step.
    let whole = job(10).shared(4).step_s();
    let bytes_per_s = 1.5 * 40e6 / (0.1 * whole);
    let exposed = |strategy| simulated(strategy, 4, bytes_per_s).exposed_s;
    let (naive, flat, overlapped) = (exposed(Strategy::Naive), exposed(Strategy::Flat), exposed(Strategy::Overlapped));
    assert!(flat < naive && overlapped < 0.5 * naive, "{naive} {flat} {overlapped}");
    assert!(exposed(Strategy::Bucketed) < 0.5 * naive);
    for strategy in Strategy::ALL {
        let alone = simulated(strategy, 1, bytes_per_s);
        assert!((alone.step_s - job(10).step_s()).abs() < 1e-12 && alone.link_s == 0.0, "{}", strategy.name());
        let step = simulated(strategy, 4, bytes_per_s);
        assert!(step.step_s >= step.spans.iter().map(|span| span.end_s).fold(0.0, f64::max) - 1e-12);
        assert!((0.0..=1.0).contains(&step.hidden()) && step.speedup() > 1.0 && step.speedup() <= 4.0 + 1e-9);
        // Neither the processor nor the link does two things at a time.
        for communicates in [false, true] {
            let lane = step.spans.iter().filter(|span| {
                matches!(span.activity, glasshead::systems::simulate::Activity::Communicate(_)) == communicates
            });
            let ends: Vec<[f64; 2]> = lane.map(|span| [span.start_s, span.end_s]).collect();
            assert!(ends.windows(2).all(|pair| pair[0][1] <= pair[1][0] + 1e-12), "{}", strategy.name());
        }
    }
    let memory = |strategy| simulated(strategy, 4, bytes_per_s).memory;
    let (ddp, sharded, fsdp) = (memory(Strategy::Naive), memory(Strategy::Sharded), memory(Strategy::Fsdp));
    assert_eq!([ddp.parameters, ddp.gradients, ddp.moments, ddp.activations], [40e6, 40e6, 80e6, 16e6]);
    assert_eq!(sharded.moments, 20e6);
    assert!(fsdp.total() < sharded.total() && sharded.total() < ddp.total());
    assert!(memory(Strategy::TensorParallel).parameters < ddp.parameters);
}

#[test]
fn links_take_the_time_of_the_handout() {
    let link = Link { bytes_per_s: 1e9, latency_s: 0.0 };
    let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-12, "{a} {b}");
    near(link.collective_s(Collective::AllReduce, 4, 1e9), 2.0 * 3.0 / 4.0);
    near(link.collective_s(Collective::AllGather, 4, 1e9), 3.0 / 4.0);
    near(link.whole_tensor_s(4, 1e9), 3.0);
    near(Link { latency_s: 0.5, ..link }.collective_s(Collective::ReduceScatter, 3, 0.0), 1.0);
    near(link.best_bucket(1e9, 1e-4), (1e9f64 * 1e9 * 1e-4).sqrt());
}

proptest! {
    /// The simulator's knee is where the formula has it.
    #[test]
    fn the_knee_is_found(tokens in 1e5f64..4e6, ratio in 1e-5f64..1e-4, width in 1usize..5) {
        let layer = Layer { tokens, d_model: 1024.0 * width as f64, d_ff: 4096.0, flops_per_s: 1e15, bytes_per_s: 1e15 * ratio };
        let formula = layer.bounds().data - 1.0;
        let simulated = layer.simulated_knee(48, 1 << 20) as f64 - 1.0;
        // Whole ranks: an error of one is possible for small numbers.
        prop_assert!((simulated - formula).abs() <= 0.15 * formula + 1.0, "{simulated} {formula}");
    }

    /// FSDP's best case is never slower than gathering without prefetch would be, and speedups are monotone in bandwidth.
    #[test]
    fn a_faster_link_is_never_slower(ranks in 2usize..9, slow in 1e7f64..1e9, factor in 1.0f64..10.0) {
        for strategy in Strategy::ALL {
            let [slow, fast] = [slow, slow * factor].map(|bytes_per_s| simulated(strategy, ranks, bytes_per_s).step_s);
            prop_assert!(fast <= slow + 1e-12, "{}", strategy.name());
        }
    }
}

#[test]
fn four_numbers_on_four_ranks() {
    let mut ranks: Vec<Vec<f32>> = (0..4u8).map(|rank| (0..4u8).map(|i| f32::from(rank * 10 + i)).collect()).collect();
    execute(Collective::AllReduce, &mut ranks);
    assert!(ranks.iter().all(|rank| *rank == [60.0, 64.0, 68.0, 72.0]));
    let first = Collective::AllReduce.message(4, 0, 2);
    assert_eq!((first.from, first.to, first.chunk, first.add), (2, 3, 2, true));
    assert!(!Collective::AllReduce.message(4, 3, 2).add);
}

#[test]
fn a_trace_becomes_a_job() {
    let sizes = Sizes {
        embedding: 100.0,
        layer: 50.0,
        head: 100.0,
        layer_tensors: 9,
        feed_forward: 0.6,
        stream: 10.0,
        activation_bytes: 1000.0,
    };
    let job = Job::of_trace(&trace(5.0), sizes);
    assert_eq!(job.blocks.len(), 4);
    assert_eq!((job.param_bytes(), job.blocks[1].output_bytes), (4.0 * 300.0, 40.0));
    assert!((job.step_s() - trace(5.0).busy_ns() / 1e9).abs() < 1e-15);
}

/// Predictions for runs that the constant was not fitted to are within 10 % of what was published.
#[test]
fn clusters_are_as_fast_as_published() {
    use glasshead::systems::cluster::{Gpu, PUBLISHED, Training};
    assert_eq!(PUBLISHED.iter().filter(|run| run.fitted).count(), 1);
    for run in PUBLISHED {
        let step = run.training.step(run.gpu).unwrap();
        let ratio = step.flops_per_s / run.flops_per_s;
        println!(
            "{}: {:.0} TFLOP/s predicted, {:.0} published",
            run.name,
            step.flops_per_s / 1e12,
            run.flops_per_s / 1e12
        );
        assert!((ratio - 1.0).abs() < 0.1, "{}: {ratio}", run.name);
        assert!(step.flops_per_s < run.gpu.flops_per_s * run.gpu.efficiency);
    }
    let run = PUBLISHED[0].training;
    for wrong in [
        Training { tensor: 0, ..run },
        Training { gpus: 100, ..run },
        Training { batch: 3, ..run },
        Training { micro_batch: 0, ..run },
    ] {
        assert_eq!(wrong.step(Gpu::A100), None);
    }
}
