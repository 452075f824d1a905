//! Benchmarks: natively with `glasshead bench`, and in Chromium with `tests/bench/browser.mjs`, optionally next to
//! other programs.

use std::fs;
use std::path::PathBuf;

use crate::{bundle, execute, install, root, target};

/// The native benchmarks, each of which prints one JSON object.
const NATIVE: [&[&str]; 5] = [
    &["bench", "step", "--json"],
    &["bench", "step", "--backend", "cpu", "--json"],
    &["bench", "step", "--backend", "cpu", "--threads", "1", "--json"],
    &["bench", "matmul", "--json"],
    &["bench", "attention", "--json"],
];

/// Other programs that train in browsers, from npm.
const PEERS: [&str; 3] = ["@jax-js/jax@0.1.25", "@tensorflow/tfjs@4.22.0", "@tensorflow/tfjs-backend-webgpu@4.22.0"];

/// Builds the native program and runs its benchmarks.
pub fn native(profile: &str) -> Result<(), String> {
    install::vulkan()?;
    execute(&root(), "cargo", &["build", "--bin", "glasshead", "--profile", profile], &[])?;
    let program = target().join(profile).join("glasshead").display().to_string();
    NATIVE.iter().try_for_each(|args| execute(&root(), &program, args, &[]))
}

/// Checks and measures a GPU with `glasshead bench gpu`. With `program`, a path, nothing is built, and neither network nor cargo
/// is needed. `rest` is passed on.
pub fn gpu(profile: &str, program: Option<String>, rest: &[String]) -> Result<(), String> {
    let program = match program {
        Some(program) => program,
        None => {
            install::vulkan()?;
            execute(&root(), "cargo", &["build", "--bin", "glasshead", "--profile", profile], &[])?;
            target().join(profile).join("glasshead").display().to_string()
        }
    };
    let args = [&["bench", "gpu"], &rest.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat();
    execute(&root(), &program, &args, &[])
}

/// Builds the page, measures its start and runs its benchmarks in Chromium: training through its worker, with `rest` passed to
/// the script, and the bounds that the page promises; `peers` runs the other programs and prints a table instead of the bounds.
pub fn browser(purpose: bundle::Purpose, peers: bool, rest: &[String]) -> Result<(), String> {
    let chromium = install::browser()?.display().to_string();
    let dist = target().join("dist-bench");
    bundle::build(&dist, purpose)?;
    let dist = dist.display().to_string();
    let modules = if peers { fetch_peers()?.display().to_string() } else { String::new() };
    let script = root().join("tests/bench/browser.mjs").display().to_string();
    let mut args = vec![script.as_str()];
    if peers {
        args.push("--peers");
    }
    args.extend(rest.iter().map(String::as_str));
    let xtask = std::env::current_exe().map_err(|error| format!("this program does not find itself: {error}"))?;
    let xtask = xtask.display().to_string();
    let envs = [
        ("GLASSHEAD_DIST", dist.as_str()),
        ("GLASSHEAD_CHROMIUM", &chromium),
        ("GLASSHEAD_PEERS", &modules),
        ("GLASSHEAD_XTASK", &xtask),
    ];
    let startup = root().join("tests/bench/startup.mjs").display().to_string();
    execute(&root(), "node", &[&startup], &envs)?;
    execute(&root(), "node", &args, &envs)?;
    if peers || !rest.is_empty() {
        return Ok(());
    }
    let bounds = root().join("tests/bench/bounds.mjs").display().to_string();
    execute(&root(), "node", &[&bounds], &envs)
}

/// Installs the peers in the target folder, separate from the project. Returns their node_modules folder.
fn fetch_peers() -> Result<PathBuf, String> {
    let folder = target().join("peers");
    fs::create_dir_all(&folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    let manifest = folder.join("package.json");
    fs::write(&manifest, "{ \"private\": true }\n")
        .map_err(|error| format!("{} cannot be written: {error}", manifest.display()))?;
    let install = [&["install", "--no-audit", "--no-fund", "--no-save"], &PEERS[..]].concat();
    execute(&folder, "npm", &install, &[])?;
    Ok(folder.join("node_modules"))
}
