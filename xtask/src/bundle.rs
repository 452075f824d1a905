//! Builds the page: the wasm modules of the page and of its workers, their JavaScript glue, and the files of `www/`, with content hashes in the names.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;

use wasm_bindgen_cli_support::Bindgen;

use crate::{execute, install, offline, root, size, target, vocabulary};

const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The version of `wasm-bindgen-cli-support` in `xtask/Cargo.toml`, which must match the wasm's version of
/// wasm-bindgen.
const BINDGEN_VERSION: &str = "0.2.130";

/// The style sheets, which are concatenated for the page.
const STYLES: [&str; 5] = ["style.css", "attention.css", "lesson.css", "profile.css", "embed.css"];

/// The build profile in Cargo.toml.
const PROFILE: &str = "page";

/// The purpose of a build; the code is the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// For development: function names are kept.
    Tests,
    /// For hosting: function names are removed, and the size is limited.
    Hosts,
}

/// Builds the page into `out`, which is emptied first.
///
/// # Errors
/// When a program fails, or the page is too large.
pub fn build(out: &Path, purpose: Purpose) -> Result<(), String> {
    check_bindgen_version()?;
    install::wasm_target()?;
    let packages = ["-p", "glasshead", "-p", "glasshead-page", "--bin", PAGE.binary, "--bin", WORKER.binary];
    let args = [&["build", "--target", WASM_TARGET, "--profile", PROFILE], &packages[..]].concat();
    execute(&root(), "cargo", &args, &[])?;
    clear(out)?;
    let page = bind(&PAGE, out, purpose)?;
    let worker = bind(&WORKER, out, purpose)?;
    let www = root().join("www");
    let script = read(&www.join("worker.js"))?.replace("GLUE", &worker.glue).replace("WASM", &worker.wasm);
    let worker_name = write_hashed(script.as_bytes(), out, "worker", "js")?;
    let styles = STYLES.map(|name| read(&www.join(name))).into_iter().collect::<Result<String, _>>()?;
    let style_name = write_hashed(styles.as_bytes(), out, "style", "css")?;
    let icon_name = copy_hashed(&www.join("icon.svg"), out, "icon", "svg")?;
    let fill = |text: String| {
        let names =
            [("WORKER_WASM", &worker.wasm), ("WORKER_JS", &worker_name), ("GLUE", &page.glue), ("WASM", &page.wasm)];
        names.iter().fold(text, |text, (placeholder, name)| text.replace(placeholder, name))
    };
    let boot = fill(read(&www.join("boot.js"))?);
    let index = fill(read(&root().join("index.html"))?);
    let version = offline::version(&[&boot, &index, &style_name, &icon_name]);
    let boot_name = write_hashed(boot.replace("BUILD", &version).as_bytes(), out, "boot", "js")?;
    // Fetched only when the user selects it.
    let vocabulary_name = copy_hashed(&vocabulary::gpt2_ranks()?, out, "gpt2", "tiktoken")?;
    let Names { glue, wasm } = &page;
    let cached = [glue, wasm, &worker.glue, &worker.wasm, &worker_name, &boot_name, &style_name, &icon_name];
    offline::write(out, &version, &icon_name, &cached.map(String::as_str))?;
    let html = index
        .replace("boot.js", &boot_name)
        .replace("style.css", &style_name)
        .replace("icon.svg", &icon_name)
        .replace("gpt2.tiktoken", &vocabulary_name);
    write(&out.join("index.html"), html.as_bytes())?;
    if purpose == Purpose::Hosts { size::check(out) } else { Ok(()) }
}

/// A wasm module of the page: the program that becomes it, and the stem of its file names.
struct Module {
    binary: &'static str,
    stem: &'static str,
}

const PAGE: Module = Module { binary: "page", stem: "page" };
const WORKER: Module = Module { binary: "glasshead", stem: "glasshead" };

/// The file names of a module in the built page.
struct Names {
    glue: String,
    wasm: String,
}

/// Writes a module's wasm and its JavaScript glue into `out`.
fn bind(module: &Module, out: &Path, purpose: Purpose) -> Result<Names, String> {
    let staging = target().join("bindgen").join(module.stem);
    clear(&staging)?;
    Bindgen::new()
        .input_path(target().join(WASM_TARGET).join(PROFILE).join(module.binary).with_extension("wasm"))
        .out_name(module.stem)
        .remove_name_section(purpose == Purpose::Hosts)
        .web(true)
        .and_then(|bindgen| bindgen.typescript(false).generate(&staging))
        .map_err(|error| format!("wasm-bindgen failed: {error:#}"))?;
    let wasm = copy_hashed(&staging.join(format!("{}_bg.wasm", module.stem)), out, module.stem, "wasm")?;
    let glue = copy_hashed(&staging.join(format!("{}.js", module.stem)), out, module.stem, "js")?;
    Ok(Names { glue, wasm })
}

fn check_bindgen_version() -> Result<(), String> {
    let lock = read(&root().join("Cargo.lock"))?;
    let expected = format!("name = \"wasm-bindgen\"\nversion = \"{BINDGEN_VERSION}\"");
    if lock.contains(&expected) {
        return Ok(());
    }
    Err(format!(
        "Cargo.lock has another wasm-bindgen than {BINDGEN_VERSION}; set the same version in Cargo.toml, in \
         xtask/Cargo.toml (wasm-bindgen-cli-support) and in xtask/src/bundle.rs"
    ))
}

fn clear(folder: &Path) -> Result<(), String> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| format!("{} cannot be emptied: {error}", folder.display()))?;
    }
    fs::create_dir_all(folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))
}

pub fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

pub fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

fn copy_hashed(from: &Path, folder: &Path, stem: &str, extension: &str) -> Result<String, String> {
    let bytes = fs::read(from).map_err(|error| format!("{} cannot be read: {error}", from.display()))?;
    write_hashed(&bytes, folder, stem, extension)
}

/// Writes a file with a content hash in its name, and returns the name.
pub fn write_hashed(bytes: &[u8], folder: &Path, stem: &str, extension: &str) -> Result<String, String> {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let name = format!("{stem}-{:016x}.{extension}", hasher.finish());
    write(&folder.join(&name), bytes)?;
    Ok(name)
}
