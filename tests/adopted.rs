//! Imported models: where their texts begin and end, facts that their files give more than once, and what an export preserves.

use std::collections::BTreeMap;

use glasshead::config::{ModelConfig, Preset};
use glasshead::data::{Dataset, Tokenizer, train};
use glasshead::interop::archive::Chosen;
use glasshead::interop::export::{changes, export};
use glasshead::interop::import::{Imported, import};
use glasshead::model::params::ParamTable;
use glasshead::train::checkpoint::{Checkpoint, to_bytes};
use glasshead::train::generate::writer::Writer;
use glasshead::train::import::{ImportedRun, adopt};
use glasshead::train::trainer::{TrainError, Trainer};
use glasshead::types::Sampling;
use pollster::block_on;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

pub(crate) mod tensors;

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// The id of a byte; the special token has id 0.
pub(crate) fn id(letter: char) -> u32 {
    1 + letter as u32
}

fn tokenizer() -> Tokenizer {
    Tokenizer::new(&train("the cat sat on the mat, the cat", 260, &["<|endoftext|>"]).unwrap()).unwrap()
}

const GPT2: [(&str, &str); 4] =
    [("norm", "layernorm"), ("positions", "learned"), ("feed_forward", "gelu"), ("bias", "true")];

fn model(switches: &[(&str, &str)]) -> ModelConfig {
    let mut config = Preset::Nano.config();
    config.model = ModelConfig::cs336([260, 8], [8, 1, 2, 8]);
    switches.iter().for_each(|(field, value)| config.set(field, value).unwrap());
    config.validate().unwrap();
    config.model
}

/// A model that generates "abcdefgh" after any single token.
pub(crate) fn alphabet() -> Files {
    let model = model(&GPT2);
    let table = ParamTable::new(&model);
    let mut params = vec![0.0; table.buffer_len()];
    for param in table.iter() {
        let mut set = |row: usize, column: usize, value: f32| params[param.start + row * 8 + column] = value;
        match param.name.as_str() {
            "position_embeddings.weight" => (0..8).for_each(|at| set(at, at, 10.0)),
            "lm_head.weight" => (0..8).for_each(|at| set(id('a') as usize + at, at, 1.0)),
            "ln_final.weight" => (0..8).for_each(|at| set(0, at, 1.0)),
            _ => {}
        }
    }
    files(&model, &tokenizer(), &params)
}

fn files(model: &ModelConfig, tokenizer: &Tokenizer, params: &[f32]) -> Files {
    let files = export(model, tokenizer, params).unwrap();
    files.into_iter().map(|(name, bytes)| (name.to_string(), bytes)).collect()
}

pub(crate) fn json_of(files: &Files, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap()
}

/// Changes settings of a JSON file; null removes one.
pub(crate) fn set(files: &mut Files, name: &str, settings: Value) {
    let mut file = files.get(name).map_or(json!({}), |bytes| serde_json::from_slice(bytes).unwrap());
    for (field, value) in settings.as_object().unwrap() {
        file[field] = value.clone();
    }
    files.insert(name.into(), file.to_string().into_bytes());
}

pub(crate) fn read(files: &Files) -> Imported {
    import(&mut Chosen::new(files.clone().into_iter().collect()).unwrap()).unwrap()
}

pub(crate) fn refusal(files: &Files) -> String {
    let read = import(&mut Chosen::new(files.clone().into_iter().collect()).unwrap());
    read.err().map(|error| error.to_string()).unwrap_or_default()
}

/// The greedy continuation of a prompt.
fn written(files: &Files, prompt: &str) -> String {
    let ImportedRun { config, tokenizer, state, .. } = adopt(read(files));
    let tokens = vec![0; 20];
    let mut trainer = block_on(Trainer::new(config, None, &tokens, &tokens)).unwrap();
    trainer.set_params(&state.params);
    let sampling = Sampling { temperature: 0.0, max_tokens: 7, ..Sampling::default() };
    let mut writer = Writer::new(&tokenizer, prompt, sampling);
    while !writer.done() {
        block_on(writer.write(&mut trainer)).unwrap();
    }
    writer.text(&tokenizer)
}

#[test]
fn a_model_stops_where_its_files_say() {
    let mut files = alphabet();
    let d = id('d');
    assert_eq!(written(&files, "x"), "abcdefg");
    set(&mut files, "generation_config.json", json!({ "eos_token_id": d }));
    assert_eq!(written(&files, "x"), "abc");
    set(&mut files, "generation_config.json", json!({ "eos_token_id": [5, id('b'), d] }));
    assert_eq!(written(&files, "x"), "a");
    // generation_config.json replaces config.json, even where it has no entry.
    set(&mut files, "config.json", json!({ "eos_token_id": id('a') }));
    assert_eq!(written(&files, "x"), "a");
    set(&mut files, "generation_config.json", json!({ "eos_token_id": null }));
    assert_eq!(written(&files, "x"), "abcdefg");
    files.remove("generation_config.json");
    assert_eq!(written(&files, "x"), "");
    set(&mut files, "config.json", json!({ "eos_token_id": [id('c')] }));
    assert_eq!(written(&files, "x"), "ab");
    set(&mut files, "config.json", json!({ "eos_token_id": "</s>" }));
    assert!(refusal(&files).contains("eos_token_id is \"</s>\"; it has to be the id of a token"));
    set(&mut files, "config.json", json!({ "eos_token_id": 50_256 }));
    assert_eq!(written(&files, "x"), "abcdefg");
    assert!(read(&files).notes.iter().any(|note| note.contains("eos_token_id is 50256")));
}

#[test]
fn an_empty_prompt_begins_where_the_files_say() {
    let mut files = alphabet();
    let prompt = |files: &Files| read(files).tokenizer.encode_prompt("");
    assert_eq!(prompt(&files), [0]);
    set(&mut files, "generation_config.json", json!({ "bos_token_id": 7 }));
    assert_eq!(prompt(&files), [7]);
    files.remove("generation_config.json");
    set(&mut files, "config.json", json!({ "bos_token_id": 8 }));
    assert_eq!(prompt(&files), [8]);
    set(&mut files, "config.json", json!({ "bos_token_id": null }));
    assert_eq!(prompt(&files), [0]);
    let template = json!({
        "type": "TemplateProcessing", "pair": [],
        "single": [{ "SpecialToken": { "id": "b", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
        "special_tokens": { "b": { "id": "b", "ids": [256], "tokens": ["b"] } },
    });
    set(&mut files, "tokenizer.json", json!({ "post_processor": template }));
    let tokenizer = read(&files).tokenizer;
    assert_eq!(tokenizer.encode_prompt(""), [256]);
    assert_eq!(tokenizer.encode_prompt("Hi"), [256, id('H'), id('i')]);
    assert_eq!(written(&files, ""), "abcdefg");
}

/// A tokenizer whose end token has another name, or no end token.
pub(crate) fn renamed(end: Option<&str>) -> Files {
    let mut files = alphabet();
    let mut tokenizer = json_of(&files, "tokenizer.json");
    let vocab = tokenizer["model"]["vocab"].as_object_mut().unwrap();
    vocab.remove("<|endoftext|>");
    tokenizer["added_tokens"] = json!([]);
    if let Some(end) = end {
        tokenizer["model"]["vocab"][end] = json!(0);
        tokenizer["added_tokens"] = json!([{ "id": 0, "content": end, "special": true }]);
    }
    files.insert("tokenizer.json".into(), tokenizer.to_string().into_bytes());
    files.remove("tokenizer_config.json");
    for name in ["config.json", "generation_config.json"] {
        set(&mut files, name, json!({ "bos_token_id": null, "eos_token_id": end.map(|_| 0) }));
    }
    files
}

#[test]
fn documents_end_with_the_models_own_end() {
    let text = "a<|endoftext|>\nb<|endoftext|>\n";
    let spelled = |files: &Files| read(files).tokenizer.encode_documents(text);
    let [a, b, line] = ['a', 'b', '\n'].map(id);
    assert_eq!(spelled(&alphabet()), [a, 0, line, b, 0, line]);
    assert_eq!(spelled(&renamed(Some("</end>"))), [a, 0, line, b, 0, line]);
    assert_eq!(spelled(&renamed(None)), [a, line, b, line]);
    // tokenizer_config.json selects one of several.
    let mut files = renamed(Some("</end>"));
    set(&mut files, "generation_config.json", json!({ "eos_token_id": [id('z'), 0] }));
    assert_eq!(spelled(&files)[..2], [a, id('z')]);
    set(&mut files, "tokenizer_config.json", json!({ "eos_token": { "content": "</end>" } }));
    assert_eq!(spelled(&files)[..2], [a, 0]);
    // A prompt has no document boundaries.
    let tokenizer = read(&files).tokenizer;
    assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text);
    let data = Dataset::new(&tokenizer, &text.repeat(99), 8).unwrap();
    assert_eq!(data.train[..6], [a, 0, line, b, 0, line]);
}

/// Parameters that are all different.
fn numbers(model: &ModelConfig) -> Vec<f32> {
    let table = ParamTable::new(model);
    let mut values = vec![0.0; table.buffer_len()];
    for param in table.iter() {
        (param.start..param.start + param.len()).for_each(|at| values[at] = at as f32 * 0.5 + 0.5);
    }
    values
}

pub(crate) fn llama(switches: &[(&str, &str)]) -> Files {
    let model = model(switches);
    files(&model, &tokenizer(), &numbers(&model))
}
