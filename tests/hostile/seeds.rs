//! Valid inputs, small enough to be mutated thousands of times.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use glasshead::config::{ModelConfig, Preset, RunConfig, Schedule};
use glasshead::data::{Tokenizer, train};
use glasshead::interop::archive::pack;
use glasshead::interop::export::{export, training_state};
use glasshead::model::params::ParamTable;
use glasshead::scaling::plan::{Plan, Request};
use glasshead::scaling::shape::Task;
use glasshead::scaling::spec::{LrRule, Outcome, Point, RunResult, RunSettings, Speed, TrainSettings};
use glasshead::train::checkpoint::Checkpoint;
use glasshead::train::import::saved_state;
use glasshead::train::trainer::TrainingState;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

fn a_tokenizer() -> Tokenizer {
    let vocabulary = train("the cat sat on the mat, the cat", 262, &["<|endoftext|>"]).expect("there is a text");
    Tokenizer::new(&vocabulary).expect("it was trained")
}

fn run_config() -> RunConfig {
    let mut config = Preset::Nano.config();
    config.model = ModelConfig::cs336([262, 8], [4, 2, 2, 6]);
    config
}

fn a_state(config: &RunConfig) -> TrainingState {
    let len = ParamTable::new(&config.model).buffer_len();
    TrainingState::of((0..len).map(|at| at as f32 * 0.01).collect(), 3)
}

/// Specifications of runs.
pub fn specifications() -> Vec<Vec<u8>> {
    let mut spec = glasshead::run::RunSpec::new("run", run_config());
    let built_in = serde_json::to_vec(&spec).expect("it is JSON");
    spec.text = glasshead::run::TextSource::Files { paths: vec!["a.jsonl".into()], field: "text".into() };
    vec![built_in, serde_json::to_vec(&spec).expect("it is JSON")]
}

/// Checkpoints of runs.
pub fn checkpoints() -> Vec<Vec<u8>> {
    let config = run_config();
    let (tokenizer, state) = (a_tokenizer(), a_state(&config));
    vec![Checkpoint { config, tokenizer, state }.to_bytes().expect("it is a state of this configuration")]
}

static MODEL: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
    let config = run_config();
    let state = a_state(&config);
    let mut files = export(&config.model, &a_tokenizer(), &state.params).expect("it is one of Llama's kind");
    files.push(training_state(&config.model, &saved_state(&config, state)).expect("it is one of Llama's kind"));
    files.into_iter().map(|(name, bytes)| (name.to_string(), bytes)).collect()
});

/// The files of a small model, by name.
pub fn model_files() -> &'static BTreeMap<String, Vec<u8>> {
    &MODEL
}

fn one(name: &str) -> Vec<Vec<u8>> {
    vec![MODEL[name].clone()]
}

/// `config.json` files.
pub fn configs() -> Vec<Vec<u8>> {
    let gpt2 = json!({
        "model_type": "gpt2", "vocab_size": 262, "n_embd": 4, "n_layer": 2, "n_head": 2, "n_positions": 8,
        "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
    });
    [one("config.json"), vec![gpt2.to_string().into_bytes()]].concat()
}

/// `generation_config.json` files.
pub fn generations() -> Vec<Vec<u8>> {
    let mut lists = one("generation_config.json");
    lists.push(br#"{ "bos_token_id": 3, "eos_token_id": [0, 5, 90000] }"#.into());
    lists
}

/// `tokenizer_config.json` files.
pub fn settings() -> Vec<Vec<u8>> {
    let mut settings = one("tokenizer_config.json");
    settings.push(br#"{ "eos_token": { "content": "<|endoftext|>", "lstrip": false } }"#.into());
    settings
}

/// Safetensors files of weights.
pub fn weights() -> Vec<Vec<u8>> {
    one("model.safetensors")
}

/// `training_state.safetensors` files.
pub fn states() -> Vec<Vec<u8>> {
    one("training_state.safetensors")
}

/// Index files of sharded weights.
pub fn indices() -> Vec<Vec<u8>> {
    let map = json!({ "weight_map": { "lm_head.weight": "a.safetensors", "model.norm.weight": "b.safetensors" } });
    vec![map.to_string().into_bytes()]
}

/// `tokenizer.json` files.
pub fn tokenizers() -> Vec<Vec<u8>> {
    one("tokenizer.json")
}

/// `.tiktoken` files.
pub fn ranks() -> Vec<Vec<u8>> {
    let tokens = (0..=255u8).map(|byte| vec![byte]).chain([b"th".to_vec(), b"the".to_vec(), b" the".to_vec()]);
    let lines = tokens.enumerate().map(|(rank, bytes)| format!("{} {rank}\n", BASE64_STANDARD.encode(bytes)));
    vec![lines.collect::<String>().into_bytes()]
}

/// ZIP files of models, stored and compressed.
pub fn zips() -> Vec<Vec<u8>> {
    let files: Vec<(&'static str, Vec<u8>)> =
        MODEL.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in &files {
        writer.start_file(format!("m/{name}"), zip::write::SimpleFileOptions::default()).expect("a name");
        writer.write_all(bytes).expect("there is memory");
    }
    vec![pack(&files).expect("it is small"), writer.finish().expect("it is small").into_inner()]
}

/// Hashes of links.
pub fn links() -> Vec<Vec<u8>> {
    let all = [
        "#view=train&preset=nano&layer=1&head=2&pin=3,4&gamma=0.5&fade=0.1&colors=magma&hide=setup,loss",
        "#preset=tiny&n_layers=3&d_model=96&n_heads=4&max_lr=0.003&norm=layernorm&text=The%20cat&task=reverse",
    ];
    all.map(|link| link.as_bytes().to_vec()).to_vec()
}

/// Timelines of steps.
pub fn traces() -> Vec<Vec<u8>> {
    use glasshead::systems::chrome;
    use glasshead::systems::trace::{HostSpan, HostWork, Phase, Span, Trace, Work};
    let work = |layer| Work { phase: Phase::Backward, layer, tensor: "heads".into(), flops: 1e6, bytes: 4096.0 };
    let span =
        |layer, start_ns| Span { kernel: "matmul_nt".into(), work: work(layer), start_ns, ns: 5.5, least_ns: 1.25 };
    let host = vec![HostSpan { work: HostWork::Submit, start_ns: 0.0, ns: 3.0 }];
    let spans = vec![span(None, 3.0), span(Some(2), 9.0)];
    let trace = Trace { device: "CPU".into(), step: 7, plain_ns: 19.0, wall_ns: 20.0, host, spans };
    vec![chrome::write(&trace, None).to_string().into_bytes()]
}

/// Texts in several encodings.
pub fn texts() -> Vec<Vec<u8>> {
    let text = "Once upon a time, a cat sat — 猫. <|endoftext|>\nThe end.\r\n";
    let utf16 =
        |mark: u16, bytes: fn(u16) -> [u8; 2]| [mark].into_iter().chain(text.encode_utf16()).flat_map(bytes).collect();
    let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    vec![text.into(), marked, utf16(0xfeff, u16::to_le_bytes), utf16(0xfeff, u16::to_be_bytes)]
}

/// JSON Lines files.
pub fn json_lines() -> Vec<Vec<u8>> {
    vec![b"{\"text\": \"one\\n\\u00e9\", \"n\": 12}\n\n{\"text\": \"two\", \"tags\": [[1], {\"a\": null}]}\n".to_vec(),
        b"{\"meta\": {\"text\": \"in\"}, \"text\": \"a \\ud800\", \"n\": NaN, \"m\": [-Infinity, {\"\": [[[[]]]]}]}\n{\"text\": null}\n".to_vec()]
}

/// Rows of prompts with answers, responses and preferences.
pub fn alignment_rows() -> Vec<Vec<u8>> {
    vec![
        b"{\"prompt\": \"1+1=\", \"answer\": 2, \"n\": NaN}\n\n{\"prompt\": \"a\\u00e9\", \"answer\": \"-0.5\"}\n"
            .to_vec(),
        b"{\"prompt\": \"a\", \"response\": \"b\"}\n{\"completion\": \"d\", \"prompt\": \"c\", \"x\": [[{}]]}\n"
            .to_vec(),
        b"{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"\"}\n".to_vec(),
    ]
}

/// Projects of the Align view with one pretrained model.
pub fn alignment_projects() -> Vec<Vec<u8>> {
    let project = |checkpoint: Vec<u8>| {
        let info = json!({ "id": 0, "name": "Run 1", "parent": null, "spec": null, "step": 3, "points": [], "scores": [], "kept": [] });
        let node = json!({ "info": info, "fresh": false, "old_text": [1, 2, 3], "sizes": [checkpoint.len()] });
        let json = json!({ "current": 0, "nodes": [node] }).to_string();
        [b"GHALIGN1", &(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &checkpoint].concat()
    };
    checkpoints().into_iter().map(project).collect()
}

/// Rewards and prompt templates.
pub fn rewards() -> Vec<Vec<u8>> {
    vec![
        b"0.5*exact\n-1e-3*length:20\nregex:^[0-9]+(a|b){2,3}$\nword:dog\npartial".to_vec(),
        b"Q: {prompt}\\nThe answer is: {response}<|endoftext|>".to_vec(),
    ]
}

/// Log files (CSV and JSON Lines), up to step 5.
pub fn log_rows() -> Vec<Vec<u8>> {
    let csv = (1..6).map(|step| format!("{step},{},0.{step},2.5,0.01,1.25,\n", 16 * step)).collect::<String>();
    let csv = format!("step,tokens,seconds,loss,lr,grad_norm,val_loss\n0,0,0.000,,,,2.75\n{csv}5,80,0.500,,,,2.5\n");
    let line = |step| json!({ "step": step, "tokens": 16 * step, "seconds": 0.1, "loss": 2.5 }).to_string() + "\n";
    vec![csv.into_bytes(), (1..6).map(line).collect::<String>().into_bytes()]
}

/// TensorBoard event files up to step 5, in which steps 2 and 3 occur twice.
pub fn event_files() -> Vec<Vec<u8>> {
    let steps = [1, 2, 3].into_iter().chain([2, 3, 4, 5]);
    let scalar = |step: u8| {
        let value = [&[0x0a, 13][..], b"loss/held-out", &[0x15, 0, 0, 0x20, 0x40]].concat();
        let summary = [&[0x0a, value.len() as u8][..], &value].concat();
        [&[0x09][..], &[0; 8], &[0x10, step, 0x2a, summary.len() as u8], &summary].concat()
    };
    let restart = [&[0x09][..], &[0; 8], &[0x10, 2, 0x3a, 2, 0x08, 1]].concat();
    let mut records: Vec<Vec<u8>> = steps.map(scalar).collect();
    records.insert(3, restart);
    vec![records.iter().flat_map(|record| framed(record)).collect()]
}

/// A record in TFRecord framing.
fn framed(record: &[u8]) -> Vec<u8> {
    let checksum = |bytes: &[u8]| {
        let bit = |crc: u32, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        let crc = !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), bit));
        crc.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
    };
    let length = (record.len() as u64).to_le_bytes();
    [&length[..], &checksum(&length), record, &checksum(record)].concat()
}

/// Every supported kind of Parquet file.
pub fn parquets() -> Vec<Vec<u8>> {
    crate::parquet::kinds()
}

fn request(op: &str, args: Value, tensors: &[(&str, Dtype, &[usize])]) -> Vec<u8> {
    let metadata = HashMap::from([("op".into(), json!(op).to_string()), ("args".into(), args.to_string())]);
    let zeros = vec![0u8; 4096];
    let views = tensors.iter().map(|&(name, dtype, shape)| {
        let n_bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        (name, TensorView::new(dtype, shape.to_vec(), &zeros[..n_bytes]).expect("the length is the shape's"))
    });
    safetensors::serialize(views, Some(metadata)).expect("it is small")
}

/// An update of a whole model.
fn policy_step() -> Vec<u8> {
    let (f, i, t) = (Dtype::F32, Dtype::I64, Dtype::BOOL);
    let config = json!({ "model_type": "llama", "vocab_size": 5, "hidden_size": 4, "intermediate_size": 3,
        "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 8 });
    let args = json!({ "config": config, "g": 2, "normalization": "token", "microbatches": 2, "max_grad_norm": 1,
        "optimizer": { "name": "sgd", "lr": 0.1 } });
    let ends = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"];
    let names: Vec<String> = ends.iter().map(|end| format!("model.layers.0.{end}.weight")).collect();
    let mut tensors: Vec<(&str, Dtype, &[usize])> = names.iter().map(|name| (name.as_str(), f, &[4, 4][..])).collect();
    tensors.extend([
        ("model.embed_tokens.weight", f, &[5, 4][..]),
        ("model.norm.weight", f, &[4]),
        ("lm_head.weight", f, &[5, 4]),
        ("model.layers.0.mlp.gate_proj.weight", f, &[3, 4]),
        ("model.layers.0.mlp.up_proj.weight", f, &[3, 4]),
        ("model.layers.0.mlp.down_proj.weight", f, &[4, 3]),
        ("model.layers.0.input_layernorm.weight", f, &[4]),
        ("model.layers.0.post_attention_layernorm.weight", f, &[4]),
        ("input_ids", i, &[2, 3]),
        ("labels", i, &[2, 3]),
        ("response_mask", t, &[2, 3]),
        ("rewards", f, &[2]),
    ]);
    request("policy_step", args, &tensors)
}

/// `glasshead ops` requests, none of which names a file.
pub fn requests() -> Vec<Vec<u8>> {
    let (f, i, t) = (Dtype::F32, Dtype::I64, Dtype::BOOL);
    let square = |name| (name, f, &[4, 4][..]);
    vec![
        request("linear", json!({}), &[("x", f, &[2, 3]), ("w", f, &[4, 3])]),
        request("embedding", json!({}), &[("w", f, &[5, 3]), ("ids", i, &[4])]),
        request("softmax", json!({ "dim": 0 }), &[("x", f, &[2, 4])]),
        request("rope", json!({ "theta": 10.0 }), &[("x", f, &[2, 4]), ("pos", i, &[2])]),
        request(
            "sdpa",
            json!({}),
            &[("q", f, &[2, 3, 4]), ("k", f, &[2, 3, 4]), ("v", f, &[2, 3, 4]), ("mask", t, &[3, 3])],
        ),
        request("flash_fwd", json!({ "causal": true }), &[square("q"), square("k"), square("v")]),
        request("mha", json!({ "h": 2, "theta": 10 }), &["x", "wq", "wk", "wv", "wo"].map(square)),
        request("cross_entropy", json!({}), &[("x", f, &[2, 3]), ("t", i, &[2])]),
        request("clip", json!({ "max": 1 }), &[("a", f, &[]), ("b", f, &[7])]),
        request("get_batch", json!({ "b": 2, "ctx": 3 }), &[("data", i, &[5])]),
        request("lr", json!({ "it": 3, "max": 1, "min": 0.1, "warm": 2, "cyc": 4 }), &[]),
        policy_step(),
        request("tok_new", json!({ "vocab": { "0": "YQ==", "1": "Yg==" }, "merges": [], "special": ["ab"] }), &[]),
    ]
}

const PAGE: &str = "<!DOCTYPE html><html><head><title>t</title><style>p{}</style></head><body><nav><ul><li><a href=a>Home</a></ul></nav>\
    <article class=\"entry-content\"><h1>Apples</h1><p>The tree behind the barn was planted by my grandfather, and write to \
    tom@example.org or call (415) 555-0132 at 192.0.2.1.</p><table><tr><td>1<td>2</table><pre>x</pre></article></body></html>";

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory has room");
    encoder.finish().expect("memory has room")
}

/// WARC archives.
pub fn archives() -> Vec<Vec<u8>> {
    let record = |kind: &str, body: &str| {
        let head = format!(
            "WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: https://a.example/\r\nContent-Length: {}",
            body.len()
        );
        format!("{head}\r\n\r\n{body}\r\n\r\n").into_bytes()
    };
    let response = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{PAGE}");
    let records = [record("warcinfo", "x"), record("response", &response), record("conversion", "some text")];
    vec![records.concat(), records.map(|record| zipped(&record)).concat()]
}

/// JSON Lines with pages.
pub fn page_rows() -> Vec<Vec<u8>> {
    let rows = format!("{}\n{}\n", json!({ "url": "u", "html": PAGE }), json!({ "text": "one. two. three.", "id": 4 }));
    vec![rows.clone().into_bytes(), zipped(rows.as_bytes())]
}

/// HTML pages.
pub fn pages() -> Vec<Vec<u8>> {
    vec![PAGE.into(), PAGE.replace("barn", "b\u{e4}rn").chars().map(|c| c as u8).collect()]
}

/// Requests of the Data view.
pub fn filter_requests() -> Vec<Vec<u8>> {
    use glasshead_filter::settings::Stage;
    use glasshead_filter::wire::{Examples, List, Request, TextOf};
    let changes = [("gopher.min_words", "120"), ("minhash.bands", "10"), ("language.keep", "en, de")];
    let changes = changes.map(|(path, text)| (path.to_string(), text.to_string())).into();
    let list = List { stage: Some(Stage::Gopher), rule: Some("gopher_short_doc".into()), ..List::default() };
    let requests = [
        Request::Settings { changes },
        Request::Generate { seed: 1, bytes: 10_000 },
        Request::Read { names: vec!["b.jsonl".into()], field: "text".into() },
        Request::Rows { list, start: 0, n: 9 },
        Request::Document { at: 1 },
        Request::Cluster { at: 0 },
        Request::Text { of: TextOf::After { stage: Stage::C4 }, hold_out: true },
        Request::Train { good: Examples::Kept, bad: Examples::File { name: "c.txt".into() } },
    ];
    requests.iter().map(|request| serde_json::to_vec(request).unwrap()).collect()
}

/// Settings of filters.
pub fn filter_settings() -> Vec<Vec<u8>> {
    vec![glasshead_filter::settings::Settings::default().to_toml().into_bytes()]
}

/// Classifiers.
pub fn classifiers() -> Vec<Vec<u8>> {
    let (good, bad) = (["a good text about the sea"; 6], ["buy now cheap shoes"; 6]);
    let classifier = glasshead_filter::classify::Classifier::train(&good, &bad, ["good", "bad"], 1);
    vec![classifier.expect("there are enough examples").to_bytes()]
}

/// Tables of runs: nine runs of three budgets.
pub fn run_tables() -> Vec<Vec<u8>> {
    let run = |i: usize| {
        let (c, n) = ([1e18, 1e19, 1e20][i / 3], [2.5e7, 8e7, 2.5e8][i % 3] * [1.0, 2.8, 8.0][i / 3]);
        (n, c, 1.7 + 400.0 / f64::powf(n, 0.34) + 410.0 / f64::powf(c / (6.0 * n), 0.28))
    };
    let runs: Vec<_> = (0..9).map(run).collect();
    let rows = runs.iter().map(|(n, c, loss)| format!("{n},{c:e},{loss}\n"));
    let csv = format!("Model Size,Training FLOP,loss\n{}", rows.collect::<String>());
    let objects: Vec<Value> =
        runs.iter().map(|(n, c, loss)| json!({ "parameters": n, "compute_budget": c, "final_loss": loss })).collect();
    let lines = objects.iter().map(|object| format!("{object}\n")).collect::<String>();
    let columns = json!({ "n": runs.iter().map(|run| run.0).collect::<Vec<_>>(), "flops": runs.iter().map(|run| run.1)
        .collect::<Vec<_>>(), "loss": runs.iter().map(|run| run.2).collect::<Vec<_>>() });
    let texts = [csv, json!(objects).to_string(), json!({ "runs": objects }).to_string(), lines, columns.to_string()];
    texts.map(String::into_bytes).into()
}

/// Plans of sweeps, with and without shared runs.
pub fn plans() -> Vec<Vec<u8>> {
    let request = Request {
        variable: glasshead::scaling::variable::Variable::Size,
        task: Task { vocab_size: 257, context_length: 16 },
        n_budgets: 2,
        budget_ratio: 3.0,
        n_sizes: 3,
        size_ratio: 1.5,
        seeds: vec![1],
        check_factor: 3.0,
    };
    let plan = |schedule| {
        let lr = LrRule { n_params: 40_000.0, lr: 0.02, exponent: 0.5 };
        let mut speed = Speed::default();
        speed.add(10_000, 1e5);
        let settings = RunSettings { train: TrainSettings { batch_size: 4, schedule, lr }, speed };
        let plan = Plan::for_flops(&request, &settings, 1e10).expect("there are shapes");
        serde_json::to_vec(&plan).expect("it is JSON")
    };
    [Schedule::Cosine, Schedule::Wsd].map(plan).into()
}

/// Results of runs.
pub fn run_results() -> Vec<Vec<u8>> {
    let point = Point { budget: 1e10, tokens: 100_000, loss: 2.5 };
    let result = RunResult { id: "n5000-s1".into(), outcome: Outcome::Done, points: vec![point, point], seconds: 3.5 };
    vec![serde_json::to_vec(&result).expect("it is JSON")]
}
