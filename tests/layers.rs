//! Layer dependencies point one way.

use std::fs;
use std::path::{Path, PathBuf};

/// All layers, from the lowest on, and the modules that no layer below them may name.
const LAYERS: [&[&str]; 18] = [
    &["config", "rng", "tensor_file"],
    &["types"],
    &["accounting"],
    &["scaling"],
    &["wire"],
    &["data"],
    &["align"],
    &["gpu"],
    &["ops"],
    &["lesson"],
    &["model"],
    &["interop"],
    &["parallel"],
    &["train"],
    &["inspect"],
    &["run"],
    &["serve"],
    &["worker", "cli"],
];

/// Further restrictions: a layer, and the layers below it that it may not name.
const FORBIDDEN: [(&str, &[&str]); 11] = [
    ("config", &["rng", "tensor_file"]),
    ("types", &["rng"]),
    ("scaling", &["types", "tensor_file"]),
    ("align", &["wire"]),
    ("gpu", &["wire", "data", "align"]),
    ("ops", &["wire", "data", "align"]),
    ("lesson", &["wire", "data"]),
    ("model", &["lesson", "wire"]),
    ("interop", &["gpu", "lesson", "wire"]),
    ("parallel", &["lesson", "wire", "data"]),
    ("train", &["lesson", "wire"]),
];

/// The files of a module.
fn module_files(name: &str) -> Vec<PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (file, folder) = (src.join(format!("{name}.rs")), src.join(name));
    [file, folder].iter().filter(|path| path.exists()).flat_map(|path| files(path)).collect()
}

fn assert_unnamed(layer: &str, others: &[&str]) {
    for file in module_files(layer) {
        let text = fs::read_to_string(&file).unwrap();
        for other in others {
            let named = text.contains(&format!("crate::{other}::")) || text.contains(&format!("crate::{{{other}"));
            assert!(!named, "{} names {other}", file.display());
        }
    }
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.into()];
    }
    let entries = fs::read_dir(path).unwrap();
    entries.flat_map(|entry| files(&entry.unwrap().path())).collect()
}

#[test]
fn no_layer_names_one_above_it() {
    for (index, modules) in LAYERS.iter().enumerate() {
        let above: Vec<&str> = LAYERS[index + 1..].concat();
        modules.iter().for_each(|module| assert_unnamed(module, &above));
    }
    FORBIDDEN.iter().for_each(|(layer, others)| assert_unnamed(layer, others));
}

/// The modules of the library that the page's library may use: plain data and messages.
const FOR_THE_PAGE: [&str; 5] = ["accounting", "config", "interop", "types", "wire"];

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
