//! Long-running tests: soak tests and fuzzing.

use std::path::Path;
use std::process::Command;

use crate::{bundle, execute, install, root, target, test};

/// The path of the fuzzing program in a target's folder below `fuzz/target`.
const RELEASE: &str = "release/ways";

/// Trains for `steps` steps natively and a tenth of them in Chromium, and in both starts, loads and drops `rounds`
/// runs. Then runs every experiment of the page to its end, and takes pictures of the page in all states and sizes.
pub fn soak(steps: u32, rounds: u32) -> Result<(), String> {
    execute(&root(), "cargo", &["build", "--bin", "glasshead", "--profile", "web"], &[])?;
    let program = target().join("web/glasshead").display().to_string();
    let (of_steps, of_rounds) = (steps.to_string(), rounds.to_string());
    let native = ["soak", "--backend", "cpu", "--steps", &of_steps, "--rounds", &of_rounds];
    execute(&root(), &program, &native, &[])?;
    let chromium = install::browser()?;
    let dist = target().join("dist-test");
    bundle::build(&dist, bundle::Purpose::Tests)?;
    let (steps, rounds) = ((steps / 10).to_string(), rounds.to_string());
    let settings = [("SOAK_STEPS", steps.as_str()), ("SOAK_ROUNDS", &rounds)];
    let files = ["test", "soak.test.mjs", "experiments.soak.mjs", "scale.soak.mjs", "shots.soak.mjs"];
    test::run_in_browser(&dist, &chromium, &files, &settings)
}

/// Fuzzes every entry point for `seconds` seconds each; stops at the first failing input.
pub fn fuzz(seconds: u32) -> Result<(), String> {
    if !install::is_there("cargo-fuzz") {
        return Err("cargo-fuzz is missing: `cargo install cargo-fuzz`, and `rustup toolchain install nightly`".into());
    }
    let folder = root().join("fuzz");
    // The parsing code is safe Rust, which needs no sanitizer and is faster without one.
    execute(&folder, "cargo", &["+nightly", "fuzz", "build", "--sanitizer", "none", "ways"], &[])?;
    let program = built(&folder.join("target"))?;
    let output = Command::new(&program).env("GLASSHEAD_WAY", "list").output();
    let output = output.map_err(|error| format!("{program} cannot be started: {error}"))?;
    for way in String::from_utf8_lossy(&output.stdout).lines() {
        let corpus = folder.join("corpus").join(way.replace([' ', '.'], "_"));
        std::fs::create_dir_all(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
        println!("== {way}");
        let time = format!("-max_total_time={seconds}");
        let args = [&corpus.display().to_string(), &time, "-timeout=20", "-rss_limit_mb=3000", "-print_final_stats=1"];
        execute(&folder, &program, &args.map(|arg| arg as &str), &[("GLASSHEAD_WAY", way)])?;
    }
    Ok(())
}

/// The path of the fuzzing program for any target.
fn built(target: &Path) -> Result<String, String> {
    let folders = target.read_dir().map_err(|error| format!("{}: {error}", target.display()))?;
    let mut programs = folders.flatten().map(|folder| folder.path().join(RELEASE));
    let program = programs.find(|program| program.is_file());
    program.map(|program| program.display().to_string()).ok_or_else(|| "the fuzzed program was not built".into())
}
