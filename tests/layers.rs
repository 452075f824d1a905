//! Layer dependencies point one way.

use std::fs;
use std::path::{Path, PathBuf};

use modules::{circles, graph, layers_of};

mod modules;

/// All modules of the library, from the lowest layer on; a module may name only those of lower layers.
const LAYERS: [&[&str]; 19] = [
    &["config", "rng", "tensor_file"],
    &["types"],
    &["accounting"],
    &["scaling"],
    &["systems"],
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
const FORBIDDEN: [(&str, &[&str]); 13] = [
    ("types", &["rng"]),
    ("scaling", &["types", "tensor_file"]),
    ("systems", &["rng", "tensor_file", "types", "accounting", "scaling"]),
    ("align", &["wire"]),
    ("gpu", &["wire", "data", "align"]),
    ("ops", &["wire", "data", "align"]),
    ("lesson", &["wire", "data"]),
    ("model", &["lesson", "wire"]),
    ("interop", &["gpu", "lesson", "wire"]),
    ("parallel", &["lesson", "wire", "data"]),
    ("train", &["lesson", "wire"]),
    ("inspect", &["lesson"]),
    ("run", &["lesson", "wire", "inspect"]),
];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.into()];
    }
    let entries = fs::read_dir(path).unwrap();
    let found = entries.flat_map(|entry| files(&entry.unwrap().path()));
    found.filter(|file| file.extension().is_some_and(|end| end == "rs")).collect()
}

#[test]
fn every_module_has_a_layer() {
    let mut listed = LAYERS.concat();
    listed.sort_unstable();
    assert_eq!(listed, layers_of(&src()));
}

#[test]
fn no_layer_names_one_above_it() {
    let layer =
        |name: &str| LAYERS.iter().position(|modules| modules.contains(&name)).expect("every module has a layer");
    let mut n_arrows = 0;
    for (module, named) in graph(&src()) {
        let Some(own) = module.first() else { continue };
        for other in named.iter().filter_map(|path| path.first()).filter(|other| *other != own) {
            n_arrows += 1;
            let forbidden = FORBIDDEN.iter().any(|(layer, names)| layer == own && names.contains(&other.as_str()));
            assert!(layer(other) < layer(own) && !forbidden, "{} names {other}", module.join("::"));
        }
    }
    assert!(n_arrows > 300, "only {n_arrows} arrows were found");
}

#[test]
fn modules_import_each_other_in_no_circle() {
    assert_eq!(circles(&graph(&src())), Vec::<Vec<String>>::new(), "modules that import each other");
}

/// The modules of the library that the page's library may use: plain data and messages.
const FOR_THE_PAGE: [&str; 7] = ["accounting", "config", "interop", "scaling", "systems", "types", "wire"];

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

/// The base of the page, which no view may be named in.
const BASE: [&str; 3] = ["core", "state", "draw"];
const VIEWS: [&str; 11] = [
    "app",
    "shell",
    "train",
    "runs",
    "runs_drawer",
    "settings",
    "menus",
    "help",
    "palette",
    "experiments",
    "tokenizer",
];

#[test]
fn the_base_of_the_page_names_no_view() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("page/src");
    for base in BASE {
        for file in files(&src.join(base)) {
            let text = fs::read_to_string(&file).unwrap();
            for view in VIEWS {
                assert!(!text.contains(&format!("crate::{view}::")), "{} names {view}", file.display());
            }
        }
    }
}

/// Where messages take the place of errors: the command line, and where the page gets files and workers from the browser.
const EDGES: [&str; 5] =
    ["src/cli", "page/src/core", "page/src/data/helpers.rs", "page/src/data/source.rs", "page/src/systems/compare.rs"];

#[test]
fn errors_are_typed_up_to_the_edges() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["src", "page/src", "filter/src", "cpu/src"].iter().flat_map(|folder| files(&root.join(folder))) {
        if EDGES.iter().any(|edge| file.starts_with(root.join(edge))) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices("Result<") {
            let line = text[at..].lines().next().unwrap_or_default();
            assert!(!is_message(&text[at + "Result<".len()..]), "{}: {line}", file.display());
        }
    }
    assert!(is_message("Vec<u8>, String>") && is_message("(A, B), std::string::String>"));
    assert!(!is_message("(String, String), Error>") && !is_message("String>"));
}

/// Whether the second argument of a list of type arguments is `String`.
fn is_message(arguments: &str) -> bool {
    let (mut depth, mut start) = (0, None);
    for (at, character) in arguments.char_indices() {
        match character {
            '<' | '(' | '[' => depth += 1,
            ',' if depth == 0 => start = Some(at + 1),
            '>' if depth == 0 => return start.is_some_and(|start| arguments[start..at].trim().ends_with("String")),
            '>' | ')' | ']' => depth -= 1,
            _ => (),
        }
    }
    false
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
