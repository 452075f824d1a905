//! The systems commands as programs: a trace and its comparison, memory, collectives, and training on ranks.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use glasshead::systems::chrome;
use serde_json::Value;

const SMALL: &str = "--set d_model=16 --set n_layers=3 --set n_heads=2 --set d_ff=16 --set context_length=16 --set batch_size=4 --set vocab_size=300";

fn glasshead(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glasshead"));
    command.current_dir(folder).args(["--threads", "1"]).args(arguments.split_whitespace()).output().unwrap()
}

fn json(folder: &Path, arguments: &str) -> Value {
    let output = glasshead(folder, arguments);
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments}: {error}"))
}

fn refused(folder: &Path, arguments: &str, expected: &str) {
    let output = glasshead(folder, arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments}: {message}");
    assert!(message.contains(expected) && !message.contains("panicked"), "{arguments}: {message}");
}

#[test]
fn a_profile_writes_a_trace_and_compares_two() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let report = json(folder, &format!("profile --backend cpu {SMALL} --trace before.json --json"));
    let number = |key: &str| report[key].as_f64().unwrap();
    assert!((number("sum_ms") / number("profiled_ms") - 1.0).abs() < 0.05, "{report}");
    assert!((number("planned_bytes") / number("allocated_bytes") - 1.0).abs() < 0.05, "{report}");
    let trace = chrome::read(&fs::read_to_string(folder.join("before.json")).unwrap()).unwrap();
    assert_eq!(trace.spans.len() as u64, report["dispatches"].as_u64().unwrap());
    let report =
        json(folder, &format!("profile --backend cpu {SMALL} --set checkpoint_every=1 --compare before.json --json"));
    let changes = report["changes"].as_array().unwrap();
    let times = |name: &str| changes.iter().find(|row| row["name"] == name).map(|row| row["times"].clone()).unwrap();
    assert_eq!(times("adamw"), serde_json::json!([1, 1]));
    let [before, after] = [0, 1].map(|side| times("swiglu")[side].as_u64().unwrap());
    assert_eq!([before, after], [3, 5], "two of three blocks are computed again");
    assert!(report["phases_ms"]["recompute"].as_f64().unwrap() > 0.0);
    fs::write(folder.join("other.json"), "{}").unwrap();
    refused(folder, &format!("profile --backend cpu {SMALL} --compare other.json"), "no Glasshead trace");
    refused(folder, "profile --backend cpu --set d_model=7", "d_model");
    let text = glasshead(folder, &format!("profile --backend cpu {SMALL} --compare before.json"));
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        ["forward", "idle: host prepares", "sum", "largest changes first"].iter().all(|part| text.contains(part)),
        "{text}"
    );
}

#[test]
fn memory_is_measured_for_every_number_of_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let report = json(folder.path(), &format!("bench memory --backend cpu {SMALL} --every 0,1,2 --runs 2 --json"));
    let rows = report["memory"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row["same_bits"] == true), "{report}");
    let activations: Vec<f64> = rows.iter().map(|row| row["activations_mib"].as_f64().unwrap()).collect();
    assert!(activations[1] < activations[2] && activations[2] < activations[0], "{activations:?}");
}

#[test]
fn collectives_are_measured_on_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let report = json(
        folder.path(),
        &format!("bench collectives {SMALL} --ranks 2 --links tcp --steps 2 --mb-per-s 100 --json"),
    );
    for row in report["strategies"].as_array().unwrap() {
        assert_eq!(row["equal_bits"], true, "{row}");
        assert!(row["largest_difference"].as_f64().unwrap() < 1e-3, "{row}");
    }
    assert_eq!(report["strategies"].as_array().unwrap().len(), 6);
    for row in report["collectives"].as_array().unwrap() {
        let [took, formula] = ["ms", "formula_ms"].map(|key| row[key].as_f64().unwrap());
        assert!(took >= 0.9 * formula, "a link is never faster than it is set to: {row}");
    }
    for row in report["bounds"].as_array().unwrap() {
        assert!((row["ratio"].as_f64().unwrap() - 1.0).abs() < 0.15, "{row}");
    }
    refused(folder.path(), &format!("bench collectives {SMALL} --ranks 3"), "batch_size");
    refused(folder.path(), &format!("bench collectives {SMALL} --mb-per-s 0"), "greater than 0");
}

/// A run on ranks is saved and resumed like any other, and its losses are those of the run on one device but for rounding.
#[test]
fn a_run_trains_on_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let train = |more: &str| {
        let output = glasshead(
            folder,
            &format!(
                "train --task copy --backend cpu {} --json --eval-every 4 {more}",
                SMALL.replace("--set vocab_size=300", "")
            ),
        );
        assert!(output.status.success(), "{more}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    train("--steps 8 --out one");
    train("--steps 8 --out ring --ranks 2 --strategy fsdp --links tcp");
    train("--steps 4 --out parts --ranks 4 --set schedule_steps=8 --set warmup_steps=0");
    let weights = |name: &str| -> Vec<f32> {
        let bytes = fs::read(folder.join(name).join("checkpoint.safetensors")).unwrap();
        let checkpoint = glasshead::train::checkpoint::Checkpoint::from_bytes(&bytes).unwrap();
        assert_eq!(checkpoint.state.step, 8, "{name}");
        checkpoint.state.params
    };
    let difference = weights("one").iter().zip(weights("ring")).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference < 1e-4, "{difference}");
    refused(folder, &format!("train --task copy --backend cpu --out x --steps 1 --ranks 3 {SMALL}"), "batch_size");
    refused(folder, "train --task copy --out x --ranks 2 --strategy best", "expected one of naive");
}
