//! The audit of dependencies: sources, licenses and known vulnerabilities.

use std::process::Command;

use crate::{execute, root};

/// The version of cargo-deny that deny.toml targets.
const VERSION: &str = "0.20.2";

/// Audits all dependencies, those in Rust with cargo-deny and those in JavaScript with npm.
///
/// Vulnerability databases are online. If one cannot be reached, the audit fails, unless `reachable`: then it prints a
/// warning and fails only on what the other checks find.
pub fn audit(reachable: bool) -> Result<(), String> {
    // Run all checks, even if the first one fails.
    let answers = match cargo_deny() {
        Ok(()) => vec![rust_origins(), rust_faults(), npm_faults()],
        Err(message) => vec![Answer::NotReached(message), npm_faults()],
    };
    for answer in answers {
        match answer {
            Answer::Nothing => (),
            Answer::Faults(message) => return Err(message),
            Answer::NotReached(message) if reachable => eprintln!("NOT ASKED: {message}"),
            Answer::NotReached(message) => return Err(message),
        }
    }
    Ok(())
}

/// The result of a check.
enum Answer {
    Nothing,
    Faults(String),
    NotReached(String),
}

/// Installs cargo-deny if it is missing.
fn cargo_deny() -> Result<(), String> {
    let there = Command::new("cargo").args(["deny", "--version"]).output();
    if there.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    execute(&root(), "cargo", &["install", "--locked", "--version", VERSION, "cargo-deny"], &[])
}

/// Checks licenses and sources.
fn rust_origins() -> Answer {
    match execute(&root(), "cargo", &["deny", "check", "bans", "licenses", "sources"], &[]) {
        Ok(()) => Answer::Nothing,
        Err(message) => Answer::Faults(message),
    }
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
        Ok(output) => npm_answer(&output.stdout, output.status.success()),
        Err(error) => Answer::NotReached(format!("npm cannot be started: {error}")),
    }
}

/// Parses the output of `npm audit`. Both a report and a failed request are JSON, and a report with vulnerabilities has
/// the same exit status as a failed request.
fn npm_answer(printed: &[u8], success: bool) -> Answer {
    let text = String::from_utf8_lossy(printed);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    if report.get("auditReportVersion").is_none() {
        let why = report["message"].as_str().unwrap_or("it gives no report");
        return Answer::NotReached(format!("`npm audit` cannot ask for known faults: {why}"));
    }
    if success {
        return Answer::Nothing;
    }
    Answer::Faults(format!("`npm audit` knows of faults:\n{}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_npm_is_told_from_a_refusal() {
        let clean = br#"{ "auditReportVersion": 2, "vulnerabilities": {} }"#;
        assert!(matches!(npm_answer(clean, true), Answer::Nothing));
        let faulty = br#"{ "auditReportVersion": 2, "vulnerabilities": { "left": { "severity": "high" } } }"#;
        assert!(matches!(npm_answer(faulty, false), Answer::Faults(message) if message.contains("left")));
        let refused = br#"{ "message": "405 Method Not Allowed", "statusCode": 405 }"#;
        assert!(matches!(npm_answer(refused, false), Answer::NotReached(message) if message.contains("405")));
        assert!(matches!(npm_answer(b"", true), Answer::NotReached(_)), "no report is no clean report");
    }
}
