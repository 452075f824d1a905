//! Provoked faults: runs that diverge and devices that fail; the submodules cover disks, processes, devices and logs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use glasshead::config::RunConfig;
use glasshead::gpu::context::Context;
use glasshead::serve::Session;
use glasshead::train::checkpoint::Checkpoint;
use glasshead::train::trainer::{Origin, TrainError, Trainer};
use glasshead::types::{BackendChoice, CorpusChoice, FileInfo, VocabularyChoice};
use glasshead::wire::Message;
use glasshead::wire::runs::{RunsCommand, RunsEvent};
use glasshead::wire::{Command, Event};
use pollster::block_on;

use crate::common::context;
use crate::step::awkward;

mod devices;
mod disk;
mod errors;
mod logs;

fn tokens() -> Vec<u32> {
    let vocab_size = awkward().model.vocab_size as u32;
    (0..400_u32).map(|i| i.wrapping_mul(2_654_435_761) % vocab_size).collect()
}

async fn trainer(config: RunConfig, context: Option<&Context>) -> Trainer {
    Trainer::new(config, context, &tokens(), &tokens()).await.unwrap()
}

/// A run whose first update is so large that the second loss is non-finite.
fn running_away() -> RunConfig {
    let mut config = awkward();
    (config.train.max_lr, config.train.min_lr, config.train.warmup_steps) = (1e30, 1e29, 0);
    config.train.accumulation_steps = 1;
    config
}

/// Range of a parameter in the table's layout.
fn places(trainer: &Trainer, name: &str) -> std::ops::Range<usize> {
    let param = trainer.table().iter().find(|param| param.name == name).expect("the model has it");
    param.start..param.start + param.len()
}

#[test]
fn what_was_submitted_behind_a_step_that_ran_away_changes_nothing() {
    for (gpu, accumulation_steps) in [(false, 1), (true, 1), (false, 2), (true, 2)] {
        let context = gpu.then(context);
        let mut config = running_away();
        config.train.accumulation_steps = accumulation_steps;
        block_on(async {
            let mut calm = trainer(config.clone(), context.as_ref()).await;
            calm.submit(1);
            calm.collect().await.unwrap();
            let before = calm.state().await.unwrap();
            let mut wild = trainer(config, context.as_ref()).await;
            wild.set_steps_per_submit(4);
            (0..3).for_each(|_| wild.submit(4));
            let result = wild.collect().await;
            assert!(matches!(result, Err(TrainError::Diverged { step: 2, .. })), "GPU {gpu}: {result:?}");
            assert_eq!((wild.step(), wild.in_flight()), (1, 0));
            assert!(wild.state().await.unwrap() == before, "GPU {gpu}: the state is that of step 1, to the bit");
            // The same step again fails again: nothing was silently skipped.
            wild.submit(1);
            let again = wild.collect().await;
            assert!(matches!(again, Err(TrainError::Diverged { step: 2, .. })), "GPU {gpu}: {again:?}");
            // From a good state, training works.
            wild.restore(&wild.fresh_state());
            wild.submit(1);
            assert_eq!(wild.collect().await.unwrap().len(), 1);
            assert!(wild.state().await.unwrap() == before, "GPU {gpu}: the latch is open again");
        });
    }
}

#[test]
fn the_replay_names_the_tensor_and_its_layer() {
    for gpu in [false, true] {
        let context = gpu.then(context);
        block_on(async {
            let mut trainer = trainer(running_away(), context.as_ref()).await;
            let good = trainer.params().await.unwrap();
            let last = trainer.config().model.n_layers - 1;
            for (name, huge, expected) in [
                (format!("layers.{last}.attn.output_proj.weight"), 3e38, format!("of layer {}", last + 1)),
                ("layers.0.attn.v_proj.weight".into(), 3e38, "of layer 1".into()),
                ("lm_head.weight".into(), 3e38, "logits".into()),
            ] {
                let mut values = good.clone();
                values[places(&trainer, &name)].fill(huge);
                trainer.set_params(&values);
                trainer.submit(1);
                let result = trainer.collect().await;
                assert!(matches!(result, Err(TrainError::Diverged { step: 1, .. })), "{name}: {result:?}");
                let origin = trainer.trace().await.unwrap();
                assert!(matches!(origin, Origin::Tensor { .. }), "GPU {gpu}, {name}: {origin}");
                assert!(origin.to_string().contains(&expected), "GPU {gpu}, {name}: {origin}");
            }
            let mut values = good.clone();
            values[places(&trainer, "layers.0.ffn.w2.weight").start] = f32::NAN;
            trainer.set_params(&values);
            trainer.submit(1);
            trainer.collect().await.unwrap_err();
            let origin = trainer.trace().await.unwrap();
            assert_eq!(origin, Origin::Parameter { name: "layers.0.ffn.w2.weight".into() });
        });
    }
}

/// A session whose clock advances by `tick` seconds at every reading, and the messages that it has sent.
fn session(tick: f64) -> (Session, Rc<RefCell<Vec<Message>>>) {
    let heard: Rc<RefCell<Vec<Message>>> = Rc::default();
    let (sink, time) = (heard.clone(), Cell::new(0.0));
    let clock = move || {
        time.set(time.get() + tick);
        time.get()
    };
    (Session::new(Box::new(move |event, bytes| sink.borrow_mut().push((event, bytes))), Box::new(clock)), heard)
}

fn start(config: RunConfig, backend: BackendChoice) -> Command {
    let (corpus, vocabulary, probe) = (CorpusChoice::BuiltIn, VocabularyChoice::Trained, "a cat".to_string());
    Command::Start { run: 1, config, corpus, vocabulary, backend, probe }
}

#[test]
fn the_page_is_told_where_it_began_and_can_go_on_slower() {
    let (mut session, heard) = session(0.3);
    let mut config = running_away();
    (config.train.max_lr, config.train.min_lr) = (1e-3, 1e-4);
    block_on(async {
        session.handle(start(config.clone(), BackendChoice::Cpu), None).await;
        session.handle(Command::Train, None).await;
        // More than half a minute on the session's clock.
        for _ in 0..100 {
            session.work().await;
        }
        let mut train = config.train.clone();
        (train.max_lr, train.min_lr) = (1e30, 1e30);
        session.handle(Command::Tune { train }, None).await;
        let mut left = 1000;
        while session.work().await {
            left -= 1;
            assert!(left > 0, "it never diverges");
        }
    });
    let (diverged, message) = heard
        .borrow()
        .iter()
        .find_map(|(event, _)| match event {
            Event::Diverged { step, message, .. } => Some((*step, message.clone())),
            _ => None,
        })
        .expect("it says so");
    assert!(message.contains("it began in the") && message.contains("that step was not applied"), "{message}");
    let said = heard.borrow().len();
    block_on(async {
        session.handle(Command::Runs { command: RunsCommand::GoOnSlower }, None).await;
        session.handle(Command::Tune { train: config.train.clone() }, None).await;
        for _ in 0..20 {
            session.work().await;
        }
    });
    let events = heard.borrow();
    let back = events[said..].iter().find_map(|(event, _)| match event {
        Event::Runs { event: RunsEvent::WentBack { step, train }, .. } => Some((*step, train.max_lr)),
        _ => None,
    });
    let (step, max_lr) = back.expect("it went back");
    assert!(step > 0 && step < diverged, "a copy from before the learning rate was too high: {step}, {diverged}");
    assert_eq!(max_lr, 1e30 / 2.0);
    let mut points = events[said..].iter().flat_map(|(event, _)| match event {
        Event::Progress { points, .. } => points.clone(),
        _ => Vec::new(),
    });
    let first = points.next().expect("it trains on");
    assert_eq!(first.step, step + 1);
    assert!(first.loss < 6.0, "as good as it was: {}", first.loss);
}

#[test]
fn lost_devices_are_replaced_three_times_and_then_the_cpu_takes_over() {
    let (mut session, heard) = session(0.3);
    let mut config = running_away();
    (config.train.max_lr, config.train.min_lr) = (1e-3, 1e-4);
    block_on(async {
        session.handle(start(config, BackendChoice::Gpu), None).await;
        session.handle(Command::Train, None).await;
        for _ in 0..5 {
            for _ in 0..60 {
                assert!(session.work().await, "it goes on by itself");
            }
            session.lose_device();
        }
        session.handle(Command::Pause, None).await;
        while session.work().await {}
    });
    let events = heard.borrow();
    let (mut devices, mut notices, mut back, mut step) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for (event, _) in events.iter() {
        match event {
            Event::Device { device, .. } => devices.push(device.backend.clone()),
            Event::Notice { message, .. } if message.contains("was lost") => notices.push(message.clone()),
            Event::Runs { event: RunsEvent::WentBack { step: at, .. }, .. } => {
                assert!(*at <= step, "a copy of the past");
                back.push(*at);
                step = *at;
            }
            Event::Progress { points, .. } => points.iter().for_each(|point| {
                assert_eq!(point.step, step + 1, "after going back to {back:?}");
                assert!(point.loss.is_finite());
                step = point.step;
            }),
            Event::Failed { message, .. } => panic!("{message}"),
            _ => (),
        }
    }
    assert_eq!((notices.len(), back.len(), devices.len()), (4, 4, 5), "{notices:?}");
    assert!(devices[..4].iter().all(|device| device != "CPU") && devices[4] == "CPU", "{devices:?}");
    assert!(notices[3].contains("on the CPU"), "{notices:?}");
    assert!(back.windows(2).all(|pair| pair[0] < pair[1]) && back[0] > 0, "it gets on between the losses: {back:?}");
    assert!(step > back[3], "it trains on the CPU");
}

#[test]
fn a_device_serves_the_next_run_unless_it_was_lost_meanwhile() {
    let (mut session, heard) = session(0.3);
    let mut config = running_away();
    (config.train.max_lr, config.train.min_lr) = (1e-3, 1e-4);
    block_on(async {
        for lost in [false, false, true] {
            if lost {
                session.lose_device();
            }
            session.handle(start(config.clone(), BackendChoice::Gpu), None).await;
            session.handle(Command::Step, None).await;
            while session.work().await {}
        }
    });
    let events = heard.borrow();
    let (mut steps, mut ready) = (Vec::new(), 0);
    for (event, _) in events.iter() {
        match event {
            Event::Ready { .. } => ready += 1,
            Event::Progress { points, .. } => steps.extend(points.iter().map(|point| (point.step, point.loss))),
            Event::Failed { message, .. } => panic!("{message}"),
            _ => (),
        }
    }
    assert_eq!((ready, steps.len()), (3, 3), "{steps:?}");
    assert!(steps.iter().all(|step| *step == steps[0] && step.0 == 1), "every run begins alike: {steps:?}");
}

#[test]
fn where_nothing_can_go_on_the_run_ends_and_its_file_is_offered() {
    let (mut session, heard) = session(0.3);
    let mut config = running_away();
    (config.train.max_lr, config.train.min_lr) = (1e-3, 1e-4);
    let text = b"Once upon a time there was a cat who sat on a mat. ".repeat(400);
    let file = |name: &str, size| FileInfo { name: name.into(), size, fields: Vec::new() };
    block_on(async {
        session.handle(Command::LoadFiles { files: vec![file("cat.txt", text.len())] }, Some(text.clone())).await;
        let start = match start(config, BackendChoice::Gpu) {
            Command::Start { run, config, vocabulary, backend, probe, .. } => {
                Command::Start { run, config, corpus: CorpusChoice::File, vocabulary, backend, probe }
            }
            other => other,
        };
        session.handle(start, None).await;
        session.handle(Command::Train, None).await;
        for _ in 0..150 {
            assert!(session.work().await, "it trains");
        }
        // The text needed to continue training is gone when the device is lost.
        session.handle(Command::LoadFiles { files: Vec::new() }, None).await;
        session.lose_device();
        let mut left = 1000;
        while session.work().await {
            left -= 1;
            assert!(left > 0, "it never ends");
        }
    });
    let events = heard.borrow();
    let failed = events.iter().find_map(|(event, _)| match event {
        Event::Failed { message, .. } => Some(message.clone()),
        _ => None,
    });
    let said = failed.expect("it says so");
    assert!(said.contains("GPU was lost") && said.contains("No other device could go on"), "{said}");
    let (about, bytes) = events
        .iter()
        .find_map(|(event, bytes)| match event {
            Event::Runs { event: RunsEvent::Saved { about }, .. } => Some((about.clone(), bytes.clone())),
            _ => None,
        })
        .expect("the file is offered");
    assert!(about.step > 0 && said.contains(&format!("step {} is saved", about.step)), "{said}");
    let saved = Checkpoint::from_bytes(&bytes.expect("with its bytes")).expect("it is whole");
    assert_eq!(saved.state.step, about.step);
}
