//! Builds the page: wasm, its JavaScript glue, and the files of `www/`, with content hashes in the names.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use wasm_bindgen_cli_support::Bindgen;

use crate::{execute, install, offline, root, size, target, vocabulary};

const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The version of `wasm-bindgen-cli-support` in `xtask/Cargo.toml`, which must match the wasm's version of
/// wasm-bindgen.
const BINDGEN_VERSION: &str = "0.2.130";

/// The style sheets, which are concatenated for the page.
const STYLES: [&str; 13] = [
    "tokens.css",
    "base.css",
    "shell.css",
    "train.css",
    "overlays.css",
    "experiments.css",
    "tokenizer.css",
    "lesson.css",
    "profile.css",
    "align.css",
    "scale.css",
    "data.css",
    "embed.css",
];

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
    let packages = ["--package", "glasshead-page", "--package", "glasshead-filter-module"];
    let args = ["--bin", "page", "--lib", "--target", WASM_TARGET, "--profile", PROFILE];
    execute(&root(), "cargo", &[&["build"][..], &packages, &args].concat(), &[])?;
    let staging = staging();
    clear(&staging)?;
    bindgen("page.wasm", "glasshead", purpose)?;
    bindgen("glasshead_filter_module.wasm", "filter", purpose)?;
    let wasm = self::wasm();
    clear(out)?;
    let wasm_name = copy_hashed(&wasm, out, "glasshead", "wasm")?;
    let glue_name = copy_hashed(&staging.join("glasshead.js"), out, "glasshead", "js")?;
    let www = root().join("www");
    let styles = STYLES.map(|name| read(&www.join(name))).into_iter().collect::<Result<String, _>>()?;
    let style_name = write_hashed(styles.as_bytes(), out, "style", "css")?;
    let icon_name = copy_hashed(&www.join("icon.svg"), out, "icon", "svg")?;
    let boot = read(&www.join("boot.js"))?.replace("GLUE", &glue_name).replace("WASM", &wasm_name);
    let index = read(&root().join("index.html"))?;
    let version = offline::version(&[&boot, &index, &style_name, &icon_name]);
    let boot = boot.replace("BUILD", &version);
    let boot_name = write_hashed(boot.as_bytes(), out, "boot", "js")?;
    // Fetched only when the user selects it.
    let vocabulary_name = copy_hashed(&vocabulary::gpt2_ranks()?, out, "gpt2", "tiktoken")?;
    let data_name = data_worker(out)?;
    let kept = [&glue_name, &wasm_name, &boot_name, &style_name, &icon_name];
    offline::write(out, &version, &icon_name, &kept.map(String::as_str))?;
    let page = index
        .replace("GLUE", &glue_name)
        .replace("WASM", &wasm_name)
        .replace("boot.js", &boot_name)
        .replace("style.css", &style_name)
        .replace("icon.svg", &icon_name)
        .replace("gpt2.tiktoken", &vocabulary_name)
        .replace("data.js", &data_name);
    write(&out.join("index.html"), page.as_bytes())?;
    if purpose == Purpose::Hosts { size::check(out) } else { Ok(()) }
}

/// Makes the JavaScript around a module.
fn bindgen(wasm: &str, name: &str, purpose: Purpose) -> Result<(), String> {
    Bindgen::new()
        .input_path(target().join(WASM_TARGET).join(PROFILE).join(wasm))
        .out_name(name)
        .remove_name_section(purpose == Purpose::Hosts)
        .web(true)
        .and_then(|bindgen| bindgen.typescript(false).generate(staging()))
        .map_err(|error| format!("wasm-bindgen failed: {error:#}"))
}

/// Writes the worker of the data view with its module, which are fetched when the view opens, and returns its name.
fn data_worker(out: &Path) -> Result<String, String> {
    let wasm = copy_hashed(&staging().join("filter_bg.wasm"), out, "filter", "wasm")?;
    let glue = copy_hashed(&staging().join("filter.js"), out, "filter", "js")?;
    let script = read(&root().join("www/data.js"))?.replace("FILTER_GLUE", &glue).replace("FILTER_WASM", &wasm);
    write_hashed(script.as_bytes(), out, "data", "js")
}

/// The path of the wasm of the latest build.
fn wasm() -> PathBuf {
    staging().join("glasshead_bg.wasm")
}

fn staging() -> PathBuf {
    target().join("bindgen")
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
