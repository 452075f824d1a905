//! The GPU benchmark, rehearsed on a software adapter.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Runs some parts of the benchmark in `folder`; returns the report, the tables, and whether it succeeded.
fn bench(folder: &Path, parts: &str) -> (Value, String, bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glasshead"));
    let output = command.current_dir(folder).args(["bench", "gpu", "--small", "--only", parts]).output().unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    let report = serde_json::from_str(&read("gpu-bench.json"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (report.unwrap_or_else(|error| panic!("{error}: {said}")), read("gpu-bench.md"), output.status.success())
}

#[test]
fn every_kernel_is_right_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let (report, tables, passed) = bench(folder.path(), "facts,correctness");
    assert!(passed, "{}", report["correctness"]["failed"]);
    assert!(report["facts"]["adapter"].as_str().is_some_and(|name| !name.is_empty()), "{}", report["facts"]);
    let rows = report["correctness"]["rows"].as_array().unwrap();
    let of = |key: &str| rows.iter().filter(|row| row[key].is_string()).count();
    let variants: usize = glasshead::ops::tuning::CANDIDATES.iter().map(|of| 1 + of.variants.len()).sum();
    let fusions: usize = glasshead::ops::tuning::FUSIONS.iter().map(|of| of.fusions.len()).sum();
    assert_eq!(of("kernel"), variants + fusions);
    assert!(of("model") >= 7, "{rows:?}");
    assert!(tables.contains("| matmul_nt_group_32 | right |"), "{tables}");
}

#[test]
fn rates_are_measured_and_put_into_tables() {
    let folder = tempfile::tempdir().unwrap();
    let (report, tables, passed) = bench(folder.path(), "peaks,matmul,attention");
    assert!(passed);
    let peak = report["peaks"]["gflops"].as_f64().unwrap();
    for part in ["matmul", "attention"] {
        for row in report[part]["rows"].as_array().unwrap() {
            let gflops = row["gflops"].as_f64().unwrap();
            assert!(gflops > 0.0 && gflops < 2.0 * peak, "{row}: more than the peak of {peak} GFLOP/s");
        }
    }
    assert!(tables.contains("| kernel | shape |"), "{tables}");
}

#[test]
fn what_is_left_out_is_listed_and_unknown_parts_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glasshead"));
        command.current_dir(folder.path()).args(["bench", "gpu", "--small"]).args(more).output().unwrap()
    };
    assert!(run(&["--limit", "0"]).status.success());
    let report = std::fs::read_to_string(folder.path().join("gpu-bench.md")).unwrap();
    assert!(report.contains("left out: the limit of 0 s was reached"), "{report}");
    let refused = run(&["--only", "speed"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there are facts, correctness"), "{refused:?}");
}
