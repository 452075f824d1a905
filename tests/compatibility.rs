//! Files and links of earlier versions still open; `tests/fixtures/README.md` describes how they were made.

use std::path::{Path, PathBuf};

use glasshead::config::{FeedForward, Norm, Positions, RunConfig};
use glasshead::interop::archive::Chosen;
use glasshead::interop::import::import;
use glasshead::run::record;
use glasshead::train::checkpoint::Checkpoint;
use glasshead::train::trainer::Trainer;
use glasshead::types::CorpusChoice;
use glasshead_page::share::restored;
use pollster::block_on;
use safetensors::SafeTensors;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/0.1").join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

fn trainer(config: &RunConfig) -> Trainer {
    let tokens = vec![0; 10 * config.model.context_length];
    block_on(Trainer::new(config.clone(), None, &tokens, &tokens)).unwrap()
}

/// Logits of "ab" as the version that trained the model computed them.
fn check_logits(trainer: &mut Trainer, fixture: &str) {
    let bytes = read(fixture);
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let ids: &[u8] = tensors.tensor("ids").unwrap().data();
    let ids: Vec<u32> = ids.chunks_exact(8).map(|id| u32::from_le_bytes([id[0], id[1], id[2], id[3]])).collect();
    let expected: Vec<f32> = bytemuck::pod_collect_to_vec(tensors.tensor("logits").unwrap().data());
    let logits = block_on(trainer.logits(&ids)).unwrap();
    assert_eq!(logits.len(), expected.len());
    let largest = logits.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest < 1e-5, "{fixture}: {largest}");
}

#[test]
fn checkpoints_of_the_command_line_open() {
    for (name, step) in [("task", 30), ("text", 12)] {
        let Checkpoint { config, tokenizer, state } =
            Checkpoint::from_bytes(&read(&format!("{name}.safetensors"))).unwrap();
        assert_eq!((state.step, tokenizer.vocab_size()), (step, config.model.vocab_size));
        if name == "text" {
            let model = &config.model;
            let switches = (model.norm, model.positions, model.feed_forward, model.tied_embeddings, model.n_kv_heads);
            assert_eq!(switches, (Norm::Layernorm, Positions::Learned, FeedForward::Gelu, true, 1));
        }
        let mut trainer = trainer(&config);
        trainer.restore(&state);
        check_logits(&mut trainer, &format!("{name}.logits.safetensors"));
        trainer.submit(1);
        assert_eq!(block_on(trainer.collect()).unwrap()[0].step, step + 1, "{name} does not train on");
    }
}

#[test]
fn a_run_kept_by_the_page_opens() {
    let kept = read("kept-run");
    let end_of_description = kept.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let file = &kept[end_of_description..];
    let checkpoint = Checkpoint::from_bytes(file).unwrap();
    let record = record::read(file).unwrap();
    assert_eq!((checkpoint.state.step, record.name.as_str(), record.history.points.len()), (30, "run 1", 30));
    assert_eq!(record.corpus.name, "examples of copy");
    let mut trainer = trainer(&checkpoint.config);
    trainer.restore(&checkpoint.state);
    let mut model = Chosen::new(vec![("model.zip".into(), read("model.zip"))]).unwrap();
    let imported = import(&mut model).unwrap();
    assert_eq!(imported.params, checkpoint.state.params, "the export holds the same weights");
}

#[test]
fn links_restore_their_view() {
    let link = "#view=train&preset=nano&task=copy&context_length=32&d_ff=24&d_model=16&n_heads=2&n_kv_heads=2&vocab_size=257\
        &batch_size=4&seed=7&layer=1&head=1&colors=cividis";
    let (state, problems) = restored(link);
    assert_eq!(problems, Vec::<String>::new());
    let config = &state.draft.config;
    let model = &config.model;
    assert_eq!(
        (model.context_length, model.d_ff, model.d_model, model.n_heads, model.vocab_size),
        (32, 24, 16, 2, 257)
    );
    assert_eq!((config.train.batch_size, config.train.seed), (4, 7));
    assert_eq!(state.draft.corpus, CorpusChoice::Task(0));
}
