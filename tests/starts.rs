//! Every configuration that the page accepts can be started and trained.

use std::cell::RefCell;
use std::rc::Rc;

use glasshead::config::{Preset, RunConfig};
use glasshead::serve::Session;
use glasshead::types::{BackendChoice, CorpusChoice, FileInfo, VocabularyChoice};
use glasshead::wire::{Command, Event};
use glasshead_page::state::State;
use proptest::prelude::*;

/// The switches of a model and their values.
const SMALL_SWITCHES: [(&str, &[&str]); 10] = [
    ("norm", &["rmsnorm", "layernorm", "none"]),
    ("norm_placement", &["pre", "post"]),
    ("positions", &["rope", "learned", "none"]),
    ("feed_forward", &["swiglu", "silu", "gelu"]),
    ("causal", &["true", "false"]),
    ("bias", &["true", "false"]),
    ("tied_embeddings", &["true", "false"]),
    ("activation_storage", &["f32", "f16"]),
    ("optimizer", &["adamw", "sgd"]),
    ("schedule", &["constant", "cosine", "linear"]),
];

/// Numbers across the accepted range.
const NUMBERS: [(&str, &[&str]); 8] = [
    ("max_lr", &["1e-37", "0.001", "1", "3e38"]),
    ("min_lr", &["0", "1e-37"]),
    ("beta1", &["0", "0.9", "0.999"]),
    ("beta2", &["0", "0.95", "0.999"]),
    ("adam_eps", &["1e-37", "1e-8", "3e38"]),
    ("momentum", &["0", "0.9"]),
    ("weight_decay", &["0", "0.1", "3e38"]),
    ("max_grad_norm", &["1e-37", "1", "3e38"]),
];

/// Small models with switches and numbers at the limits of the accepted range; most, but not all, of their sizes are
/// consistent.
fn small_configs() -> impl Strategy<Value = RunConfig> {
    let sizes = (240usize..300, 1usize..16, 1usize..10, 1usize..4, 1usize..5, 1usize..24);
    let batches = (1usize..4, 1usize..3, any::<u64>());
    let choices = prop::collection::vec(0usize..12, NUMBERS.len() + SMALL_SWITCHES.len());
    (sizes, batches, choices).prop_map(|(sizes, (batch_size, accumulation, seed), choices)| {
        let mut config = Preset::Nano.config();
        let (vocab_size, context_length, width, n_layers, n_heads, d_ff) = sizes;
        (config.model.vocab_size, config.model.context_length) = (vocab_size, context_length);
        (config.model.d_model, config.model.n_heads) = (width * n_heads, n_heads);
        (config.model.n_layers, config.model.d_ff) = (n_layers, d_ff);
        config.model.n_kv_heads = if width % 2 == 0 { n_heads } else { 1 };
        (config.train.batch_size, config.train.accumulation_steps, config.train.seed) =
            (batch_size, accumulation, seed);
        for ((name, all), choice) in NUMBERS.iter().chain(&SMALL_SWITCHES).zip(choices) {
            config.set(name, all[choice % all.len()]).expect("a value of the right kind");
        }
        config
    })
}

/// Starts a run on the CPU, trains one step, and returns the session's events.
fn started(config: RunConfig) -> Vec<Event> {
    let heard: Rc<RefCell<Vec<Event>>> = Rc::default();
    let sink = heard.clone();
    let mut session = Session::new(Box::new(move |event, _| sink.borrow_mut().push(event)), Box::new(|| 0.0));
    let text = "the cat sat on the mat and the dog sat on the log. ".repeat(40).into_bytes();
    let file = FileInfo { name: "a.txt".into(), size: text.len(), fields: Vec::new() };
    pollster::block_on(async {
        session.handle(Command::LoadFiles { files: vec![file] }, Some(text)).await;
        let (backend, probe) = (BackendChoice::Cpu, "a cat".to_string());
        let (corpus, vocabulary) = (CorpusChoice::File, VocabularyChoice::Trained);
        session.handle(Command::Start { run: 1, config, corpus, vocabulary, backend, probe }, None).await;
        session.handle(Command::Step, None).await;
        while session.work().await {}
    });
    heard.take()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Every accepted configuration can be built and trained, though the run may diverge.
    #[test]
    fn what_is_accepted_does_not_fail_at_reset(config in small_configs()) {
        prop_assume!(State::default().draft.check(config.clone()).is_ok());
        let events = started(config);
        let failed = events.iter().find(|event| matches!(event, Event::Failed { .. }));
        prop_assert!(failed.is_none(), "{failed:?}");
        let ready = events.iter().any(|event| matches!(event, Event::Ready { .. }));
        let stepped = |event: &Event| matches!(event, Event::Progress { step: 1, .. } | Event::Diverged { .. });
        let stepped = events.iter().any(stepped);
        prop_assert!(ready && stepped, "{events:?}");
    }
}
