//! The command line: errors end with a message that says what to change, and never with a panic.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

const SMALL: [&str; 5] = ["vocab_size=260", "d_model=8", "n_layers=1", "n_heads=2", "batch_size=2"];

/// The program, run in `folder`; arguments are separated by spaces.
fn program(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glasshead"));
    command.current_dir(folder).args(arguments.split_whitespace());
    command
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    text("text.txt", &b"The cat sat on the mat, and the dog sat on the log. ".repeat(60));
    text("empty.txt", b"");
    text("binary.txt", b"\x80\x81\x82");
    fs::create_dir(folder.path().join("folder")).unwrap();
    folder
}

#[test]
fn what_cannot_be_done_says_what_to_change() {
    let folder = folder();
    let refused = |arguments: &str, expected: &str| {
        let output = program(folder.path(), arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments}: {}: {said}", output.status);
        assert!(said.contains(expected), "{arguments}: {said}");
        assert!(!said.contains("os error") && !said.contains("panicked"), "{arguments}: {said}");
    };
    let train = |more: &str, expected: &str| refused(&format!("train --backend cpu --out model {more}"), expected);
    train("--text empty.txt", "empty.txt: the text is empty; choose a file with some text in it");
    train("--text binary.txt", "binary.txt: byte 0 is not UTF-8; save the file as UTF-8");
    train("--text folder", "folder: this is a folder; name a file");
    train("--text none.txt", "none.txt: there is no such file or folder; check the name");
    train("--steps 0", "0 is not in 1..");
    train("--eval-every 0", "0 is not in 1..");
    train("--set max_lr=1e39", "it has to be a number that 32-bit floating point can hold");
    train("--set adam_eps=1e-40", "it has to be a number that 32-bit floating point can hold");
    train("--set momentum=0.99999999", "momentum is 0.99999999; it has to be at least 0 and at most 0.99999997");
    train("--variant rmsnorm=rmsnorm", "--variant chooses kernels of the GPU, and --backend cpu runs none");
    refused("ops --backend cpu --variant rmsnorm=rmsnorm", "--backend cpu runs none; leave out one of them");
    train("--set d_model=1e30", "d_model cannot be “1e30”; enter a whole number");
    train("--set max_lr=fast", "max_lr cannot be “fast”; enter a number");
    train("--set bias=perhaps", "bias cannot be “perhaps”; enter true or false");
    train("--set norm=none_at_all", "norm cannot be “none_at_all”; enter one of rmsnorm, layernorm, none");
    train(
        "--resume folder",
        "folder/checkpoint.safetensors: there is no such file or folder; check the name; name the folder",
    );
    train("--resume text.txt", "name the folder that a model was saved in");
    fs::write(folder.path().join("folder/checkpoint.safetensors"), "nothing of the kind").unwrap();
    train("--resume folder", "folder/checkpoint.safetensors: this is not a safetensors file, or it was cut");
    train("--log-dir text.txt --text text.txt --set vocab_size=260", "choose another --log-dir");
    refused("generate --backend cpu --model folder", "this is not a safetensors file");
    refused("import nowhere --out model", "nowhere is no folder");
    refused("tokenizer train --text text.txt --vocab-size 3 --out t.json", "vocab_size 3 is too small");
    refused("bench bpe --megabytes 18446744073709551615", "--megabytes");
}

/// `VK_LOADER_DEBUG` makes the Vulkan loader log every call.
#[test]
fn the_cpu_backend_opens_no_gpu() {
    let folder = folder();
    let reports_of_vulkan = |arguments: &str| {
        let mut command = program(folder.path(), arguments);
        let output = command.env("VK_LOADER_DEBUG", "all").stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments}: {said}");
        said.to_lowercase().contains("vulkan") || said.contains("VkInstance")
    };
    assert!(reports_of_vulkan("ops --backend gpu"), "a GPU that is opened shows");
    let train = format!("train --text text.txt --steps 3 --out model --set {}", SMALL.join(" --set "));
    for command in
        [&*train, "ops", "generate --model model --max-tokens 3", "logits --model model --text cat --out l.st"]
    {
        assert!(!reports_of_vulkan(&format!("{command} --backend cpu")), "{command}");
    }
    for command in ["info", "export --model model hf", "import hf --out again"] {
        assert_eq!(reports_of_vulkan(command), command == "info", "{command}");
    }
}

/// Overwriting an input file while it is read loses its content; if it is memory-mapped, it even crashes the program.
#[test]
fn nothing_is_written_over_what_is_read() {
    let folder = folder();
    let run = |arguments: &str| {
        let output = program(folder.path(), arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let path = |name: &str| folder.path().join(name);
    assert_eq!(run("tokenizer train --text text.txt --vocab-size 280 --out t.json").0, Some(0));
    // The partial output has a different name.
    fs::copy(path("text.txt"), path("ids.part")).unwrap();
    assert_eq!(run("tokenizer encode --tokenizer t.json --text ids.part --out ids.bin").0, Some(0));
    assert_eq!(fs::read(path("ids.part")).unwrap(), fs::read(path("text.txt")).unwrap());
    for arguments in [
        "tokenizer train --text text.txt --vocab-size 280 --out text.txt",
        "tokenizer encode --tokenizer t.json --text text.txt --out ./text.txt",
        "tokenizer encode --tokenizer t.json --text text.txt --out t.json",
        "tokenizer decode --tokenizer t.json --tokens ids.bin --out folder/../ids.bin",
    ] {
        let before = ["text.txt", "t.json", "ids.bin"].map(|name| fs::read(path(name)).unwrap());
        let (code, said) = run(arguments);
        assert!(code == Some(1) && said.contains("is read from; choose another file"), "{arguments}: {code:?} {said}");
        assert_eq!(["text.txt", "t.json", "ids.bin"].map(|name| fs::read(path(name)).unwrap()), before);
    }
    assert_eq!(run("tokenizer decode --tokenizer t.json --tokens ids.bin --out back.txt").0, Some(0));
    assert_eq!(fs::read(path("back.txt")).unwrap(), fs::read(path("text.txt")).unwrap());
}

#[test]
fn a_training_that_nobody_listens_to_goes_on() {
    let folder = folder();
    let arguments = format!(
        "train --backend cpu --json --out model --text text.txt --steps 30 --eval-every 10 --set {}",
        SMALL.join(" --set ")
    );
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let output = program(folder.path(), &arguments).stdout(full()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("cannot write to standard output").count(), 1, "{said}");
    assert!(folder.path().join("model/checkpoint.safetensors").exists());
    let arguments = "generate --backend cpu --model model --prompt cat";
    let output = program(folder.path(), arguments).stdout(full()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("cannot write to standard output"), "{said}");
    let output = program(folder.path(), arguments).stdout(Stdio::piped()).output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"cat"));
}
