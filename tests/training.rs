//! Training as a whole: it learns, it repeats itself, it reports what goes wrong, and the page's loop drives it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use glasshead::config::{Preset, RunConfig};
use glasshead::protocol::{BackendChoice, Command, CorpusChoice, Event};
use glasshead::train::session::Session;
use glasshead::train::trainer::{TrainError, Trainer};
use pollster::block_on;

use crate::common::{context, ids};
use crate::step::awkward;

fn config() -> RunConfig {
    let mut config = awkward();
    (config.train.warmup_steps, config.train.max_lr) = (5, 1e-2);
    config
}

fn losses(gpu: bool, n_steps: usize) -> Vec<f32> {
    let (context, tokens) = (gpu.then(context), ids(1, 400, 300));
    block_on(async {
        let mut trainer = Trainer::new(config(), context.as_ref(), &tokens, &tokens).await.unwrap();
        trainer.submit(n_steps);
        trainer.collect().await.unwrap().iter().map(|point| point.loss).collect()
    })
}

#[test]
fn one_batch_is_learned_by_heart() {
    let tokens = ids(2, 40, 300);
    let loss = block_on(async {
        let mut trainer = Trainer::new(config(), None, &tokens, &tokens).await.unwrap();
        let first = trainer.step_on(&[0, 12, 25]).await.unwrap().loss;
        assert!((first - 300f32.ln()).abs() < 0.5, "the first loss is {first}");
        for _ in 0..150 {
            trainer.step_on(&[0, 12, 25]).await.unwrap();
        }
        trainer.step_on(&[0, 12, 25]).await.unwrap().loss
    });
    assert!(loss < 0.1, "the loss is still {loss}");
}

#[test]
fn the_same_seed_gives_the_same_run_on_the_same_backend() {
    for gpu in [false, true] {
        assert_eq!(losses(gpu, 6), losses(gpu, 6));
    }
}

#[test]
fn both_backends_train_alike() {
    for (gpu, cpu) in losses(true, 10).into_iter().zip(losses(false, 10)) {
        assert!((gpu - cpu).abs() < 2e-3, "GPU {gpu}, CPU {cpu}");
    }
}

#[test]
fn a_poisoned_value_is_reported_and_does_not_spread() {
    for gpu in [false, true] {
        let (context, tokens) = (gpu.then(context), ids(1, 400, 300));
        block_on(async {
            let mut trainer = Trainer::new(config(), context.as_ref(), &tokens, &tokens).await.unwrap();
            let mut values = trainer.params().await.unwrap();
            values[5] = f32::NAN; // in the embedding of token 0
            trainer.set_params(&values);
            let zeros = tokens.iter().position(|&token| token == 0);
            let start = zeros.map_or(0, |at| at.saturating_sub(5)) as u32;
            let result = trainer.step_on(&[start.min(380), 0, 0]).await;
            assert!(zeros.is_none() || matches!(result, Err(TrainError::Diverged { step: 1, .. })), "{result:?}");
            let after = trainer.params().await.unwrap();
            assert_eq!(after.iter().filter(|value| !value.is_finite()).count(), 1, "the poison has spread");
        });
    }
}

#[test]
fn a_model_that_does_not_fit_is_refused_before_anything_is_allocated() {
    let (mut config, tokens) = (Preset::Cs336.config(), vec![0; 1000]);
    config.train.batch_size = 100_000;
    let result = block_on(Trainer::new(config, None, &tokens, &tokens)).err();
    let message = result.map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("MiB") && message.contains("lower batch_size"), "{message}");
}

/// The loop that the worker drives, on the CPU, from the first command to a text.
#[test]
fn a_session_trains_shows_and_writes() {
    let events: Rc<RefCell<Vec<(Event, Option<Vec<u8>>)>>> = Rc::default();
    let (sink, began) = (events.clone(), Instant::now());
    let mut session = Session::new(
        Box::new(move |event, bytes| sink.borrow_mut().push((event, bytes))),
        Box::new(move || began.elapsed().as_secs_f64()),
    );
    let start = |run, corpus| Command::Start {
        run,
        config: config(),
        corpus,
        backend: BackendChoice::Cpu,
        probe: "Tom saw a cat.".into(),
    };
    block_on(async {
        session.handle(start(1, CorpusChoice::File), None).await;
        session.handle(Command::LoadFile { name: "bad.txt".into() }, Some(vec![0x66, 0xff, 0x66])).await;
        session.handle(start(2, CorpusChoice::File), None).await;
        session.handle(start(3, CorpusChoice::BuiltIn), None).await;
        session.handle(Command::Train, None).await;
        for _ in 0..20 {
            assert!(session.work().await);
        }
        session.handle(Command::Pause, None).await;
        while session.work().await {}
        let sampling = glasshead::protocol::Sampling { max_tokens: 5, ..Default::default() };
        session.handle(Command::Generate { request: 1, prompt: "Tom".into(), sampling }, None).await;
        while session.work().await {}
    });
    let events = events.borrow();
    let failures: Vec<_> = events.iter().filter_map(|(event, _)| failure(event)).collect();
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert!(failures[0].contains("pick one") && failures[1].contains("UTF-8"), "{failures:?}");
    let maps = events.iter().filter_map(|(event, bytes)| match event {
        Event::Attention { tokens, n_layers, n_heads, .. } => Some((tokens.len(), n_layers * n_heads, bytes)),
        _ => None,
    });
    for (n, heads, bytes) in maps {
        let bytes = bytes.as_ref().expect("the weights ride along");
        assert_eq!(bytes.len(), heads * n * n);
        for row in bytes.chunks(n) {
            let sum: u32 = row.iter().map(|&byte| u32::from(byte)).sum();
            assert!((250..=260).contains(&sum), "a row of softmax weights sums to {sum} / 255");
        }
    }
    let steps = events.iter().filter_map(|(event, _)| match event {
        Event::Progress { points, .. } => Some(points.len()),
        _ => None,
    });
    assert!(steps.sum::<usize>() >= 20);
    assert!(events.iter().any(|(event, _)| matches!(event, Event::Generated { request: 1, done: true, .. })));
}

fn failure(event: &Event) -> Option<String> {
    match event {
        Event::Failed { message, .. } => Some(message.clone()),
        _ => None,
    }
}
