//! Imported models on the command line: where their texts begin and end, and what an export preserves.

use std::fs;
use std::path::Path;
use std::process::Command;

use glasshead::interop::export::export;
use glasshead::interop::import::Imported;
use glasshead::train::checkpoint::{Checkpoint, to_bytes};
use glasshead::train::import::{ImportedRun, adopt};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::adopted::tensors::retensored;
use crate::adopted::{Files, alphabet, id, json_of, llama, read, refusal, renamed, set};

fn command(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glasshead"));
    command.current_dir(folder).args(arguments.split_whitespace());
    command
}

/// Standard output and standard error of the program, which has to succeed.
fn program(folder: &Path, arguments: &str) -> (String, String) {
    let output = command(folder, arguments).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{arguments}: {err}");
    (out, err)
}

fn write(folder: &Path, files: &Files) {
    fs::create_dir_all(folder).unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(folder.join(name), bytes).unwrap());
}

/// Ids that were written as 16 bits each.
fn ids(path: &Path) -> Vec<u32> {
    fs::read(path).unwrap().chunks(2).map(|id| u32::from(id[0]) + 256 * u32::from(id[1])).collect()
}

/// The same files with a token that is added but not special, and a post-processor that adds nothing.
fn flagged(mut files: Files) -> Files {
    let mut tokenizer = json_of(&files, "tokenizer.json");
    let (token, token_id) = ("th", tokenizer["model"]["vocab"]["th"].clone());
    assert!(token_id.is_number());
    let added = json!({ "id": token_id, "content": token, "special": false, "normalized": true });
    tokenizer["added_tokens"].as_array_mut().unwrap().push(added);
    let text = json!({ "Sequence": { "id": "A", "type_id": 0 } });
    tokenizer["post_processor"] =
        json!({ "type": "TemplateProcessing", "single": [text], "pair": [], "special_tokens": {} });
    files.insert("tokenizer.json".into(), tokenizer.to_string().into_bytes());
    files
}

/// A post-processor that adds this id before the text.
fn template(first: u32) -> Value {
    json!({
        "type": "TemplateProcessing", "pair": [],
        "single": [{ "SpecialToken": { "id": "b", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
        "special_tokens": { "b": { "id": "b", "ids": [first], "tokens": ["b"] } },
    })
}

#[test]
fn the_command_line_keeps_begin_end_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut files = flagged(renamed(Some("</end>")));
    set(&mut files, "generation_config.json", json!({ "eos_token_id": id('d'), "top_k": 7 }));
    set(&mut files, "tokenizer_config.json", json!({ "eos_token": "</end>", "chat_template": "{{ x }}" }));
    files.insert("chat_template.jinja".into(), b"{{ messages }}".into());
    write(&folder.join("theirs"), &files);
    fs::write(folder.join("rows.jsonl"), "{\"text\": \"a\"}\n{\"text\": \"b\"}\n").unwrap();
    program(folder, "tokenizer encode --tokenizer theirs/tokenizer.json --text rows.jsonl --out ids.bin");
    let [a, b, line] = ['a', 'b', '\n'].map(id);
    assert_eq!(ids(&folder.join("ids.bin")), [a, 0, line, b, 0, line]);
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

#[test]
fn logits_are_those_of_the_prompt_with_what_the_post_processor_adds() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = alphabet();
    set(&mut files, "tokenizer.json", json!({ "post_processor": template(256) }));
    write(&folder.path().join("theirs"), &files);
    program(folder.path(), "import theirs --out model");
    program(folder.path(), "logits --model model --text Hi --out l.safetensors --backend cpu");
    let bytes = fs::read(folder.path().join("l.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let ids: Vec<i64> = bytemuck::pod_collect_to_vec(tensors.tensor("ids").unwrap().data());
    assert_eq!(ids, [256, i64::from(id('H')), i64::from(id('i'))]);
    assert_eq!(tensors.tensor("logits").unwrap().shape(), [3, 260]);
}

/// Rows of JSON Lines and of a Parquet file, encoded and trained on.
#[test]
fn documents_of_every_kind_of_file_end_with_the_models_own_end() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(&folder.join("theirs"), &renamed(Some("</end>")));
    program(folder, "import theirs --out model");
    fs::write(folder.join("rows.parquet"), crate::parquet::file(|it| it, 2)).unwrap();
    program(
        folder,
        "tokenizer encode --tokenizer theirs/tokenizer.json --text rows.parquet --field story --out ids.bin",
    );
    let ends = |ids: &[u32]| ids.iter().filter(|&&id| id == 0).count();
    let spelled = |ids: &[u32]| ids.windows(2).any(|pair| pair == ['<', '|'].map(id));
    let found = ids(&folder.join("ids.bin"));
    assert_eq!((ends(&found), spelled(&found)), (14, false), "{found:?}");

    fs::write(folder.join("rows.jsonl"), "{\"text\": \"abcdefghij\"}\n".repeat(60)).unwrap();
    program(folder, "train --resume model --text rows.jsonl --steps 2 --out more --backend cpu");
    let tokens = fs::read_dir(folder.join("more")).unwrap().map(|entry| entry.unwrap().path());
    let mut tokens = tokens.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("tokens-"));
    let found = ids(&tokens.next().expect("the file of tokens"));
    assert_eq!((found.len(), ends(&found), spelled(&found)), (60 * 12, 60, false));
}

#[test]
fn flags_and_the_post_processor_survive_a_checkpoint_and_an_export() {
    let mut files = flagged(renamed(Some("</end>")));
    set(&mut files, "tokenizer.json", json!({ "post_processor": template(7) }));
    let ImportedRun { config, tokenizer, state, .. } = adopt(read(&files));
    let saved = Checkpoint::from_bytes(&to_bytes(&config, &tokenizer, &state, None).unwrap()).unwrap();
    assert_eq!(saved.tokenizer.encode_with_template("x"), [7, id('x')]);
    let again = export(&saved.config.model, &saved.tokenizer, &saved.state.params).unwrap();
    let (_, again) = again.iter().find(|(name, _)| *name == "tokenizer.json").unwrap();
    let [again, before] = [again, &files["tokenizer.json"]].map(|bytes| String::from_utf8_lossy(bytes));
    assert_eq!(again, before);
}

#[test]
fn long_windows_stay_long() {
    let mut files = llama(&[]);
    set(&mut files, "config.json", json!({ "max_position_embeddings": 4096 }));
    assert_eq!(read(&files).model.context_length, 4096);
    let folder = tempfile::tempdir().unwrap();
    let long = 1 << 20;
    for (window, fits) in [(4096, true), (long, false)] {
        set(&mut files, "config.json", json!({ "max_position_embeddings": window }));
        write(&folder.path().join("theirs"), &files);
        let (_, said) = program(folder.path(), "import theirs --out model");
        assert_eq!(said.contains("The model was made for windows of 1048576 tokens; memory allows"), !fits, "{said}");
        program(folder.path(), "export --model model again");
        let config: Value =
            serde_json::from_slice(&fs::read(folder.path().join("again/config.json")).unwrap()).unwrap();
        assert_eq!(config["max_position_embeddings"], window);
    }
    // Beyond a sliding window the results would differ.
    set(
        &mut files,
        "config.json",
        json!({ "model_type": "mistral", "sliding_window": 64, "max_position_embeddings": 96 }),
    );
    let Imported { model, notes, .. } = read(&files);
    assert_eq!(model.context_length, 64);
    assert!(notes[0].contains("sliding_window is 64, and max_position_embeddings 96"), "{notes:?}");
}

#[test]
fn a_checkpoint_with_numbers_that_are_none_generates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let files = retensored(&llama(&[]), |tensors| {
        tensors.get_mut("lm_head.weight").unwrap().1[5] = f32::NAN;
    });
    assert!(refusal(&files).contains("lm_head.weight holds NaN"));
    write(&folder.path().join("theirs"), &files);
    let output = command(folder.path(), "import theirs --out model").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("lm_head.weight holds NaN (number 5 of it)"), "{said}");

    let ImportedRun { config, tokenizer, mut state, .. } = adopt(read(&llama(&[])));
    state.params[3] = f32::INFINITY;
    fs::create_dir(folder.path().join("model")).unwrap();
    let bytes = to_bytes(&config, &tokenizer, &state, None).unwrap();
    fs::write(folder.path().join("model/checkpoint.safetensors"), bytes).unwrap();
    let output = command(folder.path(), "generate --model model --prompt x --backend cpu").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && output.stdout.is_empty(), "{said}");
    assert!(said.contains("token_embeddings.weight holds inf"), "{said}");
}
