//! Models in Hugging Face's file formats. tests/interop/compare.py checks that transformers computes the same results from
//! them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::rc::Rc;

use glasshead::config::{Choice, ModelConfig, Norm, Preset};
use glasshead::data::{Tokenizer, train};
use glasshead::interop::archive::{Chosen, pack};
use glasshead::interop::export::{export, training_state};
use glasshead::interop::import::{Imported, Source, SourceError, import};
use glasshead::interop::state::SavedState;
use glasshead::interop::{Architecture, InteropError};
use glasshead::model::params::ParamTable;
use glasshead::rng::Rng;
use glasshead::serve::Session;
use glasshead::types::{BackendChoice, CorpusChoice, FileInfo, VocabularyChoice};
use glasshead::wire::Message;
use glasshead::wire::export::{ExportCommand, ExportEvent};
use glasshead::wire::runs::{RunsCommand, RunsEvent};
use glasshead::wire::{Command, Event};
use glasshead_page::state::models::{Part, is_model, part};
use pollster::block_on;
use serde_json::{Value, json};

/// Files in memory.
#[derive(Clone, Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Source for Files {
    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn size(&mut self, name: &str) -> u64 {
        self.0.get(name).map_or(0, |bytes| bytes.len() as u64)
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>, SourceError> {
        self.0.get(name).cloned().ok_or(SourceError::Missing)
    }
}

impl Files {
    /// Changes settings of config.json.
    fn with(mut self, settings: Value) -> Self {
        let mut config: Value = serde_json::from_slice(&self.0["config.json"]).unwrap();
        for (field, value) in settings.as_object().unwrap() {
            config[field] = value.clone();
        }
        self.0.insert("config.json".into(), config.to_string().into_bytes());
        self
    }

    fn refusal(mut self) -> String {
        match import(&mut self) {
            Ok(_) => panic!("it was read"),
            Err(error) => error.to_string(),
        }
    }
}

fn tokenizer() -> Tokenizer {
    let vocabulary = train("the cat sat on the mat, the cat", 262, &["<|endoftext|>"]).unwrap();
    Tokenizer::new(&vocabulary).unwrap()
}

fn model(switches: &[(&str, &str)]) -> ModelConfig {
    let mut config = Preset::Nano.config();
    config.model.vocab_size = tokenizer().vocab_size();
    for (field, value) in switches {
        config.set(field, value).unwrap();
    }
    config.validate().unwrap();
    config.model
}

/// Parameters that are all different, with 0 in the padding between them.
fn numbers(model: &ModelConfig) -> Vec<f32> {
    let table = ParamTable::new(model);
    let mut values = vec![0.0; table.buffer_len()];
    for param in table.iter() {
        (param.start..param.start + param.len()).for_each(|at| values[at] = at as f32 + 0.5);
    }
    values
}

fn exported(model: &ModelConfig) -> Files {
    let files = export(model, &tokenizer(), &numbers(model)).unwrap();
    Files(files.into_iter().map(|(name, bytes)| (name.to_string(), bytes)).collect())
}

const GPT2: [(&str, &str); 4] =
    [("norm", "layernorm"), ("positions", "learned"), ("feed_forward", "gelu"), ("bias", "true")];

#[test]
fn what_is_written_is_read_back() {
    let tied_gpt2 = [GPT2.as_slice(), &[("tied_embeddings", "true")]].concat();
    let cases: [(&[(&str, &str)], Architecture); 6] = [
        (&[], Architecture::Llama),
        (&[("n_kv_heads", "2"), ("tied_embeddings", "true")], Architecture::Llama),
        (&[("bias", "true"), ("rope_theta", "500000")], Architecture::Llama),
        (&[("norm_eps", "1e-6")], Architecture::Llama),
        (&GPT2, Architecture::Gpt2),
        (&tied_gpt2, Architecture::Gpt2),
    ];
    for (switches, architecture) in cases {
        let model = model(switches);
        assert_eq!(Architecture::of(&model).unwrap(), architecture);
        let Imported { model: read, tokenizer: spoken, params, state, notes } = import(&mut exported(&model)).unwrap();
        assert_eq!(read, model);
        assert_eq!(params, numbers(&model), "{switches:?}");
        assert_eq!((state, notes), (None, Vec::<String>::new()));
        assert_eq!(spoken.encode("the cat<|endoftext|>"), tokenizer().encode("the cat<|endoftext|>"));
    }
}

/// In Glasshead either all linear layers have biases or none; biases that a family's files do not contain are 0.
#[test]
fn relatives_of_llama_are_read_with_the_biases_they_have() {
    let biased = model(&[("bias", "true")]);
    let all = numbers(&biased);
    for (settings, kept) in [
        (json!({ "model_type": "qwen2", "use_sliding_window": false }), &["q_proj", "k_proj", "v_proj"][..]),
        (json!({ "mlp_bias": null }), &["q_proj", "k_proj", "v_proj", "output_proj"]),
    ] {
        let read = import(&mut exported(&biased).with(settings.clone())).unwrap();
        assert_eq!(read.model, biased);
        for param in ParamTable::new(&biased).iter() {
            let range = param.start..param.start + param.len();
            let is_there = !param.name.ends_with(".bias") || kept.iter().any(|name| param.name.contains(name));
            let expected = if is_there { all[range.clone()].to_vec() } else { vec![0.0; param.len()] };
            assert_eq!(read.params[range], expected, "{settings}: {}", param.name);
        }
    }
    let plain = model(&[]);
    let window = |window: Value| exported(&plain).with(json!({ "model_type": "mistral", "sliding_window": window }));
    for open in [json!(null), json!(4096)] {
        assert_eq!(import(&mut window(open)).unwrap().params, numbers(&plain));
    }
    let short = import(&mut window(json!(8))).unwrap();
    assert_eq!((short.model.context_length, short.notes.len()), (8, 1));
    let qwen = exported(&biased).with(json!({ "model_type": "qwen2", "use_sliding_window": true }));
    assert!(qwen.refusal().contains("use_sliding_window is true"));
}

#[test]
fn where_training_stands_comes_back() {
    for switches in [&[][..], &[("n_kv_heads", "2"), ("tied_embeddings", "true")], &GPT2] {
        let model = model(switches);
        let moments = |by: f32| numbers(&model).into_iter().map(|number| by * number).collect();
        let (train, batches) = (Preset::Nano.config().train, Rng::new(7));
        let state = SavedState { step: 41, batches, train, adam_m: moments(2.0), adam_v: moments(3.0) };
        let mut files = exported(&model);
        let (name, bytes) = training_state(&model, &state).unwrap();
        files.0.insert(name.into(), bytes.clone());
        assert_eq!(import(&mut files.clone()).unwrap().state, Some(state));
        for cut in [0, 9, bytes.len() / 2] {
            files.0.insert(name.into(), bytes[..cut].to_vec());
            assert!(files.clone().refusal().contains(name));
        }
    }
}

#[test]
fn a_model_in_a_zip_is_found_wherever_it_lies() {
    let model = model(&[]);
    let files = export(&model, &tokenizer(), &numbers(&model)).unwrap();
    let zip = pack(&files).unwrap();
    let chosen = |bytes: &[u8]| Chosen::new(vec![("Mine.ZIP".into(), bytes.to_vec())]);
    assert_eq!(import(&mut chosen(&zip).unwrap()).unwrap().params, numbers(&model));
    // Compressed, in a folder, next to files that other systems add.
    let deflated = zip::write::SimpleFileOptions::default();
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (folder, damaged) in [("mine/", false), ("mine/older/", true), ("__MACOSX/mine/", true)] {
        for (name, bytes) in &files {
            writer.start_file(format!("{folder}{name}"), deflated).unwrap();
            writer.write_all(if damaged { b"?" } else { bytes }).unwrap();
        }
    }
    let nested = writer.finish().unwrap().into_inner();
    assert!(nested.len() < zip.len());
    assert_eq!(import(&mut chosen(&nested).unwrap()).unwrap().params, numbers(&model));
    for cut in [0, 30, zip.len() / 2, zip.len() - 1] {
        let refused = chosen(&zip[..cut]).err().map_or(String::new(), |error| error.to_string());
        assert!(refused.contains("Mine.ZIP") && refused.contains("is no ZIP"), "{cut}: {refused}");
    }
    // A byte of the weights does not match the checksum.
    let mut flipped = zip.clone();
    flipped[zip.len() / 3] ^= 1;
    assert!(import(&mut chosen(&flipped).unwrap()).is_err());
    let loose = files.into_iter().map(|(name, bytes)| (name.to_string(), bytes)).collect();
    assert_eq!(import(&mut Chosen::new(loose).unwrap()).unwrap().params, numbers(&model));
}

#[test]
fn a_model_without_a_counterpart_is_told_what_is_in_the_way() {
    let model = model(&[("norm", Norm::None.name())]);
    let error = export(&model, &tokenizer(), &numbers(&model)).unwrap_err();
    assert!(matches!(error, InteropError::NoArchitecture { .. }));
    let message = error.to_string();
    assert!(message.contains("for Llama's, set norm=rmsnorm;"), "{message}");
    assert!(message.contains("norm=layernorm, positions=learned, feed_forward=gelu, bias=true"), "{message}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let files = exported(&model(&[]));
    for (settings, words) in [
        (json!({ "model_type": "mamba" }), "model_type is \"mamba\"; llama, mistral, qwen2 and gpt2"),
        (json!({ "hidden_act": "relu" }), "hidden_act"),
        (json!({ "rms_norm_eps": "small" }), "rms_norm_eps is \"small\"; it has to be a number"),
        (json!({ "rms_norm_eps": 0 }), "norm_eps is 0"),
        (json!({ "rope_scaling": { "rope_type": "yarn" } }), "rope_scaling"),
        (json!({ "head_dim": 64 }), "head_dim"),
        (json!({ "hidden_size": -1 }), "hidden_size"),
        (json!({ "hidden_size": 1e300 }), "hidden_size"),
        (json!({ "num_attention_heads": 0, "head_dim": null }), "n_heads is 0"),
        (json!({ "num_hidden_layers": 3 }), "no tensor model.layers.2."),
        (json!({ "intermediate_size": 100 }), "[128, 48]"),
        (json!({ "vocab_size": 100 }), "tokens, and its model only 100"),
        (json!({ "quantization_config": {} }), "quantization_config"),
    ] {
        let message = files.clone().with(settings).refusal();
        assert!(message.contains(words), "{message}: no {words}");
    }
    let without = |name: &str| {
        let mut files = files.clone();
        files.0.remove(name);
        files
    };
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let message = without(name).refusal();
        assert!(message.contains(name), "{message}");
    }
    let mut pickled = without("model.safetensors");
    pickled.0.insert("pytorch_model.bin".into(), Vec::new());
    assert!(pickled.refusal().contains("safe_serialization=True"));
    let alone = Files(BTreeMap::from([("consolidated.00.pth".to_string(), Vec::new())]));
    assert!(alone.refusal().contains("safe_serialization=True"));
    let mut elsewhere = without("model.safetensors");
    let index = json!({ "weight_map": { "a": "../secret" } });
    elsewhere.0.insert("model.safetensors.index.json".into(), index.to_string().into_bytes());
    assert!(elsewhere.refusal().contains("../secret"));
    for cut in [0, 7, 8, 100, 5000] {
        let mut files = files.clone();
        files.0.get_mut("model.safetensors").unwrap().truncate(cut);
        assert!(files.refusal().contains("model.safetensors"));
    }
}

/// A session of the page on the CPU, with a run of two steps.
fn session() -> (Session, Rc<RefCell<Vec<Message>>>) {
    let heard: Rc<RefCell<Vec<Message>>> = Rc::default();
    let sink = heard.clone();
    let sink = Box::new(move |event, bytes| sink.borrow_mut().push((event, bytes)));
    let mut session = Session::new(sink, Box::new(|| 0.0));
    let config = Preset::Nano.config();
    let (corpus, vocabulary) = (CorpusChoice::BuiltIn, VocabularyChoice::Trained);
    let (backend, probe) = (BackendChoice::Cpu, "the cat".to_string());
    let start = Command::Start { run: 1, config, corpus, vocabulary, backend, probe };
    block_on(session.handle(start, None));
    for _ in 0..2 {
        block_on(session.handle(Command::Step, None));
        while block_on(session.work()) {}
    }
    (session, heard)
}

fn import_command(files: &[(&str, usize)]) -> Command {
    let info = |&(name, size): &(&str, usize)| FileInfo { name: name.into(), size, fields: Vec::new() };
    let command = RunsCommand::Import {
        run: 2,
        backend: BackendChoice::Cpu,
        probe: "the cat".into(),
        name: "mine".into(),
        corpus: CorpusChoice::BuiltIn,
        files: files.iter().map(info).collect(),
    };
    Command::Runs { command }
}

#[test]
fn the_page_exports_a_run_and_takes_it_over_again() {
    let (mut session, heard) = session();
    block_on(session.handle(Command::Export(ExportCommand::Model { loose: false, training_state: true }), None));
    let (event, zip) = heard.borrow_mut().pop().unwrap();
    assert!(matches!(event, Event::Export { run: 1, event: ExportEvent::Model { step: 2 } }), "{event:?}");
    let zip = zip.unwrap();

    // An unreadable file leaves the run unchanged.
    block_on(session.handle(import_command(&[("mine.zip", 100)]), Some(zip[..100].to_vec())));
    let (event, _) = heard.borrow_mut().pop().unwrap();
    assert!(matches!(event, Event::Runs { run: 2, event: RunsEvent::ResumeFailed { .. } }), "{event:?}");

    let next = |session: &mut Session| {
        heard.borrow_mut().clear();
        block_on(session.handle(Command::Step, None));
        while block_on(session.work()) {}
        heard.borrow_mut().drain(..).find_map(|(event, _)| match event {
            Event::Progress { points, .. } => points.last().map(|point| (point.step, point.loss)),
            _ => None,
        })
    };
    let expected = next(&mut session);
    assert_eq!(expected.map(|(step, _)| step), Some(3));
    block_on(session.handle(import_command(&[("mine.zip", zip.len())]), Some(zip)));
    assert_eq!(next(&mut session), expected, "it goes on as the exported one did");
}

#[test]
fn files_of_a_model_are_told_from_texts_and_saved_runs() {
    let is_model = |names: &[&str]| is_model(&names.iter().map(|name| name.to_string()).collect::<Vec<_>>());
    for names in [
        &["mine.zip"][..],
        &["config.json"],
        &["model.safetensors"],
        &["pytorch_model.bin"],
        &["config.json", "model.safetensors", "tokenizer.json", "README.md"],
    ] {
        assert!(is_model(names), "{names:?}");
    }
    for names in [&["stories.txt"][..], &["run-1.safetensors"], &["tokenizer.json"], &["a.jsonl", "b.txt"], &[]] {
        assert!(!is_model(names), "{names:?}");
    }
    assert_eq!([part("config.json"), part("optimizer.pt"), part("notes.md")], [Part::Read, Part::Named, Part::Ignored]);
}
