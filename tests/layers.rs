//! Layer dependencies point one way: the names that each layer may not use.

use std::fs;
use std::path::{Path, PathBuf};

const FORBIDDEN: [(&str, &[&str]); 7] = [
    ("gpu", &["ops", "lesson", "model", "train", "data", "worker", "cli", "protocol"]),
    ("lesson", &["model", "train", "data", "worker", "cli"]),
    ("ops", &["lesson", "model", "train", "data", "worker", "cli", "protocol"]),
    ("model", &["lesson", "train", "data", "worker", "cli", "protocol"]),
    ("interop", &["gpu", "lesson", "train", "worker", "cli", "protocol"]),
    ("data", &["gpu", "ops", "model", "train", "worker", "cli"]),
    ("protocol.rs", &["gpu", "ops", "lesson", "model", "train", "data", "worker", "cli"]),
];

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.into()];
    }
    let entries = fs::read_dir(path).unwrap();
    entries.flat_map(|entry| files(&entry.unwrap().path())).collect()
}

#[test]
fn no_layer_names_one_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (layer, others) in FORBIDDEN {
        for file in files(&src.join(layer)) {
            let text = fs::read_to_string(&file).unwrap();
            for other in others {
                let named = text.contains(&format!("crate::{other}::")) || text.contains(&format!("crate::{{{other}"));
                assert!(!named, "{} names {other}", file.display());
            }
        }
    }
}

/// The modules of the library that the page's library may use: plain data and messages.
const FOR_THE_PAGE: [&str; 4] = ["accounting", "config", "interop", "protocol"];

#[test]
fn the_page_uses_plain_data_and_messages_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("page/src");
    for file in files(&src).into_iter().filter(|file| !file.ends_with("main.rs")) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("glasshead::{"), "{}: one path per `use`", file.display());
        for (at, name) in text.match_indices("glasshead::") {
            let module = text[at + name.len()..].split("::").next().unwrap();
            assert!(FOR_THE_PAGE.contains(&module), "{} uses {module}", file.display());
        }
    }
}

#[test]
fn what_the_compiler_cannot_check_stands_in_one_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [src, cpu, page] = ["src", "cpu/src", "page/src"].map(|folder| root.join(folder));
    let says_unsafe = |file: &PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        text.contains("unsafe {") || text.contains("unsafe fn") || text.contains("allow(unsafe_code)")
    };
    let found: Vec<PathBuf> = [&src, &cpu, &page].iter().flat_map(|path| files(path)).filter(says_unsafe).collect();
    assert_eq!(found, [cpu.join("unchecked.rs")]);
}
