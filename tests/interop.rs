//! Models in Hugging Face's files. That transformers computes the same from them is for tests/interop/compare.py to see.

use std::collections::BTreeMap;

use glasshead::config::{Choice, ModelConfig, Norm, Preset};
use glasshead::data::{Tokenizer, train};
use glasshead::interop::export::export;
use glasshead::interop::import::{Imported, Source, import};
use glasshead::interop::{Architecture, InteropError};
use glasshead::model::params::ParamTable;
use serde_json::{Value, json};

/// Files in memory.
#[derive(Clone, Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Source for Files {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>, String> {
        self.0.get(name).cloned().ok_or_else(|| "it is gone".into())
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

/// Every parameter another number, and the padding between them 0.
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
    let cases: [(&[(&str, &str)], Architecture); 5] = [
        (&[], Architecture::Llama),
        (&[("n_kv_heads", "2"), ("tied_embeddings", "true")], Architecture::Llama),
        (&[("bias", "true"), ("rope_theta", "500000")], Architecture::Llama),
        (&GPT2, Architecture::Gpt2),
        (&tied_gpt2, Architecture::Gpt2),
    ];
    for (switches, architecture) in cases {
        let model = model(switches);
        assert_eq!(Architecture::of(&model).unwrap(), architecture);
        let Imported { model: read, tokenizer: spoken, params } = import(&mut exported(&model)).unwrap();
        assert_eq!(read, model);
        assert_eq!(params, numbers(&model), "{switches:?}");
        assert_eq!(spoken.encode("the cat<|endoftext|>"), tokenizer().encode("the cat<|endoftext|>"));
    }
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
        (json!({ "model_type": "mamba" }), "model_type is \"mamba\"; llama and gpt2"),
        (json!({ "hidden_act": "relu" }), "hidden_act"),
        (json!({ "rms_norm_eps": 0.1 }), "rms_norm_eps is 0.1; norms here add 0.00001"),
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
