//! Installs missing dependencies and runs all tests.

use std::path::Path;
use std::time::Instant;

use crate::{bundle, execute, install, root, size, target};

/// A cargo check: its name, arguments and environment.
type Check = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

const NATIVE: [Check; 6] = [
    ("formatting", &["fmt", "--all", "--check"], &[]),
    ("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[]),
    (
        "clippy for wasm32",
        &[
            "clippy",
            "-p",
            "glasshead",
            "-p",
            "glasshead-page",
            "-p",
            "glasshead-filter",
            "-p",
            "glasshead-filter-module",
            "--target",
            "wasm32-unknown-unknown",
            "--",
            "-D",
            "warnings",
        ],
        &[],
    ),
    (
        "documentation",
        &["doc", "--no-deps", "--lib", "-p", "glasshead", "-p", "glasshead-page", "-p", "glasshead-filter"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    ),
    ("doc tests", &["test", "--doc"], &[]),
    ("headless tests", &["test", "--workspace", "--lib", "--bins", "--tests"], &[]),
];

/// Runs the selected tests.
pub fn test(native: bool, browser: bool) -> Result<(), String> {
    if native {
        phase("installing for the native tests", "--native", || {
            install::rust_components()?;
            install::wasm_target()?;
            install::vulkan()
        })?;
        for (name, args, envs) in NATIVE {
            phase(name, "--native", || execute(&root(), "cargo", args, envs))?;
        }
    }
    if browser {
        let mut browsers = None;
        phase("installing for the browser tests", "--browser", || {
            browsers = Some((install::browser()?, install::engines()?));
            Ok(())
        })?;
        let dist = target().join("dist-test");
        phase("building the page", "--browser", || bundle::build(&dist, bundle::Purpose::Tests))?;
        phase("size of the page", "--browser", || size::check(&dist))?;
        let (chromium, firefox) = browsers.ok_or("no browser is installed")?;
        let native = ["build", "--bin", "glasshead"];
        phase("building the command line", "--browser", || execute(&root(), "cargo", &native, &[]))?;
        let program = target().join(format!("debug/glasshead{}", std::env::consts::EXE_SUFFIX));
        let settings = [
            ("GLASSHEAD_FIREFOX", &*firefox.display().to_string()),
            ("GLASSHEAD_PROGRAM", &*program.display().to_string()),
        ];
        phase("browser tests", "--browser", || run_in_browser(&dist, &chromium, &["test"], &settings))?;
    }
    println!("all tests passed");
    Ok(())
}

/// Runs the npm script `command` of the browser tests with a built page.
pub fn run_in_browser(dist: &Path, chromium: &Path, command: &[&str], settings: &[(&str, &str)]) -> Result<(), String> {
    let (dist, chromium) = (dist.display().to_string(), chromium.display().to_string());
    let server = std::env::current_exe().map_err(|error| error.to_string())?.display().to_string();
    let page = [
        ("GLASSHEAD_DIST", dist.as_str()),
        ("GLASSHEAD_CHROMIUM", chromium.as_str()),
        ("GLASSHEAD_XTASK", server.as_str()),
    ];
    execute(&root().join("tests/browser"), "npm", command, &[&page, settings].concat())
}

/// Runs one phase and prints its name and duration, or how to repeat it if it fails.
fn phase(name: &str, part: &str, run: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    println!("== {name}");
    let began = Instant::now();
    run().map_err(|error| format!("{name}: {error}; repeat this part with `cargo xtask test {part}`"))?;
    println!("== {name}: {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}
