//! Faults of the disk and of the process, tested on the program itself.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use glasshead::rng::Rng;
use glasshead::train::checkpoint::FILE_NAME;
use glasshead::train::checkpoint::rotation;
use glasshead::train::checkpoint::rotation::{Loaded, PREVIOUS};

/// A model that trains a step in about a millisecond, on a small file.
fn train(folder: &Path, steps: u64, more: &[&str]) -> Command {
    let text = folder.join("text.txt");
    fs::write(&text, "The cat sat on the mat, and the dog sat on the log. ".repeat(60)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_glasshead"));
    command.args(["--threads", "1", "train", "--backend", "cpu", "--json"]);
    if !more.contains(&"--eval-every") {
        command.args(["--eval-every", "100000"]);
    }
    command.args(["--steps", &steps.to_string(), "--text", &text.display().to_string()]);
    command.args(["--out", &folder.join("model").display().to_string()]).args(more);
    command
}

const SMALL: [&str; 14] = [
    "--set",
    "vocab_size=260",
    "--set",
    "d_model=8",
    "--set",
    "n_layers=1",
    "--set",
    "n_heads=2",
    "--set",
    "d_ff=8",
    "--set",
    "context_length=8",
    "--set",
    "batch_size=2",
];

pub(super) fn small(folder: &Path, steps: u64, more: &[&str]) -> Command {
    train(folder, steps, &[&SMALL[..], more].concat())
}

/// The same, resumed from the last checkpoint.
pub(super) fn resumed(folder: &Path, steps: u64, more: &[&str]) -> Command {
    let model = folder.join("model").display().to_string();
    train(folder, steps, &[&["--resume", &model], more].concat())
}

pub(super) fn run(mut command: Command) -> Output {
    command.output().unwrap()
}

pub(super) fn load(folder: &Path) -> Loaded {
    rotation::load(&folder.join("model")).map_err(|error| error.to_string()).unwrap()
}

pub(super) fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Kills a run after `while_ms` milliseconds; returns whether it was still running.
fn kill_after(mut child: Child, model: &Path, while_ms: u64) -> bool {
    let began = Instant::now();
    while !model.join(FILE_NAME).exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing was saved");
        sleep(Duration::from_millis(1));
    }
    sleep(Duration::from_millis(while_ms));
    let done = child.try_wait().unwrap().is_some();
    drop(child.kill()); // SIGKILL; may fail once it has exited
    child.wait().unwrap();
    !done
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_as_one_that_never_was() {
    const STEPS: u64 = 6000;
    let [whole, killed] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let output = run(small(whole.path(), STEPS, &[]));
    assert!(output.status.success(), "{}", told(&output));
    let mut rng = Rng::new(11);
    let (mut kills, mut step, model) = (0, 0, killed.path().join("model"));
    for attempt in 0.. {
        assert!(attempt < 200, "it does not get on");
        let quick = ["--save-every", "0.002"];
        let mut command = match attempt {
            0 => small(killed.path(), STEPS, &quick),
            _ => resumed(killed.path(), STEPS, &quick),
        };
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let was_killed = kill_after(child, &model, u64::from(rng.below(250)));
        let now = load(killed.path()).checkpoint.state.step;
        assert!(now >= step, "after kill {kills} it stands at step {now}, before it at {step}");
        (step, kills) = (now, kills + u32::from(was_killed));
        if !was_killed {
            break;
        }
    }
    println!("{kills} kills");
    assert!(kills >= 5, "only {kills} kills");
    assert_eq!(step, STEPS);
    let [whole, killed] = [whole, killed].map(|folder| load(folder.path()).checkpoint.state);
    assert!(whole == killed, "the states differ");
}

#[test]
fn a_cut_or_changed_checkpoint_gives_way_to_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run(small(folder.path(), 3, &[])).status.success());
    assert!(run(resumed(folder.path(), 5, &[])).status.success());
    let path = folder.path().join("model").join(FILE_NAME);
    let bytes = fs::read(&path).unwrap();
    assert_eq!(load(folder.path()).checkpoint.state.step, 5);
    let falls_back = |what: &str| {
        let Loaded { checkpoint, notice, .. } = load(folder.path());
        assert_eq!(checkpoint.state.step, 3, "{what}");
        let notice = notice.unwrap_or_default();
        assert!(notice.contains(FILE_NAME) && notice.contains(PREVIOUS), "{what}: {notice}");
    };
    for len in (0..bytes.len()).step_by(bytes.len() / 200) {
        fs::write(&path, &bytes[..len]).unwrap();
        falls_back(&format!("cut to {len} bytes"));
    }
    for at in (0..bytes.len()).step_by(bytes.len() / 200) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        fs::write(&path, &changed).unwrap();
        falls_back(&format!("byte {at} changed"));
    }
    // Between the two renames there is no latest checkpoint.
    fs::remove_file(&path).unwrap();
    fs::write(folder.path().join("model/checkpoint.part"), &bytes).unwrap();
    assert_eq!(load(folder.path()).checkpoint.state.step, 5, "written whole, not yet renamed");
    fs::write(folder.path().join("model/checkpoint.part"), &bytes[..bytes.len() - 1]).unwrap();
    falls_back("a part");
    let output = run(resumed(folder.path(), 6, &[]));
    assert!(output.status.success() && told(&output).contains("going back"), "{}", told(&output));
    assert_eq!(load(folder.path()).checkpoint.state.step, 6);
}

/// Also if it was killed between the two renames of its last save.
#[test]
fn a_run_that_is_over_when_it_is_resumed_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run(small(folder.path(), 3, &[])).status.success());
    let model = folder.path().join("model");
    fs::rename(model.join(FILE_NAME), model.join("checkpoint.part")).unwrap();
    let output = run(resumed(folder.path(), 3, &[]));
    assert!(output.status.success(), "{}", told(&output));
    let Loaded { checkpoint, notice, .. } = load(folder.path());
    assert_eq!((checkpoint.state.step, notice), (3, None));
}

#[test]
fn a_folder_that_takes_no_files_is_told_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_glasshead"));
    // Not writable, even for root.
    let output = command.args(["train", "--backend", "cpu", "--out", "/proc/model"]).output().unwrap();
    assert!(!output.status.success() && told(&output).contains("/proc/model"), "{}", told(&output));
    assert!(told(&output).contains("nothing could be saved there"), "{}", told(&output));
    // A file in place of the folder.
    fs::write(folder.path().join("model"), "a file").unwrap();
    let output = run(small(folder.path(), 3, &[]));
    assert!(!output.status.success() && told(&output).contains("nothing could be saved there"), "{}", told(&output));
}

#[test]
fn on_a_full_disk_training_goes_on_and_the_last_checkpoint_stays() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run(small(folder.path(), 3, &[])).status.success());
    let inner = resumed(folder.path(), 400, &["--save-every", "0.01"]);
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    // Files are limited to 12 KiB; without the trap, the signal would end the process.
    let script = format!("trap '' XFSZ; ulimit -f 12; exec {}", words.join(" "));
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    let said = told(&output);
    assert!(!output.status.success(), "the end is a failure");
    assert!(said.contains("not saved") && said.contains("training goes on"), "{said}");
    assert!(said.matches("training goes on").count() < 5, "said over and over: {said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"step\":400"), "it trained to the end");
    let Loaded { checkpoint, notice, .. } = load(folder.path());
    assert_eq!((checkpoint.state.step, notice), (3, None), "what was there is whole");

    // A device that is always full, then a normal one.
    let model = folder.path().join("model");
    std::os::unix::fs::symlink("/dev/full", model.join("checkpoint.part")).unwrap();
    let bytes = fs::read(model.join(FILE_NAME)).unwrap();
    let problem = rotation::save(&model, &bytes).unwrap_err().to_string();
    assert!(problem.contains("No space left"), "{problem}");
    assert_eq!(load(folder.path()).checkpoint.state.step, 3);
    rotation::save(&model, &bytes).unwrap();
}

#[test]
fn a_run_that_diverges_ends_with_a_sentence_and_its_last_good_state() {
    let folder = tempfile::tempdir().unwrap();
    let wild = ["--set", "max_lr=1e30", "--set", "min_lr=1e29", "--set", "warmup_steps=0"];
    let output = run(small(folder.path(), 50, &wild));
    let said = told(&output);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("at step 2 the loss is") && said.contains("it began in the"), "{said}");
    assert!(said.contains("step 1 is saved in") && said.contains("--set max_lr="), "{said}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("\"step\":2,"), "nothing is told of the second step");
    let state = load(folder.path()).checkpoint.state;
    assert_eq!(state.step, 1);
    assert!(state.params.iter().all(|value| value.is_finite()));
    // A resumed run accepts a different learning rate, but not a different model.
    let output = run(resumed(folder.path(), 50, &["--set", "d_model=16"]));
    assert!(told(&output).contains("d_model cannot change during training"), "{}", told(&output));
}
