//! Installs the dependencies of builds and tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{execute, root};

const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Whether a program is on the PATH.
pub fn is_there(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// The wasm target of the Rust toolchain.
pub fn wasm_target() -> Result<(), String> {
    let installed = Command::new("rustc").args(["--print", "target-libdir", "--target", WASM_TARGET]).output();
    let folder = installed.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    if folder.is_ok_and(|folder| !folder.is_empty() && Path::new(&folder).is_dir()) {
        return Ok(());
    }
    execute(&root(), "rustup", &["target", "add", WASM_TARGET], &[])
        .map_err(|error| format!("{error}; install the target {WASM_TARGET} of your Rust toolchain"))
}

/// rustfmt and clippy.
pub fn rust_components() -> Result<(), String> {
    for (program, component) in [("cargo-fmt", "rustfmt"), ("cargo-clippy", "clippy")] {
        let works = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !works.is_ok_and(|status| status.success()) {
            execute(&root(), "rustup", &["component", "add", component], &[])?;
        }
    }
    Ok(())
}

/// A software Vulkan driver for the native tests.
pub fn vulkan() -> Result<(), String> {
    let loader = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]
        .iter()
        .any(|folder| Path::new(folder).join("libvulkan.so.1").exists());
    let driver = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"]
        .iter()
        .any(|folder| Path::new(folder).read_dir().is_ok_and(|mut entries| entries.next().is_some()));
    if cfg!(not(target_os = "linux")) || (loader && driver) {
        return Ok(());
    }
    debian(&["libvulkan1", "mesa-vulkan-drivers"])
}

/// The browsers besides Chromium that run the short cross-browser suite.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Engine {
    Firefox,
    WebKit,
}

impl Engine {
    const ALL: [Self; 2] = [Self::Firefox, Self::WebKit];

    /// The name in `GLASSHEAD_ENGINES`.
    fn name(self) -> &'static str {
        match self {
            Self::Firefox => "firefox",
            Self::WebKit => "webkit",
        }
    }

    /// Whether to test in this browser; by default yes, otherwise if `GLASSHEAD_ENGINES` lists it.
    fn is_wanted(self) -> bool {
        let listed = std::env::var("GLASSHEAD_ENGINES").ok();
        listed.is_none_or(|listed| listed.split(',').any(|name| name.trim() == self.name()))
    }
}

/// Installs Firefox, and WebKitGTK with its driver and an X server. Returns Firefox's path.
pub fn engines() -> Result<PathBuf, String> {
    let firefox = std::env::var_os("GLASSHEAD_FIREFOX").map_or_else(|| "/usr/bin/firefox-esr".into(), PathBuf::from);
    let mut missing: Vec<&str> = Vec::new();
    for engine in Engine::ALL.into_iter().filter(|engine| engine.is_wanted()) {
        match engine {
            Engine::Firefox if !firefox.exists() => missing.push("firefox-esr"),
            Engine::Firefox => (),
            Engine::WebKit if cfg!(not(target_os = "linux")) => {
                return Err("WebKitGTK is only available on Linux; \
                            set GLASSHEAD_ENGINES=chromium,firefox to test without it"
                    .into());
            }
            Engine::WebKit => {
                let needed = [("WebKitWebDriver", "webkit2gtk-driver"), ("Xvfb", "xvfb")];
                missing.extend(needed.iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| package));
            }
        }
    }
    if Engine::Firefox.is_wanted() {
        vulkan()?; // Firefox uses the same software adapter as the native tests
    }
    if !missing.is_empty() {
        debian(&missing).map_err(|error| {
            format!("{error}; or set GLASSHEAD_ENGINES to the browsers to test in, of chromium, firefox, webkit")
        })?;
    }
    Ok(firefox)
}

/// Installs Chromium, and Node.js with the modules of the browser tests. Returns Chromium's path.
pub fn browser() -> Result<PathBuf, String> {
    let chromium = chromium()?;
    if !is_there("node") || !is_there("npm") {
        debian(&["nodejs", "npm"])?;
    }
    let folder = root().join("tests/browser");
    if !up_to_date(&folder) {
        execute(&folder, "npm", &["ci", "--no-audit", "--no-fund"], &[])?;
    }
    Ok(chromium)
}

fn chromium() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("GLASSHEAD_CHROMIUM") {
        return Ok(path.into());
    }
    let path = PathBuf::from("/usr/bin/chromium");
    if !path.exists() {
        debian(&["chromium"])?;
    }
    Ok(path)
}

/// Whether node_modules matches the lock file; npm stores a copy of the lock file that it installed.
fn up_to_date(folder: &Path) -> bool {
    let time = |path: PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
    match (time(folder.join("node_modules/.package-lock.json")), time(folder.join("package-lock.json"))) {
        (Some(installed), Some(lock)) => installed >= lock,
        _ => false,
    }
}

/// Installs Debian packages, or returns an error that lists them.
fn debian(packages: &[&str]) -> Result<(), String> {
    let names = packages.join(" ");
    let root_user = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !root_user || !is_there("apt-get") {
        return Err(format!(
            "install {names} first (Debian package names; GLASSHEAD_CHROMIUM and GLASSHEAD_FIREFOX can name other browsers)"
        ));
    }
    let quiet = [("DEBIAN_FRONTEND", "noninteractive")];
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    let attempt = || {
        execute(&root(), "apt-get", &["update", "-qq"], &quiet)?;
        execute(&root(), "apt-get", &install, &quiet)
    };
    attempt().or_else(|_| attempt())
}
