//! The Systems view: families of kernels, and the roofline of a profile.

use glasshead::config::Preset;
use glasshead::ops::KERNELS;
use glasshead::systems::memory::{Group, MemoryTimeline, Tensor};
use glasshead::systems::trace::{Phase, Span, Trace, Work};
use glasshead::types::profile::{KernelTime, Profile, TimedBy};
use glasshead::wire::profile::{ProfileCommand, ProfileEvent};
use glasshead::wire::{Command, Event};
use glasshead_page::state::profile::{SystemsAction, SystemsTab};
use glasshead_page::state::{Action, State};
use glasshead_page::systems::geometry::{Range, dispatch_at, lane, outline, stacks};
use glasshead_page::systems::state::{Family, Roofline, job, sizes};

fn kernel(name: &str, ns: f64, flops: f64, bytes: f64) -> KernelTime {
    KernelTime { kernel: name.into(), times: 1, ns, flops, bytes, least_ns: 0.0 }
}

fn profile(kernels: Vec<KernelTime>) -> Profile {
    Profile { step: 3, timed_by: TimedBy::Clock, kernels, peak_flops_per_s: 4e9, peak_bytes_per_s: 1e9 }
}

#[test]
fn kernels_have_families() {
    let family = |name: &str| Family::of(name);
    assert_eq!(family("flash_attention_grad_16"), Family::Attention);
    assert_eq!([family("matmul_nt"), family("linear_grad")], [Family::Matmul; 2]);
    assert_eq!([family("cross_entropy_grad"), family("embedding_grad"), family("gather_batch")], [Family::Loss; 3]);
    assert_eq!([family("adamw"), family("squared_sums")], [Family::Optimizer; 2]);
    assert_eq!([family("rmsnorm"), family("swiglu_grad"), family("rope")], [Family::Elementwise; 3]);
    // Every kind of kernel occurs, and none lacks a title or a color.
    let all: Vec<Family> = KERNELS.iter().map(|kernel| Family::of(kernel.name)).collect();
    assert!(Family::ALL.iter().all(|family| all.contains(family)));
    assert!(Family::ALL.iter().all(|family| !family.title().is_empty() && family.color().starts_with("--s")));
}

#[test]
fn a_roofline_has_a_ridge_and_points_below_it() {
    // 8 operations per byte at half the peak, 2 per byte at a quarter of what the bandwidth allows.
    let of = vec![
        kernel("matmul_nt", 1e6, 2e6, 0.25e6),
        kernel("linear_grad", 1e6, 5e5, 2.5e5),
        kernel("rmsnorm", 2e6, 0.0, 1e6),
    ];
    let roofline = Roofline::new(&profile(of)).unwrap();
    assert_eq!(roofline.ridge(), 4.0);
    assert_eq!([roofline.roof(2.0), roofline.roof(100.0)], [2e9, 4e9]);
    let [first, second] = &roofline.points[..] else { panic!("kernels without operations have no point") };
    assert_eq!((first.intensity, first.speed, first.share), (8.0, 2e9, 0.25));
    assert_eq!(second.speed / roofline.roof(second.intensity), 0.25);
    let [x0, x1, y0, y1] = roofline.range();
    assert!(x0 <= 0 && x1 >= 1 && y0 <= 8 && y1 >= 10, "{:?}", roofline.range());
    assert_eq!(Roofline::new(&profile(vec![kernel("rmsnorm", 1.0, 0.0, 1.0)])), None);
}

fn trace() -> Trace {
    let span = |kernel: &str, phase, layer, start_ns: f64, ns| Span {
        kernel: kernel.into(),
        work: Work { phase, layer, tensor: String::new(), flops: 1.0, bytes: 1.0 },
        start_ns,
        ns,
        least_ns: 1.0,
    };
    let spans = vec![
        span("matmul_nt", Phase::Forward, Some(0), 10.0, 20.0),
        span("linear_grad", Phase::Backward, Some(1), 40.0, 40.0),
        span("adamw", Phase::Update, None, 80.0, 15.0),
    ];
    Trace { device: "CPU".into(), step: 3, plain_ns: 99.0, wall_ns: 100.0, host: Vec::new(), spans }
}

fn memory() -> MemoryTimeline {
    let tensor = |name: &str, group, bytes, live| Tensor { name: name.into(), group, layer: None, bytes, live };
    let tensors = vec![
        tensor("parameters", Group::Parameters, 100, [0, 2]),
        tensor("heads", Group::Activations, 50, [0, 1]),
        tensor("gradients", Group::Gradients, 30, [1, 2]),
    ];
    MemoryTimeline { n_dispatches: 3, tensors, allocated_bytes: 200, elsewhere_bytes: 20 }
}

#[test]
fn a_timeline_is_zoomed_within_the_step() {
    let (trace, whole) = (trace(), Range::whole(&trace()));
    let half = whole.zoomed(25.0, 2.0, whole);
    assert_eq!(half, Range { from: 12.5, to: 62.5 });
    assert_eq!(half.zoomed(25.0, 0.5, whole), whole);
    assert_eq!(whole.zoomed(0.0, 1e9, whole), Range { from: 0.0, to: 0.1 });
    assert_eq!(half.moved(10.0, whole), Range { from: 50.0, to: 100.0 });
    assert_eq!(Range::dragged(60.0, -5.0, whole), Some(Range { from: 0.0, to: 60.0 }));
    assert_eq!(Range::dragged(60.0, 60.0, whole), None);
    assert_eq!([5.0, 10.0, 79.0, 99.0].map(|ns| dispatch_at(&trace, ns)), [None, Some(0), Some(1), Some(2)]);
    assert_eq!([Phase::Forward, Phase::Recompute, Phase::Backward, Phase::Update].map(lane), [1, 2, 2, 3]);
}

#[test]
fn memory_is_stacked_on_the_axis_of_the_timeline() {
    let (trace, memory) = (trace(), memory());
    let stacks = stacks(&memory);
    assert_eq!(stacks, [[100.0, 100.0, 150.0, 150.0], [100.0, 130.0, 180.0, 180.0], [100.0, 130.0, 130.0, 130.0]]);
    let peak = memory.peak().unwrap();
    assert_eq!((peak.dispatch, peak.bytes, peak.largest[0].clone()), (1, 180, ("parameters".into(), 100)));
    assert_eq!((memory.planned_bytes(), memory.live(3)), (200, None));
    let x = Range::whole(&trace).scale(284.0);
    let y = glasshead_page::draw::chart::Scale { low: 0.0, high: 200.0, from: 100.0, to: 0.0 };
    let points = outline(&trace, &stacks, 0, &x, &y);
    // From the left edge to the right one at 100 of 200 bytes, and back at 0.
    assert!(points.starts_with("84.0,50.0 ") && points.ends_with(" 84.0,100.0"), "{points}");
    assert_eq!(points.split(' ').count(), 12);
}

#[test]
fn the_view_keeps_two_measurements_and_rounds_a_tensor() {
    let mut state = State::default();
    let event = |event| Action::Events(vec![(Event::Profile { run: state.run, event }, None)]);
    let timeline = |step| ProfileEvent::Timeline {
        trace: Box::new(Trace { step, ..trace() }),
        memory: Box::new(memory()),
        tensors: vec!["heads".into(), "gradient of layers.0.attn.q_proj.weight".into()],
    };
    let actions = [event(timeline(3)), event(timeline(9))];
    actions.into_iter().for_each(|action| state.apply(action));
    let profile = &state.profile;
    assert_eq!((profile.trace.as_ref().unwrap().step, profile.previous.as_ref().unwrap().step), (9, 3));
    assert_eq!(profile.changes(), None);
    let Some(Command::Profile(ProfileCommand::Round { tensor, scale })) = profile.round_command() else {
        panic!("a gradient is chosen at first")
    };
    assert_eq!((tensor.as_str(), scale), ("gradient of layers.0.attn.q_proj.weight", 1.0));
    let previous = profile.previous.clone().unwrap();
    for action in [
        SystemsAction::Compare(Some(("step 3".into(), previous))),
        SystemsAction::Tab(SystemsTab::Precision),
        SystemsAction::Scale(99),
        SystemsAction::Calculate(7, "no such field".into()),
    ] {
        state.apply(Action::Systems(action));
    }
    assert!(state.profile.changes().unwrap().iter().all(|row| row.change_ns() == 0.0));
    assert_eq!((state.profile.tab, state.profile.scale), (SystemsTab::Precision, 24));
}

#[test]
fn the_measured_step_can_be_shared() {
    let config = Preset::Nano.config();
    let sizes = sizes(&config).unwrap();
    let params = sizes.embedding + sizes.layer * config.model.n_layers as f64 + sizes.head;
    assert_eq!(params, config.model.n_params() as f64);
    assert!((0.3..0.9).contains(&sizes.feed_forward));
    let job = job(&trace(), &config).unwrap();
    assert!((job.step_s() - 75e-9).abs() < 1e-15 && (job.param_bytes() - 4.0 * params).abs() < 1.0);
}
