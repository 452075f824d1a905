//! `glasshead align` as a program: what it writes, how it resumes, and what it rejects.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const SMALL: &str = "--set d_model=8 --set n_layers=1 --set n_heads=2 --set d_ff=8 --set context_length=32";

fn align(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glasshead"));
    command.current_dir(folder).args(["align", "--backend", "cpu", "--threads", "1"]);
    command.args(arguments.split_whitespace()).output().unwrap()
}

fn done(folder: &Path, arguments: &str) -> Vec<Value> {
    let output = align(folder, arguments);
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

fn refused(folder: &Path, arguments: &str, expected: &str) {
    let output = align(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments}: {said}");
    assert!(said.contains(expected) && !said.contains("panicked"), "{arguments}: {said}");
}

#[test]
fn a_stopped_run_continues_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let common = "--task recall --eval-every 100 --eval-prompts 4 --save-every 0 --json --rollouts-every 2";
    done(folder, &format!("sft --preset nano {SMALL} --set rows=8 {common} --steps 6 --out start"));
    let grpo = format!("grpo --model start --set prompts=4 --set group_size=4 --set kl=0.1 --reward format {common}");
    let whole = done(folder, &format!("{grpo} --steps 5 --out whole --log-dir whole/log"));
    done(folder, &format!("{grpo} --steps 3 --out parts --log-dir parts/log"));
    // As if the process had been killed: rows of a step that was not saved, the last of them incomplete.
    let rows = folder.join("parts/rollouts.jsonl");
    let saved = fs::read_to_string(&rows).unwrap();
    fs::write(&rows, format!("{saved}{{\"step\": 4}}\n{{\"step\": 4, \"pro")).unwrap();
    let rest = done(folder, &format!("{grpo} --steps 5 --out parts --log-dir parts/log --resume"));
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    assert_eq!(read("parts/checkpoint.safetensors"), read("whole/checkpoint.safetensors"));
    assert_eq!(read("parts/rollouts.jsonl"), read("whole/rollouts.jsonl"));
    let losses = |lines: &[Value], from: u64| -> Vec<Value> {
        let steps = lines.iter().filter(|line| line["step"].as_u64() >= Some(from) && !line["loss"].is_null());
        steps.map(|line| serde_json::json!([line["step"], line["loss"], line["kl"], line["reward"]])).collect()
    };
    assert_eq!(losses(&rest, 4), losses(&whole, 4));
    assert_eq!(losses(&whole, 1).len(), 5);
    let rollouts = String::from_utf8(read("whole/rollouts.jsonl")).unwrap();
    let rollouts: Vec<Value> = rollouts.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rollouts.len(), 3 * 16, "steps 1, 3 and 5");
    for rollout in &rollouts {
        let lengths = ["tokens", "log_probs"].map(|name| rollout[name].as_array().unwrap().len());
        assert!(lengths[0] == lengths[1] && rollout["prompt"].as_str().unwrap().starts_with("k:"), "{rollout}");
    }
    let log = fs::read_to_string(folder.join("parts/log/log.jsonl")).unwrap();
    assert_eq!(log.lines().filter(|line| line.contains("\"lr\"")).count(), 5, "each step once: {log}");
    let generated = Command::new(env!("CARGO_BIN_EXE_glasshead"))
        .current_dir(folder)
        .args(["generate", "--model", "whole", "--backend", "cpu", "--prompt", "k:", "--max-tokens", "3"])
        .output()
        .unwrap();
    assert!(generated.status.success(), "{}", String::from_utf8_lossy(&generated.stderr));
    refused(folder, &format!("{grpo} --steps 9 --out parts --resume --set kl=0.2"), "has kl 0.1");
    refused(folder, &format!("{grpo} --steps 9 --out start --resume"), "has stage sft");
}

#[test]
fn rows_of_the_user_are_learned() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write = |name: &str, row: &dyn Fn(usize) -> Value| {
        let lines: Vec<String> = (0..30).map(|index| row(index).to_string()).collect();
        fs::write(folder.join(name), lines.join("\n")).unwrap();
    };
    write("sft.jsonl", &|index| serde_json::json!({ "prompt": format!("{index}?"), "response": "yes" }));
    write("grpo.jsonl", &|index| serde_json::json!({ "prompt": format!("{index}?"), "answer": "yes" }));
    let dpo = |index: usize| serde_json::json!({ "prompt": format!("{index}?"), "chosen": "yes", "rejected": "no" });
    write("dpo.jsonl", &dpo);
    let common = "--eval-every 100 --eval-prompts 4 --json --steps 3";
    done(folder, &format!("sft --preset nano {SMALL} --set rows=8 --data sft.jsonl {common} --out model"));
    for (stage, reward) in [("grpo", "--reward partial --reward 0.1*length:3"), ("dpo", "")] {
        let arguments = format!(
            "{stage} --model model --data {stage}.jsonl {reward} --set rows=4 --set prompts=3 --set group_size=2 {common} \
             --out {stage}"
        );
        let lines = done(folder, &arguments);
        assert_eq!(lines.iter().filter(|line| !line["loss"].is_null()).count(), 3, "{stage}");
    }
    refused(folder, &format!("dpo --model model --data sft.jsonl {common} --out x"), "chosen");
    refused(folder, &format!("sft --model model --data none.jsonl {common} --out x"), "none.jsonl");
}

#[test]
fn what_does_not_fit_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    refused(folder, "ppo --preset nano --task copy --out x", "expected one of sft, rft, grpo, dpo");
    refused(folder, "sft --task copy --out x", "--model");
    refused(folder, "sft --preset nano --out x", "--task");
    refused(folder, "grpo --preset nano --task copy --out x --set prompts=0", "prompts is 0; expected 1 to 65536");
    refused(folder, "grpo --preset nano --task copy --out x --set speed=1", "unknown field `speed`");
    refused(folder, "grpo --preset nano --task copy --out x --set updates=99", "updates is 99; expected at most 32");
    refused(folder, "grpo --preset nano --task copy --out x --reward best", "unknown judge");
    refused(folder, "grpo --preset nano --task copy --out x --template {prompt}", "{response} is missing");
    refused(folder, "grpo --preset nano --task copy --out x --stop-exact 2", "from 0 to 1");
    refused(folder, "grpo --model none --task copy --out x", "none");
    refused(folder, "grpo --preset nano --task copy --out none --resume", "none");
    let untrained = format!("rft --preset nano {SMALL} --task copy --out x --set prompts=2 --set group_size=2 --json");
    refused(folder, &untrained, "None of 4 sampled responses was right");
}
