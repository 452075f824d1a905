//! `glasshead data`: from generated pages to training text, and messages for what cannot be done.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn data(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glasshead"));
    command.current_dir(folder).arg("data").args(arguments.split_whitespace()).output().unwrap()
}

/// Standard output of a command that succeeds.
fn done(folder: &Path, arguments: &str) -> String {
    let output = data(folder, arguments);
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn pages_become_training_text() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, "generate --out pages.warc.gz --labels labels.jsonl --megabytes 3 --seed 5");
    let settings = done(folder, "settings")
        .replace("[phrases]\nenabled = false\nphrases = []", "[phrases]\nenabled = true\nphrases = [\"[insult]\"]");
    assert!(settings.contains("[insult]"), "{settings}");
    fs::write(folder.join("settings.toml"), settings).unwrap();
    let summary: Value =
        serde_json::from_str(&done(folder, "run settings.toml --in pages.warc.gz --out run --json")).unwrap();
    let (documents, kept) = (&summary["funnel"]["documents"], summary["funnel"]["kept"].as_u64().unwrap());
    assert!(kept * 10 > documents.as_u64().unwrap() * 4, "{summary}");
    let share = |text: &str, before: &str, after: &str| -> f64 {
        text.split_once(before).unwrap().1.split_once(after).unwrap().0.trim().parse().unwrap()
    };
    let labels = done(folder, "labels run --pages labels.jsonl");
    assert!(share(&labels, "good kept", "%") >= 98.0 && share(&labels, "bad dropped", "%") >= 95.0, "{labels}");
    // Longer documents only.
    let strict =
        fs::read_to_string(folder.join("settings.toml")).unwrap().replace("min_words = 50.0", "min_words = 100.0");
    fs::write(folder.join("strict.toml"), strict).unwrap();
    done(folder, "run strict.toml --in pages.warc.gz --out strict");
    let compared = done(folder, "compare run strict");
    assert!(compared.contains("the other drops by gopher: gopher_short_doc"), "{compared}");
    let explained = done(folder, "explain pages.warc.gz --id 3 --settings strict.toml");
    assert!(explained.contains("gopher_short_doc") && explained.contains("language"), "{explained}");
    let rows = fs::read_to_string(folder.join("run/kept.jsonl")).unwrap();
    assert_eq!(rows.lines().count() as u64, kept);
    done(folder, "classifier --positive run/kept.jsonl --negative labels.jsonl --out quality.model");
    fs::write(folder.join("quality.toml"), "[quality]\nenabled = true\nmodel = \"quality.model\"\n").unwrap();
    done(folder, "run quality.toml --in pages.warc.gz --out classified");
}

#[test]
fn what_cannot_be_done_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("wrong.toml"), "[gopher]\nmin_wrds = 3\n").unwrap();
    fs::write(folder.join("empty.toml"), "").unwrap();
    fs::write(folder.join("a.jsonl"), "{\"text\":\"one\"}\n").unwrap();
    fs::write(folder.join("a.pdf"), "%PDF-1.7").unwrap();
    for (arguments, expected) in [
        ("run wrong.toml --in a.jsonl --out out", "unknown field `min_wrds`"),
        ("run none.toml --in a.jsonl --out out", "none.toml: there is no such file"),
        ("run empty.toml --in none.jsonl --out out", "none.jsonl: there is no such file"),
        ("run empty.toml --in a.pdf --out out", "a.pdf is a PDF"),
        ("explain a.jsonl --id 7", "a.jsonl has no document 7"),
        ("compare out out", "decisions.jsonl: there is no such file"),
        ("classifier --positive a.jsonl --negative a.jsonl --out c", "needs at least 5 positive examples"),
    ] {
        let output = data(folder, arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains(expected), "{arguments}: {message}");
        assert!(!message.contains("os error") && !message.contains("panicked"), "{arguments}: {message}");
    }
}
