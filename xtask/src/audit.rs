//! The audit of dependencies: where they come from, under which licences, and what is known of their faults.

use std::process::{Command, Output};

use crate::{execute, root};

/// Looks at all dependencies, in Rust with cargo-deny and in JavaScript with npm, and fails with what is wrong.
///
/// What is known of faults is asked of others. When these cannot be reached, that is a failure as well, unless `reachable`:
/// then it is told, and what can be looked at here decides.
pub fn audit(reachable: bool) -> Result<(), String> {
    let there = Command::new("cargo").args(["deny", "--version"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        execute(&root(), "cargo", &["install", "--locked", "cargo-deny"], &[])?;
    }
    // All is looked at, whatever the first one says.
    let here = execute(&root(), "cargo", &["deny", "check", "bans", "licenses", "sources"], &[]);
    let faults = [rust_faults(), npm_faults()];
    here?;
    for answer in faults {
        match answer {
            Answer::Nothing => (),
            Answer::Faults(message) => return Err(message),
            Answer::NotReached(message) if reachable => eprintln!("NOT ASKED: {message}"),
            Answer::NotReached(message) => return Err(message),
        }
    }
    Ok(())
}

/// What is known of faults.
enum Answer {
    Nothing,
    Faults(String),
    NotReached(String),
}

fn rust_faults() -> Answer {
    if let Err(message) = execute(&root(), "cargo", &["deny", "fetch", "db"], &[]) {
        return Answer::NotReached(format!("{message}: the list of known faults of Rust crates cannot be fetched"));
    }
    match execute(&root(), "cargo", &["deny", "check", "advisories"], &[]) {
        Ok(()) => Answer::Nothing,
        Err(message) => Answer::Faults(message),
    }
}

fn npm_faults() -> Answer {
    match Command::new("npm").args(["audit", "--json"]).current_dir(root().join("tests/browser")).output() {
        Ok(output) => npm_answer(&output),
        Err(error) => Answer::NotReached(format!("npm cannot be started: {error}")),
    }
}

/// A report and a refusal are both JSON, and a report with faults fails as a refusal does.
fn npm_answer(output: &Output) -> Answer {
    let text = String::from_utf8_lossy(&output.stdout);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    if report.get("auditReportVersion").is_none() {
        let why = report["message"].as_str().unwrap_or("it gives no report");
        return Answer::NotReached(format!("`npm audit` cannot ask for known faults: {why}"));
    }
    if output.status.success() {
        return Answer::Nothing;
    }
    Answer::Faults(format!("`npm audit` knows of faults:\n{}", text.trim_end()))
}
