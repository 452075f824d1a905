//! The project's texts use the field's words: some others must not come back.

use std::fs;
use std::path::{Path, PathBuf};

/// Words and phrases, in lower case, with what to write instead.
const BANNED: &[(&str, &str)] = &[
    ("whoever", "the user, or make the program the subject"),
    ("anew", "again"),
    ("so many", "N, or the number"),
    ("what there is", "available"),
    ("take along", "export"),
    ("taken along", "exported"),
    ("let go of", "unpin, release"),
    ("kept by themselves", "autosaves"),
    ("heads taken together", "aggregate"),
    ("numbers of 16 bits", "f16"),
    ("runs away", "diverges"),
    ("crew", "worker pool"),
];

/// Files that quote other texts: generated stories, and this list.
const EXCEPT: [&str; 2] = ["src/data/corpus/", "tests/wording.rs"];

fn texts(path: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if entry.is_dir() {
            if !["node_modules", "target", "golden", "fixtures"].contains(&name.as_str()) && !name.starts_with('.') {
                texts(&entry, found);
            }
        } else if ["rs", "md", "wgsl", "mjs", "js", "html", "css"].iter().any(|end| name.ends_with(&format!(".{end}")))
        {
            found.push(entry);
        }
    }
}

/// Whether `line` has `phrase` between word boundaries.
fn has(line: &str, phrase: &str) -> bool {
    let letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    line.match_indices(phrase).any(|(at, _)| {
        let bytes = line.as_bytes();
        !letter(at.checked_sub(1).and_then(|before| bytes.get(before))) && !letter(bytes.get(at + phrase.len()))
    })
}

#[test]
fn banned_words_do_not_come_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    texts(root, &mut files);
    assert!(files.len() > 300, "only {} files were found", files.len());
    let mut found = Vec::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        if EXCEPT.iter().any(|except| name.starts_with(except)) {
            continue;
        }
        for (number, line) in fs::read_to_string(&file).unwrap().to_lowercase().lines().enumerate() {
            let banned = BANNED.iter().filter(|(phrase, _)| has(line, phrase));
            found.extend(banned.map(|(phrase, instead)| format!("{name}:{}: {phrase:?}; write {instead}", number + 1)));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn upper_and_lower_bounds_are_max_and_min() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    ["src", "page/src", "cpu/src", "filter/src", "xtask/src"]
        .iter()
        .for_each(|folder| texts(&root.join(folder), &mut files));
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let old = ["const MOST_", "const LEAST_"].iter().find(|name| text.contains(**name));
        assert_eq!(old, None, "{}: name bounds MAX_… and MIN_…", file.display());
    }
}
