//! Training as a whole: the loss falls, runs are reproducible, errors are reported, and the page's loop drives it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use glasshead::config::{Preset, RunConfig};
use glasshead::data::encoded_files::{FileData, prepare_files};
use glasshead::data::prepare::train_tokenizer;
use glasshead::serve::Session;
use glasshead::train::checkpoint::Checkpoint;
use glasshead::train::trainer::{TrainError, Trainer};
use glasshead::types::{BackendChoice, CorpusChoice, FileInfo, VocabularyChoice};
use glasshead::wire::Message;
use glasshead::wire::{Command, Event};
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

/// This β₂ rounds to 1 in f32.
#[test]
fn a_beta_next_to_1_trains() {
    let tokens = ids(2, 40, 300);
    for gpu in [false, true] {
        let context = gpu.then(context);
        let mut config = config();
        config.set("beta2", "0.99999999").unwrap();
        let loss = block_on(async {
            let mut trainer = Trainer::new(config, context.as_ref(), &tokens, &tokens).await.unwrap();
            for _ in 0..60 {
                trainer.step_on(&[0, 12, 25]).await.unwrap();
            }
            trainer.step_on(&[0, 12, 25]).await.unwrap().loss
        });
        assert!(loss < 3.0, "GPU {gpu}: the loss is still {loss}, ln V is {}", 300f32.ln());
    }
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

/// Ten steps at once against four steps, a checkpoint, a second trainer that loads it, and six more steps.
#[test]
fn a_resumed_run_equals_one_that_never_stopped() {
    for gpu in [false, true] {
        let (context, tokens) = (gpu.then(context), ids(1, 400, 300));
        let (whole, parts) = block_on(async {
            let mut config = config();
            let text = glasshead::data::stories(1, 40_000);
            let tokenizer = train_tokenizer(&text, &mut config).unwrap();
            let new = || Trainer::new(config.clone(), context.as_ref(), &tokens, &tokens);
            let mut whole = new().await.unwrap();
            whole.submit(10);
            let mut first = new().await.unwrap();
            first.submit(4);
            let state = first.state().await.unwrap();
            let bytes = Checkpoint { config: config.clone(), tokenizer, state }.to_bytes().unwrap();
            let loaded = Checkpoint::from_bytes(&bytes).unwrap();
            assert_eq!(loaded.config, config);
            let mut second = new().await.unwrap();
            second.restore(&loaded.state);
            second.submit(6);
            (whole.state().await.unwrap(), second.state().await.unwrap())
        });
        assert!(whole == parts && whole.step == 10, "GPU {gpu}: resuming has changed the run");
    }
}

/// A model without the causal mask resumes without it; files from before this option existed have the mask.
#[test]
fn the_mask_is_kept_with_a_run() {
    let mut config = config();
    let tokenizer = train_tokenizer(&glasshead::data::stories(1, 40_000), &mut config).unwrap();
    let old = serde_json::to_string(&config).unwrap().replace("\"causal\":true,", "");
    assert!(!old.contains("causal"));
    assert_eq!(serde_json::from_str::<RunConfig>(&old).unwrap(), config);
    config.set("causal", "false").unwrap();
    let tokens = ids(1, 400, 300);
    let mut trainer = block_on(Trainer::new(config.clone(), None, &tokens, &tokens)).unwrap();
    trainer.submit(2);
    let state = block_on(trainer.state()).unwrap();
    let bytes = Checkpoint { config: config.clone(), tokenizer, state }.to_bytes().unwrap();
    let loaded = Checkpoint::from_bytes(&bytes).unwrap();
    assert_eq!(loaded.config, config);
    let mut again = block_on(Trainer::new(loaded.config, None, &tokens, &tokens)).unwrap();
    again.restore(&loaded.state);
    let logits = |trainer: &mut Trainer, n: usize| block_on(trainer.next_logits(&tokens[..n])).unwrap();
    for n in [5, 3] {
        assert_eq!(logits(&mut again, n), logits(&mut trainer, n), "{n} tokens");
    }
}

/// Windows read from a file train like tokens in memory, to the bit, and a text is encoded once.
#[test]
fn tokens_in_a_file_train_as_tokens_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stories.txt");
    std::fs::write(&path, glasshead::data::stories(1, 60_000)).unwrap();
    let (mut config, paths) = (config(), [path]);
    let FileData { tokens, n_train, .. } = prepare_files(&paths, "text", folder.path(), None, &mut config).unwrap();
    let encoded = || {
        let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut found = names.filter(|path| path.extension().is_some_and(|extension| extension == "bin"));
        let path = found.next().expect("the tokens are in a file");
        assert_eq!(found.next(), None, "there is one file");
        path.metadata().unwrap().modified().unwrap()
    };
    let written = encoded();
    let all = tokens.read(0..tokens.len()).unwrap();
    let again = prepare_files(&paths, "text", folder.path(), None, &mut config).unwrap();
    assert_eq!((encoded(), again.n_train), (written, n_train), "the text was encoded again");
    let run = async |mut trainer: Trainer| {
        trainer.submit(5);
        let points = trainer.collect().await.unwrap();
        (points, trainer.evaluate().await.unwrap())
    };
    for gpu in [false, true] {
        let context = gpu.then(context);
        let tokens = prepare_files(&paths, "text", folder.path(), None, &mut config).unwrap().tokens;
        block_on(async {
            let (train, val) = all.split_at(n_train);
            let memory = Trainer::new(config.clone(), context.as_ref(), train, val).await.unwrap();
            let file = Trainer::on_file(config.clone(), context.as_ref(), tokens, n_train).await.unwrap();
            assert_eq!(run(memory).await, run(file).await, "GPU {gpu}");
        });
    }
}

#[test]
fn a_damaged_checkpoint_is_refused_with_a_sentence() {
    let mut config = config();
    let tokenizer = train_tokenizer(&glasshead::data::stories(1, 40_000), &mut config).unwrap();
    let state = block_on(async {
        let tokens = ids(1, 400, 300);
        Trainer::new(config.clone(), None, &tokens, &tokens).await.unwrap().state().await.unwrap()
    });
    let bytes = Checkpoint { config, tokenizer, state }.to_bytes().unwrap();
    for cut in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(Checkpoint::from_bytes(&bytes[..cut]).is_err(), "{cut} of {} bytes were accepted", bytes.len());
    }
    let mut renamed = bytes;
    let at = renamed.windows(7).position(|window| window == b"adam_v.").expect("the header comes first");
    renamed[at] = b'x';
    let message = Checkpoint::from_bytes(&renamed).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("no tensor adam_v."), "{message}");
}

#[test]
fn a_poisoned_value_is_reported_and_does_not_spread() {
    for gpu in [false, true] {
        let (context, tokens) = (gpu.then(context), ids(1, 400, 300));
        block_on(async {
            let mut trainer = Trainer::new(config(), context.as_ref(), &tokens, &tokens).await.unwrap();
            let mut values = trainer.params().await.unwrap();
            let width = trainer.config().model.d_model;
            values[tokens[55] as usize * width + 5] = f32::NAN; // in an embedding that the first sequence needs
            trainer.set_params(&values);
            let result = trainer.step_on(&[50, 0, 0]).await;
            assert!(matches!(result, Err(TrainError::Diverged { step: 1, .. })), "{result:?}");
            let after = trainer.params().await.unwrap();
            assert_eq!(after.iter().filter(|value| !value.is_finite()).count(), 1, "the poison has spread");
        });
    }
}

#[test]
fn a_model_that_does_not_fit_is_refused_before_anything_is_allocated() {
    let (mut config, tokens) = (Preset::Cs336.config(), vec![0; 1000]);
    config.train.batch_size = 1000;
    let result = block_on(Trainer::new(config, None, &tokens, &tokens)).err();
    let message = result.map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("MiB") && message.contains("lower batch_size from 1000 to 500"), "{message}");
}

/// The worker's loop, on the CPU, from the first command to a generated text.
#[test]
fn a_session_trains_shows_and_writes() {
    let events: Rc<RefCell<Vec<Message>>> = Rc::default();
    let (sink, began) = (events.clone(), Instant::now());
    let mut session = Session::new(
        Box::new(move |event, bytes| sink.borrow_mut().push((event, bytes))),
        Box::new(move || began.elapsed().as_secs_f64()),
    );
    let start = |run, corpus| Command::Start {
        run,
        config: config(),
        corpus,
        vocabulary: VocabularyChoice::Trained,
        backend: BackendChoice::Cpu,
        probe: "Tom saw a cat.".into(),
    };
    block_on(async {
        session.handle(start(1, CorpusChoice::File), None).await;
        let files = vec![FileInfo { name: "bad.txt".into(), size: 3, fields: Vec::new() }];
        session.handle(Command::LoadFiles { files }, Some(vec![0x66, 0xff, 0x66])).await;
        session.handle(start(2, CorpusChoice::File), None).await;
        session.handle(start(3, CorpusChoice::BuiltIn), None).await;
        session.handle(Command::Train, None).await;
        for _ in 0..20 {
            assert!(session.work().await);
        }
        session.handle(Command::Pause, None).await;
        while session.work().await {}
        let sampling = glasshead::types::Sampling { max_tokens: 5, ..Default::default() };
        session.handle(Command::Generate { request: 1, prompt: "Tom".into(), sampling }, None).await;
        while session.work().await {}
    });
    let events = events.borrow();
    let failures: Vec<_> = events.iter().filter_map(|(event, _)| failure(event)).collect();
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert!(failures[0].contains("pick one") && failures[1].contains("UTF-8"), "{failures:?}");
    let maps = events.iter().filter_map(|(event, bytes)| match event {
        Event::Attention { tokens, n_layers, n_heads, .. } => Some((tokens.len(), [*n_layers, *n_heads], bytes)),
        _ => None,
    });
    for (n, [n_layers, n_heads], bytes) in maps {
        let bytes = bytes.as_ref().expect("the weights come with the event");
        // The weights, then one entropy of four bytes for every head and for the mean of each layer.
        let (weights, entropies) = bytes.split_at(n_layers * n_heads * n * n);
        assert_eq!(entropies.len(), n_layers * (n_heads + 1) * 4);
        for row in weights.chunks(n) {
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
