//! What takes long: soaks and fuzzing.

use std::path::Path;
use std::process::Command;

use crate::{bundle, execute, install, root, target, test};

/// Where the fuzzed program is, below `fuzz/target`.
const RELEASE: &str = "release/ways";

/// Trains for so many steps natively, for a tenth of them in Chromium, and there begins, loads and drops so many runs.
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
    test::run_in_browser(&dist, &chromium, &["test", "soak.test.mjs"], &settings)
}

/// Fuzzes every way in, each for so many seconds; ends with the first input that is not as promised.
pub fn fuzz(seconds: u32) -> Result<(), String> {
    if !install::is_there("cargo-fuzz") {
        return Err("cargo-fuzz is missing: `cargo install cargo-fuzz`, and `rustup toolchain install nightly`".into());
    }
    let folder = root().join("fuzz");
    // All code that reads is safe Rust, which needs no sanitizer, and is faster without.
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

/// The program, in the folder of whatever target it was built for.
fn built(target: &Path) -> Result<String, String> {
    let folders = target.read_dir().map_err(|error| format!("{}: {error}", target.display()))?;
    let mut programs = folders.flatten().map(|folder| folder.path().join(RELEASE));
    let program = programs.find(|program| program.is_file());
    program.map(|program| program.display().to_string()).ok_or_else(|| "the fuzzed program was not built".into())
}
