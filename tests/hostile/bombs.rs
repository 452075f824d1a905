//! Inputs made to be slow or large: each must be refused or processed in a time that its size justifies.

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
    // GPT-2's inner width defaults to four times the outer one.
    let gpt2 =
        String::from_utf8_lossy(&seeds::configs()[1]).replace("\"n_embd\":4", &format!("\"n_embd\":{}", u64::MAX));
    refused("config.json", gpt2.as_bytes(), "d_model");
    // Valid sizes that do not match these weights.
    refused("config.json", &config_with("num_hidden_layers", 1024.into()), "no tensor model.layers.2");
    refused("config.json", &config_with("vocab_size", (1 << 20).into()), "model.embed_tokens.weight");
    refused("config.json", &config_with("intermediate_size", (1 << 20).into()), "mlp.gate_proj");
    refused("config.json", &config_with("hidden_act", "x".repeat(1 << 20).into()), "hidden_act");
    let mut config = Preset::Nano.config();
    config.model.n_layers = 1025;
    assert!(config.validate().expect_err("it is absurd").to_string().contains("n_layers is 1025"));
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
    // One special token of a million bytes, and a hundred thousand short ones.
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
        // Shapes and offsets whose products and sums overflow, and tensors that overlap.
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
    refused("JSON lines", format!("{{{}}}\n", wide.join(",")).as_bytes(), "no row of 1 has text in the field");
    let deep = format!("{{\"prompt\":\"a\",\"answer\":{}", "[".repeat(1 << 19));
    refused("alignment rows", deep.as_bytes(), "line 1");
    assert!(way("alignment rows", "{\"prompt\":\"a\",\"x\":1}\n\n".repeat(1 << 16).as_bytes()).is_ok());
    refused("alignment rows", format!("{{\"prompt\":\"{}\"}}", "a".repeat(3 << 20)).as_bytes(), "longer than");
    refused("reward", "regex:(?:\\w{99}){99}".as_bytes(), "invalid pattern");
    refused("reward", "regex:\\w{9}\n".repeat(1 << 16).as_bytes(), "at most 16");
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

/// A Parquet file with only a footer.
fn footer(footer: &[u8]) -> Vec<u8> {
    [b"PAR1", footer, &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat()
}

/// Encodes seven bits per byte, the lowest first.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 127 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    [bytes, vec![value as u8]].concat()
}

/// A schema of one group with `n_columns` children, of which `claimed` are declared, preceded by the footer's version.
fn schema(group: &str, n_columns: usize, claimed: u32) -> Vec<u8> {
    let name = |name: &str| [&[0x18][..], &varint(name.len() as u64), name.as_bytes()].concat();
    // Required; for columns preceded by the type INT32.
    let column = [&[0x15, 2, 0x25, 0][..], &name("c"), &[0]].concat();
    let parts = [
        vec![0x15, 2, 0x19, 0xfc],
        varint(n_columns as u64 + 2),
        [&[0x48][..], &varint(4), b"root", &[0x15, 2, 0]].concat(),
        [&[0x35, 0][..], &name(group), &[0x15], &varint(2 * u64::from(claimed)), &[0]].concat(),
    ];
    [parts.concat(), column.repeat(n_columns)].concat()
}

#[test]
fn footers_cannot_ask_for_more_than_they_have() {
    // No rows and no row groups.
    let end = [0x16, 0, 0x19, 0x0c, 0];
    let good = [schema("group", 3, 3), end.into()].concat();
    refused("Parquet", &footer(&good), "none of its columns holds text");
    // Claims two billion children.
    let many = [schema("group", 3, i32::MAX as u32), end.into()].concat();
    refused("Parquet", &footer(&many), "claims to have more columns than it has");
    // A long name, once for each of ten thousand columns.
    let long = [schema(&"g".repeat(1 << 16), 10_000, 10_000), end.into()].concat();
    refused("Parquet", &footer(&long), "the names of its columns are too long");
    // An unknown field: a list of lists of two billion booleans each, which take no bytes.
    let endless =
        [&[0xf9, 0xf9][..], &varint(150), &[&[0xf1][..], &varint(i32::MAX as u64)].concat().repeat(150)].concat();
    for at in [0, good.len() - 1] {
        let endless = [&good[..at], &endless, &good[at..]].concat();
        refused("Parquet", &footer(&endless), "its footer cannot be read");
    }
}

#[test]
fn footers_are_understood_as_the_parquet_crate_understands_them() {
    let columns = schema("group", 3, 3);
    let deep = [&[0x19, 0xfc][..], &varint(200_000), &[0x35, 0, 0x18, 0, 0x15, 2, 0].repeat(200_000)].concat();
    // Field 65538, which is 2 when truncated to the 16 bits of a field number.
    let far = [&[0x15, 2, 0x09][..], &varint(2 * 65538), &deep[1..], &[0]].concat();
    refused("Parquet", &footer(&far), "its footer cannot be read");
    // The version, declared as bytes but read as a number: the content of the bytes is then parsed as fields.
    let hidden = [&[0x18][..], &varint(deep.len() as u64), &deep, &columns[2..], &[0x16, 0, 0x19, 0x0c, 0]].concat();
    refused("Parquet", &footer(&hidden), "its footer cannot be read");
}
