//! The log of a run that is killed and resumed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use glasshead::rng::Rng;
use serde_json::Value;

use super::disk::{load, resumed, run, small, told};

/// A row without its time-dependent fields.
type Row = Vec<String>;

/// The rows of `log.csv`, and their `seconds`.
fn csv(log: &Path) -> (Vec<Row>, Vec<f64>) {
    let text = fs::read_to_string(log.join("log.csv")).unwrap();
    assert!(text.ends_with('\n'), "the last row is whole");
    let mut seconds = Vec::new();
    let rows = text.lines().skip(1).map(|line| {
        let mut cells: Row = line.split(',').map(str::to_string).collect();
        assert_eq!(cells.len(), 7, "{line}");
        seconds.push(cells.remove(2).parse().unwrap());
        cells
    });
    let rows = rows.collect();
    (rows, seconds)
}

/// The same rows from `log.jsonl`.
fn jsonl(log: &Path) -> Vec<Row> {
    let text = fs::read_to_string(log.join("log.jsonl")).unwrap();
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::Number(number) if number.is_u64() => number.to_string(),
        number => (number.as_f64().unwrap() as f32).to_string(),
    };
    let fields = ["step", "tokens", "loss", "lr", "grad_norm", "val_loss"];
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        fields.map(|field| cell(&row[field])).to_vec()
    };
    text.lines().map(row).collect()
}

/// Number of occurrences of each step under each tag of the event files. They are read without interpreting void markers,
/// because readers need not support these.
fn events(log: &Path) -> BTreeMap<(String, u64), usize> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path()) {
        if !entry.to_string_lossy().contains("tfevents") {
            continue;
        }
        let bytes = fs::read(entry).unwrap();
        let mut rest = &bytes[..];
        while let Some((length, others)) = rest.split_first_chunk::<8>() {
            let length = u64::from_le_bytes(*length) as usize;
            let record = &others[4..4 + length];
            rest = &others[8 + length..];
            // wall_time, then the step as a varint, then the summary with the value with the tag.
            let Some(step) = record[9..].strip_prefix(&[0x10]) else { continue };
            let n = step.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
            let number = step[..n].iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f));
            if let [0x2a, _, 0x0a, _, 0x0a, len, tag @ ..] = &step[n..] {
                let tag = String::from_utf8(tag[..*len as usize].to_vec()).unwrap();
                *found.entry((tag, number)).or_default() += 1;
            }
        }
    }
    found
}

/// Waits until a log has grown by `rows` rows, or the process that writes it exits.
fn grows_by(csv: &Path, rows: u64, child: &mut Child) -> Option<ExitStatus> {
    const ROW_BYTES: u64 = 45;
    let (began, length) = (Instant::now(), || fs::metadata(csv).map_or(0, |facts| facts.len()));
    let enough = length() + rows * ROW_BYTES;
    while length() < enough {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not get on");
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        sleep(Duration::from_millis(1));
    }
    None
}

#[test]
fn the_log_of_a_run_that_is_killed_again_and_again_is_that_of_one_that_never_was() {
    const STEPS: u64 = 4000;
    let [whole, killed] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let log_of = |folder: &tempfile::TempDir| folder.path().join("log");
    let options = |folder: &tempfile::TempDir| -> Vec<String> {
        let log = log_of(folder).display().to_string();
        ["--save-every", "0.002", "--eval-every", "300", "--log-dir"]
            .map(String::from)
            .into_iter()
            .chain([log])
            .collect()
    };
    let [whole_options, killed_options] = [options(&whole), options(&killed)];
    fn words(options: &[String]) -> Vec<&str> {
        options.iter().map(String::as_str).collect()
    }
    let output = run(small(whole.path(), STEPS, &words(&whole_options)));
    assert!(output.status.success(), "{}", told(&output));
    let (mut rng, mut kills) = (Rng::new(5), 0);
    for attempt in 0.. {
        assert!(attempt < 200, "it does not get on");
        let mut command = match attempt {
            0 => small(killed.path(), STEPS, &words(&killed_options)),
            _ => resumed(killed.path(), STEPS, &words(&killed_options)),
        };
        let errors = killed.path().join("errors");
        let mut child = command.stdout(Stdio::null()).stderr(File::create(&errors).unwrap()).spawn().unwrap();
        let rows = u64::from(rng.below(700));
        let ended = grows_by(&log_of(&killed).join("log.csv"), rows, &mut child);
        drop(child.kill()); // SIGKILL; may fail once it has exited
        child.wait().unwrap();
        if let Some(status) = ended {
            assert!(status.success(), "{}", fs::read_to_string(errors).unwrap());
            break;
        }
        kills += 1;
        // A crash may also leave a partial row.
        if kills == 2 {
            for name in ["log.csv", "log.jsonl"] {
                let mut file = File::options().append(true).open(log_of(&killed).join(name)).unwrap();
                file.write_all(b"{\"step\":9").unwrap();
            }
        }
    }
    println!("{kills} kills");
    assert!(kills >= 4, "only {kills} kills");
    assert_eq!(load(killed.path()).checkpoint.state.step, STEPS);

    let (rows, seconds) = csv(&log_of(&killed));
    assert!(rows == csv(&log_of(&whole)).0, "log.csv differs");
    assert!(seconds.is_sorted(), "time goes on");
    assert!(jsonl(&log_of(&killed)) == rows, "log.jsonl differs");
    let expected: BTreeSet<(String, u64)> = (1..=STEPS)
        .flat_map(|step| ["loss/train", "learning_rate", "gradient_norm", "tokens_per_second"].map(|tag| (tag, step)))
        .chain((0..STEPS).step_by(300).chain([STEPS]).map(|step| ("loss/held-out", step)))
        .map(|(tag, step)| (tag.to_string(), step))
        .collect();
    let found = events(&log_of(&killed));
    assert!(found.keys().eq(expected.iter()), "steps are missing, or there are too many");
    assert!(found.values().all(|&times| times == 1), "a step is there twice");
}

#[test]
fn a_log_of_another_run_is_not_written_into() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log").display().to_string();
    let options = ["--log-dir", &log];
    assert!(run(small(folder.path(), 3, &options)).status.success());
    let before = fs::read(folder.path().join("log/log.csv")).unwrap();
    let output = run(small(folder.path(), 3, &options));
    assert!(!output.status.success());
    assert!(told(&output).contains("holds the log of another run; choose another --log-dir"), "{}", told(&output));
    assert_eq!(fs::read(folder.path().join("log/log.csv")).unwrap(), before);
}

#[test]
fn two_equal_runs_write_equal_bytes() {
    let bytes = [(); 2].map(|()| {
        let folder = tempfile::tempdir().unwrap();
        let output = run(small(folder.path(), 20, &[]));
        assert!(output.status.success(), "{}", told(&output));
        fs::read(folder.path().join("model/checkpoint.safetensors")).unwrap()
    });
    assert!(bytes[0] == bytes[1], "the checkpoints differ");
}
