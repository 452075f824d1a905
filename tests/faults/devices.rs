//! GPUs lost during training: `--lose-device` destroys them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use glasshead::train::checkpoint::rotation;
use glasshead::train::trainer::TrainingState;
use serde_json::Value;

/// Trains a small, fast model. Kernels are measured once for all runs of a folder, so that the runs repeat to the bit.
fn train(folder: &Path, out: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glasshead"));
    command.env("XDG_CACHE_HOME", folder.join("cache"));
    command.args(["train", "--eval-every", "10", "--save-every", "1e6"]);
    for change in ["d_model=16", "n_layers=1", "n_heads=2", "d_ff=16", "context_length=16", "batch_size=2"] {
        if !more.contains(&"--resume") {
            command.args(["--set", change]);
        }
    }
    command.args(["--out", &folder.join(out).display().to_string()]).args(more);
    command.output().unwrap()
}

fn text(folder: &Path) -> String {
    let path = folder.join("text.txt");
    fs::write(&path, "The cat sat on the mat, and the dog sat on the log. ".repeat(100)).unwrap();
    path.display().to_string()
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

fn state(folder: &Path, out: &str) -> TrainingState {
    rotation::load(&folder.join(out)).map_err(|error| error.to_string()).unwrap().checkpoint.state
}

#[test]
fn a_lost_gpu_is_replaced_while_it_trains_on_a_file_and_the_log_holds_every_step_once() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, text) = (folder.path(), text(folder.path()));
    let log = folder.join("log");
    let log_dir = log.display().to_string();
    let run = ["--text", &text, "--set", "vocab_size=260", "--steps", "120", "--json", "--log-dir", &log_dir];
    let losses = ["train@12", "evaluate@30", "train@70", "save@100"].map(|moment| ["--lose-device", moment]);
    let output = train(folder, "model", &[&run[..], &losses.concat()].concat());
    assert!(output.status.success(), "{}", words(&output.stderr));
    // Snapshots are taken at the beginning and with each save: at 50 and 100.
    let told = json_lines(&words(&output.stdout));
    let notices: Vec<(u64, &str)> =
        told.iter().filter_map(|line| Some((line["step"].as_u64()?, line["notice"].as_str()?))).collect();
    assert_eq!(notices.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [0, 0, 50, 50], "{notices:?}");
    for (n, (step, notice)) in (1..).zip(&notices) {
        let on = if n > 3 { "on the CPU".into() } else { format!("on a new device (loss {n};") };
        assert!(notice.starts_with("The GPU was lost") && notice.contains(&on), "{notice}");
        assert!(notice.contains(&format!("from step {step},")), "{notice}");
    }
    let last = told.last().unwrap();
    assert_eq!((last["step"].as_u64(), last["baselines"].is_object()), (Some(120), true), "{last}");
    assert_eq!(state(folder, "model").step, 120);
    // The token file was written once.
    let tokens = fs::read_dir(folder.join("model")).unwrap();
    let tokens =
        tokens.filter(|entry| words(entry.as_ref().unwrap().file_name().as_encoded_bytes()).starts_with("tok"));
    assert_eq!(tokens.count(), 1);

    let lines = json_lines(&fs::read_to_string(log.join("log.jsonl")).unwrap());
    let steps = |field: &str| -> Vec<u64> {
        lines.iter().filter(|line| line[field].is_number()).map(|line| line["step"].as_u64().unwrap()).collect()
    };
    assert_eq!(steps("loss"), (1..=120).collect::<Vec<_>>());
    assert_eq!(steps("val_loss"), (0..=120).step_by(10).collect::<Vec<_>>());
    let seconds: Vec<f64> = lines.iter().map(|line| line["seconds"].as_f64().unwrap()).collect();
    assert!(seconds.is_sorted(), "what was spent on steps that are lost counts: {seconds:?}");
    let csv = fs::read_to_string(log.join("log.csv")).unwrap();
    let rows: Vec<u64> = csv.lines().skip(1).map(|row| row.split(',').next().unwrap().parse().unwrap()).collect();
    assert_eq!(rows, lines.iter().map(|line| line["step"].as_u64().unwrap()).collect::<Vec<_>>());
    let mut paths = fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().path());
    let events = paths.find(|path| path.to_string_lossy().contains("tfevents")).unwrap();
    let restart = |step: u8| [0x10, step, 0x3a, 2, 0x08, 1];
    let events = fs::read(events).unwrap();
    let restarts = |step: u8| events.windows(6).filter(|bytes| *bytes == restart(step)).count();
    assert_eq!((restarts(1), restarts(51)), (2, 2), "TensorBoard is told what no longer holds");
}

#[test]
fn a_run_that_loses_its_gpu_in_all_it_does_ends_as_one_that_never_did() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = ["--task", "copy", "--steps", "60"];
    let output = train(folder, "whole", &run);
    assert!(output.status.success(), "{}", words(&output.stderr));
    for (out, losses, back) in [
        ("one", ["score@20", "sample@50", "train@50"], [0, 50, 50]),
        ("other", ["evaluate@0", "save@50", "sample@60"], [0, 0, 60]),
    ] {
        let losses = losses.map(|moment| ["--lose-device", moment]).concat();
        let output = train(folder, out, &[&run[..], &losses].concat());
        let said = words(&output.stderr);
        assert!(output.status.success(), "{said}");
        let notices: Vec<&str> = said.lines().filter(|line| line.contains("goes on by itself")).collect();
        assert_eq!(notices.len(), 3, "{said}");
        for (notice, step) in notices.iter().zip(back) {
            assert!(notice.contains("on a new device") && notice.contains(&format!("from step {step},")), "{said}");
        }
        assert!(words(&output.stdout).contains("stopped because 60 steps are done"), "{}", words(&output.stdout));
        assert!(state(folder, out) == state(folder, "whole"), "{out}: the states differ");
    }
}

#[test]
fn a_resumed_run_goes_back_to_where_it_was_resumed_and_time_that_was_lost_was_spent() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, text) = (folder.path(), text(folder.path()));
    let output = train(folder, "model", &["--text", &text, "--set", "vocab_size=260", "--steps", "15"]);
    assert!(output.status.success(), "{}", words(&output.stderr));
    let model = folder.join("model").display().to_string();
    let rates = ["--set", "max_lr=0.002", "--set", "min_lr=0.001"];
    let resumed = ["--text", &text, "--resume", &model, "--steps", "40", "--json"];
    let output = train(folder, "whole", &[&resumed[..], &rates].concat());
    assert!(output.status.success(), "{}", words(&output.stderr));
    let output = train(folder, "lost", &[&resumed[..], &rates, &["--lose-device", "train@30"]].concat());
    assert!(output.status.success(), "{}", words(&output.stderr));
    assert!(words(&output.stdout).contains("from step 15, where"), "{}", words(&output.stdout));
    assert!(state(folder, "lost") == state(folder, "whole"), "with the learning rates that were set");

    // Repeated training counts toward the limit: both attempts together take the requested time.
    let log = folder.join("log");
    let run = ["--text", &text, "--set", "vocab_size=260", "--steps", "100000000", "--log-dir"];
    let limits = ["--stop-seconds", "2", "--lose-device", "train@40"];
    let output = train(folder, "timed", &[&run[..], &[&log.display().to_string()], &limits].concat());
    assert!(output.status.success(), "{}", words(&output.stderr));
    let lines = json_lines(&fs::read_to_string(log.join("log.jsonl")).unwrap());
    let of = |line: &Value, field: &str| line[field].as_f64().unwrap();
    let (first, last) = (lines.iter().find(|line| line["loss"].is_number()).unwrap(), lines.last().unwrap());
    let seconds_per_step = (of(last, "seconds") - of(first, "seconds")) / (of(last, "step") - of(first, "step"));
    assert!(of(first, "step") == 1.0 && of(last, "seconds") >= 2.0, "{first} {last}");
    // Not all forty: steps differ in time, most of all on a busy machine. Without them it would be one step.
    assert!(of(first, "seconds") > 10.0 * seconds_per_step, "forty steps were done before: {first} {last}");
}
