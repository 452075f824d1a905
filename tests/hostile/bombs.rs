//! Inputs that are made to be slow or large: each has to be refused, or done, as fast as its size lets expect.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use glasshead::config::Preset;
use serde_json::{Value, json};

use super::ways::{self, Outcome, WAYS};
use super::{hold, measured, seeds};

fn way(name: &str, bytes: &[u8]) -> Outcome {
    let way = WAYS.iter().find(|way| way.name == name).expect("there is such a way");
    hold(way, bytes).unwrap_or_else(|error| panic!("{error}"));
    (way.enter)(bytes)
}

fn refused(name: &str, bytes: &[u8], expected: &str) {
    let said = way(name, bytes).expect_err("it is hostile");
    assert!(said.contains(expected), "{said:.300}");
}

fn config_with(field: &str, value: Value) -> Vec<u8> {
    let mut config: Value = serde_json::from_slice(&seeds::configs()[0]).expect("it is JSON");
    config[field] = value;
    config.to_string().into_bytes()
}

#[test]
fn absurd_shapes_are_refused_by_name_before_anything_is_planned() {
    for (field, ours) in
        [("num_hidden_layers", "n_layers"), ("vocab_size", "vocab_size"), ("intermediate_size", "d_ff")]
    {
        for size in [1u64 << 21, 1 << 40, u64::MAX] {
            refused("config.json", &config_with(field, size.into()), ours);
        }
    }
    // The inner width of GPT-2 is four times the outer one where it is not told.
    let gpt2 =
        String::from_utf8_lossy(&seeds::configs()[1]).replace("\"n_embd\":4", &format!("\"n_embd\":{}", u64::MAX));
    refused("config.json", gpt2.as_bytes(), "d_model");
    // What may be asked for, but not of these weights.
    refused("config.json", &config_with("num_hidden_layers", 1024.into()), "no tensor model.layers.2");
    refused("config.json", &config_with("vocab_size", (1 << 20).into()), "model.embed_tokens.weight");
    refused("config.json", &config_with("intermediate_size", (1 << 20).into()), "mlp.gate_proj");
    refused("config.json", &config_with("hidden_act", "x".repeat(1 << 20).into()), "hidden_act");
    let mut config = Preset::Nano.config();
    config.model.n_layers = 1025;
    assert!(config.validate().expect_err("it is absurd").to_string().contains("n_layers 1025"));
}

#[test]
fn shards_cannot_ask_for_more_weights_than_they_have() {
    let mut files = seeds::model_files().clone();
    let weights = files.remove("model.safetensors").expect("it is there");
    files.extend([("a.safetensors".into(), weights.clone()), ("b.safetensors".into(), weights)]);
    files.insert("model.safetensors.index.json".into(), seeds::indices().remove(0));
    files.insert("config.json".into(), config_with("intermediate_size", (1 << 20).into()));
    let (said, peak, _) = measured(|| {
        let mut chosen = glasshead::interop::archive::Chosen::new(files.into_iter().collect()).expect("no ZIP");
        glasshead::interop::import::import(&mut chosen).err().map(|error| error.to_string())
    });
    assert!(said.is_some_and(|said| said.contains("model.safetensors.index.json: the files that it names have")));
    assert!(peak < 4 << 20, "{peak}");
}

#[test]
fn a_small_zip_does_not_unpack_to_much() {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, n) in [("config.json", 300 << 20), ("tokenizer.json", 1 << 20)] {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).expect("a name");
        let spaces = vec![b' '; 1 << 20];
        (0..n >> 20).for_each(|_| writer.write_all(&spaces).expect("there is memory"));
    }
    let bomb = writer.finish().expect("it is small").into_inner();
    assert!(bomb.len() < 1 << 20);
    refused("ZIP", &bomb, "config.json: it unpacks to 300 MiB");
}

#[test]
fn vocabularies_with_few_tokens_have_no_far_ids() {
    refused(".tiktoken", b"YQ== 16777215\n", "the id 16777215 is too large");
    let far = json!({
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false },
        "model": { "type": "BPE", "vocab": { "a": 16_000_000 }, "merges": [] },
    });
    refused("tokenizer.json", far.to_string().as_bytes(), "the id 16000000 is too large");
}

#[test]
fn long_tokens_take_no_longer_than_many() {
    let lines = ["YQ== 0\n".into(), format!("{} 1\n", BASE64_STANDARD.encode("aa"))].concat();
    let long = format!("{lines}{} 2\n", BASE64_STANDARD.encode("a".repeat(300_000)));
    assert_eq!(way(".tiktoken", long.as_bytes()), Ok(()));
    // One special token of a million bytes, and a hundred thousand of a few.
    let with = |added: Vec<Value>| {
        let mut file: Value = serde_json::from_slice(&seeds::tokenizers()[0]).expect("it is JSON");
        file["added_tokens"] = added.into();
        file.to_string().into_bytes()
    };
    let token = |id: usize, content: String| json!({ "id": id, "content": content });
    let long: String = (0..300_000u32).map(|at| char::from(b'a' + (at.wrapping_mul(at) >> 3) as u8 % 26)).collect();
    assert_eq!(way("tokenizer.json", &with(vec![token(262, long)])), Ok(()));
    let many = (0..30_000).map(|at| token(262 + at, format!("<{at}>"))).collect();
    assert_eq!(way("tokenizer.json", &with(many)), Ok(()));
}

#[test]
fn deep_and_wide_json_ends_soon() {
    let deep = "[".repeat(200_000);
    refused("index of shards", deep.as_bytes(), "model.safetensors.index.json");
    for name in ["config.json", "tokenizer.json"] {
        refused(name, deep.as_bytes(), "recursion limit");
    }
    let header = |json: &str| [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat();
    for name in ["checkpoint", "model.safetensors", "training_state", "frame of ops"] {
        assert!(way(name, &header(&deep)).is_err());
        // Shapes and offsets whose products and sums no number holds, and parts that overlap.
        for (shape, offsets) in [
            ("[4294967296,4294967296,4294967296]", "[0,8]"),
            ("[18446744073709551615]", "[0,18446744073709551615]"),
            ("[2]", "[8,0]"),
            ("[2]", "[0,8],\"x\":0"),
        ] {
            let tensor = format!("{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}");
            let one = header(&format!("{{\"a\":{tensor},\"b\":{tensor}}}"));
            assert!(way(name, &[&one[..], &[0; 8]].concat()).is_err());
        }
    }
    let wide: Vec<String> = (0..40_000).map(|at| format!("\"field{at}\":\"\"")).collect();
    refused("JSON lines", format!("{{{}}}\n", wide.join(",")).as_bytes(), "no field \"text\"");
    assert!(way("link", "#".to_string().as_bytes()).is_ok());
    assert!(way("link", "n_layers=7&zzz=%F0%9F&".repeat(40_000).as_bytes()).is_err());
}

#[test]
fn a_short_request_cannot_ask_for_a_large_answer() {
    let mut blob = seeds::requests().remove(9);
    let at = blob.windows(7).position(|part| part == b"\\\"b\\\":2").expect("the request has its size");
    assert!(ways::ops(&blob).is_ok());
    blob.splice(at + 6..at + 7, *b"9999999");
    blob[0] += 6;
    refused("frame of ops", &blob, "argument b is 9999999");
}
