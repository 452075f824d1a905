//! The command line and the page convert the same bytes to the same tokens.

use std::cell::RefCell;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command as Program;
use std::rc::Rc;

use glasshead::config::{Preset, RunConfig};
use glasshead::data::{open_files, read_files, stories};
use glasshead::serve::Session;
use glasshead::types::{BackendChoice, CorpusChoice, FileInfo, RunSummary, VocabularyChoice};
use glasshead::wire::Message;
use glasshead::wire::data::DataCommand;
use glasshead::wire::{Command, Event};
use parquet::basic::Compression;
use pollster::block_on;
use serde_json::json;

/// Fields of a model that trains fast.
const SMALL: [(&str, &str); 8] = [
    ("vocab_size", "300"),
    ("d_model", "8"),
    ("n_layers", "1"),
    ("n_heads", "2"),
    ("d_ff", "8"),
    ("context_length", "8"),
    ("batch_size", "2"),
    ("schedule_steps", "5"),
];

/// Files by name, and the field that contains their texts.
type Files = (Vec<(&'static str, Vec<u8>)>, &'static str);

fn rows(field: &str, from: usize, n: usize) -> Vec<u8> {
    let text = stories(5, 40_000);
    let texts = text.split("<|endoftext|>\n").skip(from).take(n).enumerate();
    let row = |(at, text): (usize, &str)| match at % 7 {
        3 => json!({ "id": at, field: null }),
        5 => json!({ "id": at }),
        _ => json!({ "id": at, field: text }),
    };
    texts
        .map(|row_of| row(row_of).to_string().replace("\"id\":0", "\"id\":NaN") + "\n")
        .collect::<String>()
        .into_bytes()
}

fn cases() -> Vec<Files> {
    let utf16: Vec<u8> = format!("\u{feff}{}", stories(6, 9_000)).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xef\xbb\xbf", stories(7, 5_000).as_bytes()].concat();
    let lines = "the cat sat on the mat é\n".repeat(300).into_bytes();
    let nested = String::from_utf8(rows("text", 4, 30)).unwrap();
    let nested: String = nested.lines().map(|row| format!("{{\"meta\": {row}}}\n")).collect();
    vec![
        (vec![("a.jsonl", rows("text", 0, 20)), ("b.jsonl", rows("text", 20, 20))], "text"),
        (
            vec![("a.txt", lines.clone()), ("b.txt", marked), ("c.ndjson", rows("story", 0, 9)), ("d.txt", utf16)],
            "story",
        ),
        (vec![("rows.json", nested.into_bytes())], "meta.text"),
        (vec![("lines.txt", lines)], "text"),
        (
            vec![
                ("c.parquet", crate::parquet::file(|it| it.set_compression(Compression::SNAPPY), 200)),
                ("a.txt", stories(8, 9_000).into()),
            ],
            "text",
        ),
    ]
}

/// The page's results for the files: the text's summary, and the losses of five steps.
fn page(files: &[(&str, Vec<u8>)], field: &str) -> (RunSummary, Vec<f32>, Vec<String>) {
    let heard: Rc<RefCell<Vec<Message>>> = Rc::default();
    let sink = heard.clone();
    let mut session =
        Session::new(Box::new(move |event, bytes| sink.borrow_mut().push((event, bytes))), Box::new(|| 0.0));
    let mut config = Preset::Nano.config();
    SMALL.iter().for_each(|(name, value)| config.set(name, value).unwrap());
    config.train.warmup_steps = 0;
    let (mut infos, mut bytes) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let info = |size, fields| FileInfo { name: name.to_string(), size, fields };
        if name.ends_with(".parquet") {
            // As on the page, which does this in a separate worker.
            let read = glasshead::data::read_parquet(content.clone(), Some(field)).unwrap();
            infos.push(info(read.text.len(), read.fields));
            bytes.extend(read.text.into_bytes());
        } else {
            infos.push(info(content.len(), Vec::new()));
            bytes.extend(content);
        }
    }
    block_on(async {
        session.handle(Command::LoadFiles { files: infos }, Some(bytes)).await;
        session.handle(Command::Data(DataCommand::ChooseField { field: field.into() }), None).await;
        let (corpus, vocabulary, probe) = (CorpusChoice::File, VocabularyChoice::Trained, "a cat".to_string());
        let start = Command::Start { run: 1, config, corpus, vocabulary, backend: BackendChoice::Cpu, probe };
        session.handle(start, None).await;
        for _ in 0..5 {
            session.handle(Command::Step, None).await;
            while session.work().await {}
        }
    });
    let (mut summary, mut losses, mut notices) = (None, Vec::new(), Vec::new());
    for (event, _) in heard.borrow().iter() {
        match event {
            Event::Ready { summary: ready, .. } => summary = Some(RunSummary::clone(ready)),
            Event::Progress { points, .. } => losses.extend(points.iter().map(|point| point.loss)),
            Event::Notice { message, .. } => notices.push(message.clone()),
            Event::Failed { message, .. } => panic!("{message}"),
            _ => (),
        }
    }
    (summary.unwrap(), losses, notices)
}

/// The command line's results for the files: its report, the losses, and the notices.
fn command_line(folder: &Path, files: &[(&str, Vec<u8>)], field: &str) -> (Vec<f32>, String) {
    let mut program = Program::new(env!("CARGO_BIN_EXE_glasshead"));
    program.args(["--threads", "1", "train", "--backend", "cpu", "--json", "--steps", "5", "--field", field, "--out"]);
    program.arg(folder.join("model"));
    for (name, _) in files {
        program.arg("--text").arg(folder.join(name));
    }
    for (name, value) in SMALL.iter().chain(&[("warmup_steps", "0")]) {
        program.args(["--set", &format!("{name}={value}")]);
    }
    let output = program.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let rows = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let losses = rows.filter(|row| row["val_loss"].is_null()).map(|row| row["loss"].as_f64().unwrap() as f32);
    (losses.collect(), said)
}

#[test]
fn the_page_and_the_command_line_train_on_the_same_tokens() {
    for (files, field) in cases() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        files.iter().for_each(|(name, bytes)| fs::write(folder.path().join(name), bytes).unwrap());
        let paths: Vec<_> = names.iter().map(|name| folder.path().join(name)).collect();
        let mut on_disk = String::new();
        let mut reader = open_files(&paths, Some(field)).unwrap();
        reader.read_to_string(&mut on_disk).unwrap();
        if !names.iter().any(|name| name.ends_with(".parquet")) {
            let in_memory: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, &bytes[..])).collect();
            let in_memory = read_files(&in_memory, Some(field)).unwrap();
            assert!(
                (in_memory.text, in_memory.skipped) == (on_disk.clone(), reader.skipped()),
                "{names:?}: the texts differ"
            );
        }
        assert!(!on_disk.contains("<|endoftext|>\n<|endoftext|>"), "{names:?}: two ends in a row");

        let (summary, losses, notices) = page(&files, field);
        let (expected, said) = command_line(folder.path(), &files, field);
        assert_eq!(losses.len(), 5);
        assert_eq!(losses, expected, "{names:?}: the losses differ");
        assert_eq!(summary.corpus_bytes, on_disk.len(), "{names:?}");
        let n_tokens = fs::read_dir(folder.path().join("model")).unwrap().map(|entry| entry.unwrap());
        let tokens = n_tokens.filter(|entry| entry.file_name().to_string_lossy().starts_with("tokens-"));
        let bytes: u64 = tokens.map(|entry| entry.metadata().unwrap().len()).sum();
        assert_eq!((summary.train_tokens + summary.val_tokens) as u64 * 2, bytes, "{names:?}: as many tokens");
        let skipped = |text: &str| text.contains("skipped: without text in the field");
        if !names.iter().any(|name| name.ends_with(".parquet")) {
            assert_eq!(notices.iter().any(|notice| skipped(notice)), reader.skipped() > 0, "{names:?}: {notices:?}");
        }
        assert_eq!(skipped(&said), reader.skipped() > 0, "{names:?}: {said}");
    }
}

/// Both use the same configuration.
#[test]
fn the_small_model_is_valid() {
    let mut config: RunConfig = Preset::Nano.config();
    SMALL.iter().for_each(|(name, value)| config.set(name, value).unwrap());
    config.train.warmup_steps = 0;
    assert_eq!(config.validate(), Ok(()));
}
