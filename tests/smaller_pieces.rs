//! Dispatches become smaller after a lost device, and never have more workgroups than WebGPU allows.

use std::cell::RefCell;
use std::rc::Rc;

use glasshead::config::{Preset, RunConfig};
use glasshead::gpu::context::Budget;
use glasshead::model::memory::MemoryPlan;
use glasshead::model::params::ParamTable;
use glasshead::model::transformer::Transformer;
use glasshead::ops::cost::costs;
use glasshead::serve::Session;
use glasshead::train::trainer::Trainer;
use glasshead::types::profile::Profile;
use glasshead::types::{BackendChoice, CorpusChoice, VocabularyChoice};
use glasshead::wire::profile::{ProfileCommand, ProfileEvent};
use glasshead::wire::{Command, Event};
use pollster::block_on;

use crate::common::{context, ids};

/// Rows for several pieces.
fn config() -> RunConfig {
    let mut config = Preset::Nano.config();
    (config.model.n_layers, config.model.d_model, config.model.vocab_size) = (1, 16, 260);
    config
}

/// The largest dispatch of a step in operations, and the number of dispatches.
fn largest(config: &RunConfig, budget: Budget) -> (f64, usize) {
    let table = ParamTable::new(&config.model);
    let plan = MemoryPlan::within(budget, config, &table, 100, 100);
    let costs = costs(&Transformer { config, table: &table, plan: &plan }.training_step());
    (costs.iter().map(|cost| cost.flops).fold(0.0, f64::max), costs.len())
}

#[test]
fn a_device_after_a_lost_one_gets_no_dispatch_as_large_as_before() {
    let config = config();
    let tokens = ids(1, 2_000, 260);
    let (whole, _) = largest(&config, Budget::default());
    let mut before = 0;
    for losses in 0..=2 {
        let context = context();
        context.losses.set(losses);
        let trainer = block_on(Trainer::new(config.clone(), Some(&context), &tokens, &tokens)).unwrap();
        let largest = trainer.step_costs().iter().map(|cost| cost.flops).fold(0.0, f64::max);
        // Rows are cut in units of 128, of which a batch has four.
        let most = whole / 4f64.powi(losses.min(1) as i32);
        assert!(largest <= most, "after {losses} losses {largest} operations, {most} at most");
        assert!(trainer.dispatches_per_step() > before || losses == 2);
        assert!(losses == 0 || trainer.submits_per_step() >= 4.0, "{}", trainer.submits_per_step());
        before = trainer.dispatches_per_step();
    }
}

/// The same through the worker's protocol: the profile counts the dispatches of the run's steps.
#[test]
fn a_run_whose_device_is_lost_goes_on_in_smaller_pieces() {
    let events: Rc<RefCell<Vec<Event>>> = Rc::default();
    let sink = events.clone();
    let seconds = std::cell::Cell::new(0.0);
    let clock = move || {
        seconds.set(seconds.get() + 0.3);
        seconds.get()
    };
    let mut session = Session::new(Box::new(move |event, _| sink.borrow_mut().push(event)), Box::new(clock));
    let start = Command::Start {
        run: 1,
        config: config(),
        corpus: CorpusChoice::BuiltIn,
        vocabulary: VocabularyChoice::Trained,
        backend: BackendChoice::Gpu,
        probe: "Once".into(),
    };
    let profiles = || -> Vec<Profile> {
        let of = |event: &Event| match event {
            Event::Profile { event: ProfileEvent::Measured(profile), .. } => Some((**profile).clone()),
            _ => None,
        };
        events.borrow().iter().filter_map(of).collect()
    };
    block_on(async {
        session.handle(start, None).await;
        session.handle(Command::Profile(ProfileCommand::Measure), None).await;
        session.handle(Command::Train, None).await;
        for _ in 0..20 {
            assert!(session.work().await);
        }
        session.lose_device();
        for _ in 0..40 {
            assert!(session.work().await, "it goes on by itself");
        }
        session.handle(Command::Profile(ProfileCommand::Measure), None).await;
    });
    let failed = |event: &Event| if let Event::Failed { message, .. } = event { Some(message.clone()) } else { None };
    assert_eq!(events.borrow().iter().find_map(failed), None);
    let profiles = profiles();
    assert_eq!(profiles.len(), 2, "{:?}", events.borrow().iter().rev().take(3).collect::<Vec<_>>());
    let times = |profile: &Profile, of: &str| -> usize {
        profile.kernels.iter().filter(|kernel| kernel.kernel.starts_with(of)).map(|kernel| kernel.times).sum()
    };
    for kernel in ["matmul_nt", "linear_grad"] {
        let (before, after) = (times(&profiles[0], kernel), times(&profiles[1], kernel));
        assert!(after > before, "{kernel}: {before} dispatches before, {after} after");
    }
    assert!(profiles[1].step > 0, "it goes on from a later step");
}

#[test]
fn batches_of_many_rows_need_no_more_workgroups_than_webgpu_allows() {
    let mut config = config();
    (config.model.d_model, config.model.n_heads, config.model.n_kv_heads, config.model.d_ff) = (4, 2, 2, 4);
    (config.model.context_length, config.train.batch_size, config.model.vocab_size) = (64, 12_000, 8);
    config.validate().unwrap();
    let table = ParamTable::new(&config.model);
    let plan = MemoryPlan::within(Budget::default(), &config, &table, 1_000_000, 1_000_000);
    let step = Transformer { config: &config, table: &table, plan: &plan }.training_step();
    for dispatch in &step.dispatches {
        let most = dispatch.workgroups.iter().max();
        assert!(most <= Some(&65_535), "{}: {:?}", dispatch.kernel.name, dispatch.workgroups);
    }
}
