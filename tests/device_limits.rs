//! What a device cannot train is refused when it is entered, not when a run is started.

use glasshead::accounting::device::{DeviceError, check};
use glasshead::config::{DeviceLimits, Preset, RunConfig, ValidConfig};
use glasshead::gpu::context::Budget;
use glasshead::model::memory::MemoryPlan;
use glasshead::model::params::ParamTable;
use glasshead::types::{BackendChoice, DeviceInfo};
use glasshead::wire::Event;
use glasshead_page::state::{Action, State};
use proptest::prelude::*;

const SMALL: DeviceLimits =
    DeviceLimits { f16: false, buffer_bytes: 256 << 20, binding_bytes: 128 << 20, total_bytes: u64::MAX };

fn gpu(limits: DeviceLimits) -> DeviceInfo {
    DeviceInfo { name: "a small GPU".into(), backend: "WebGPU".into(), software: false, limits }
}

/// A page whose run uses this device.
fn page_on(device: DeviceInfo) -> State {
    let mut state = State::default();
    state.apply(Action::Started);
    let run = state.run;
    state.apply(Action::Events(vec![(Event::Device { run, device }, None)]));
    state
}

fn enter(state: &mut State, name: &'static str, text: &str) {
    state.apply(Action::Enter(name, text.into()));
}

fn refusal(state: &State, name: &str) -> String {
    state.refused(name).map(|refused| refused.problem.clone()).unwrap_or_default()
}

#[test]
fn f16_is_refused_in_its_field_where_the_device_has_none() {
    let mut state = page_on(gpu(SMALL));
    enter(&mut state, "activation_storage", "f16");
    let problem = refusal(&state, "activation_storage");
    assert!(problem.contains("a small GPU does not support f16"), "{problem}");
    assert!(problem.contains("Set activation_storage to f32"), "{problem}");
    assert!(state.problem().is_some(), "no run can be started");
    assert_eq!(state.draft.config.get("activation_storage").as_deref(), Some("f32"));
    enter(&mut state, "activation_storage", "f32");
    assert_eq!(state.problem(), None);
    let mut state = page_on(gpu(DeviceLimits { f16: true, ..SMALL }));
    enter(&mut state, "activation_storage", "f16");
    assert_eq!(state.problem(), None);
}

#[test]
fn a_model_too_large_is_refused_with_what_to_lower_and_that_is_enough() {
    let mut state = page_on(gpu(SMALL));
    enter(&mut state, "batch_size", "65536");
    let problem = refusal(&state, "batch_size");
    assert!(problem.contains("a small GPU allows 128 MiB in one buffer"), "{problem}");
    let (_, fitting) = problem.split_once("lower batch_size from 65536 to ").expect("the field to lower");
    let fitting: String = fitting.chars().take_while(char::is_ascii_digit).collect();
    enter(&mut state, "batch_size", &fitting);
    assert_eq!((state.problem(), state.draft.config.train.batch_size.to_string()), (None, fitting));
}

#[test]
fn another_backend_has_other_limits() {
    let mut state = page_on(gpu(SMALL));
    state.apply(Action::Backend(BackendChoice::Cpu));
    enter(&mut state, "activation_storage", "f16");
    assert_eq!(state.problem(), None, "the CPU rounds to f16 itself");
    state.apply(Action::Backend(BackendChoice::Gpu));
    let problem = state.problem().expect("f16 is set, and this device has none");
    assert!(problem.contains("activation_storage"), "{problem}");
    enter(&mut state, "max_lr", "0.005");
    assert_eq!(state.draft.config.train.max_lr, 0.005, "other settings can still be changed");
    enter(&mut state, "activation_storage", "f32");
    assert_eq!(state.problem(), None);
}

#[test]
fn settings_of_a_link_are_checked_once_the_device_is_known() {
    let mut state = State::default();
    state.apply(Action::Follow("#preset=nano&activation_storage=f16".into()));
    assert_eq!(state.draft.config.get("activation_storage").as_deref(), Some("f16"));
    state.apply(Action::Started);
    let (run, device) = (state.run, gpu(SMALL));
    state.apply(Action::Events(vec![(Event::Device { run, device }, None)]));
    assert!(state.problem().is_some_and(|problem| problem.contains("does not support f16")));
}

fn valid(sizes: [u32; 6]) -> Option<ValidConfig> {
    let [batch, context, width, layers, vocabulary, inner] = sizes;
    let mut config = Preset::Nano.config();
    let sizes = [
        ("batch_size", batch),
        ("context_length", context),
        ("d_model", 8 * width),
        ("n_layers", layers),
        ("vocab_size", vocabulary),
        ("d_ff", inner),
    ];
    for (name, size) in sizes {
        config.set(name, &size.to_string()).ok()?;
    }
    ValidConfig::try_from(config).ok()
}

fn planned(config: &RunConfig, limits: DeviceLimits) -> bool {
    MemoryPlan::within(Budget::of(limits), config, &ParamTable::new(&config.model), 1000, 1000).fits(limits)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The page refuses exactly what the plan refuses, except for a run within 1 % of a limit, which only the plan refuses.
    #[test]
    fn the_page_agrees_with_the_plan(
        batch in 1u32..600, context in 1u32..3000, width in 1u32..100, layers in 1u32..20,
        vocabulary in 2u32..300_000, inner in 1u32..20_000, total_mib in prop_oneof![Just(u64::MAX >> 20), 1u64..1000],
    ) {
        let Some(config) = valid([batch, context, width, layers, vocabulary, inner]) else { return Ok(()) };
        let limits = DeviceLimits { total_bytes: total_mib << 20, ..SMALL };
        match check(&config, &limits, "a device") {
            Err(DeviceError::TooLarge { what, .. }) => prop_assert!(!planned(&config, limits), "{what} fit after all"),
            Err(other) => prop_assert!(false, "{other}"),
            Ok(()) if total_mib == u64::MAX >> 20 => {
                let wider = |bytes: u64| bytes + bytes / 100;
                let (buffer_bytes, binding_bytes) = (wider(limits.buffer_bytes), wider(limits.binding_bytes));
                let wider = DeviceLimits { buffer_bytes, binding_bytes, ..limits };
                prop_assert!(planned(&config, wider), "the plan refuses what the page accepts");
            }
            Ok(()) => (),
        }
    }
}
