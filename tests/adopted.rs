//! Imported models: where their texts begin and end, facts that their files give more than once, and what an export preserves.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

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

mod tensors;

type Files = BTreeMap<String, Vec<u8>>;

/// The id of a byte; the special token has id 0.
fn id(letter: char) -> u32 {
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
fn alphabet() -> Files {
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

fn json_of(files: &Files, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap()
}

/// Changes settings of a JSON file; null removes one.
fn set(files: &mut Files, name: &str, settings: Value) {
    let mut file = files.get(name).map_or(json!({}), |bytes| serde_json::from_slice(bytes).unwrap());
    for (field, value) in settings.as_object().unwrap() {
        file[field] = value.clone();
    }
    files.insert(name.into(), file.to_string().into_bytes());
}

fn read(files: &Files) -> Imported {
    import(&mut Chosen::new(files.clone().into_iter().collect()).unwrap()).unwrap()
}

fn refusal(files: &Files) -> String {
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
fn renamed(end: Option<&str>) -> Files {
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

fn program(folder: &std::path::Path, arguments: &str) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glasshead"));
    let output = command.current_dir(folder).args(arguments.split_whitespace()).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{arguments}: {err}");
    (out, err)
}

fn write(folder: &std::path::Path, files: &Files) {
    fs::create_dir_all(folder).unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(folder.join(name), bytes).unwrap());
}

#[test]
fn the_command_line_keeps_begin_end_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut files = renamed(Some("</end>"));
    set(&mut files, "generation_config.json", json!({ "eos_token_id": id('d'), "top_k": 7 }));
    set(&mut files, "tokenizer_config.json", json!({ "eos_token": "</end>", "chat_template": "{{ x }}" }));
    files.insert("chat_template.jinja".into(), b"{{ messages }}".into());
    write(&folder.join("theirs"), &files);
    fs::write(folder.join("rows.jsonl"), "{\"text\": \"a\"}\n{\"text\": \"b\"}\n").unwrap();
    program(folder, "tokenizer encode --tokenizer theirs/tokenizer.json --text rows.jsonl --out ids.bin");
    let ids: Vec<u32> = fs::read(folder.join("ids.bin"))
        .unwrap()
        .chunks(2)
        .map(|id| u32::from(id[0]) + 256 * u32::from(id[1]))
        .collect();
    let [a, b, line] = ['a', 'b', '\n'].map(id);
    assert_eq!(ids, [a, 0, line, b, 0, line]);
    write(&folder.join("none"), &renamed(None));
    let (_, said) =
        program(folder, "tokenizer encode --tokenizer none/tokenizer.json --text rows.jsonl --out none.bin");
    assert!(said.contains("no token that ends a document"), "{said}");

    program(folder, "import theirs --out model");
    let (text, _) = program(folder, "generate --model model --prompt x --temperature 0 --max-tokens 7 --backend cpu");
    assert_eq!(text, "xabc\n");
    let (_, said) = program(folder, "export --model model again");
    assert_eq!(said, "");
    for (name, bytes) in &files {
        let again = fs::read(folder.join("again").join(name)).unwrap();
        if name == "model.safetensors" {
            assert_eq!(again, *bytes);
        } else {
            let [one, other] = [&again, bytes].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(json!(text));
            assert_eq!(parsed(&one), parsed(&other), "{name}");
        }
    }
    assert_eq!(fs::read_dir(folder.join("again")).unwrap().count(), files.len());
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

fn llama(switches: &[(&str, &str)]) -> Files {
    let model = model(switches);
    files(&model, &tokenizer(), &numbers(&model))
}
