//! The project's commands: `cargo xtask build`, `serve`, `test`, `bench`, `soak`, `audit` and `fuzz`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

mod audit;
mod bench;
mod bundle;
mod install;
mod long;
mod offline;
mod serve;
mod size;
mod test;
mod vocabulary;

const USAGE: &str = "usage:
  cargo xtask build [--out DIR] [--dev]     build the page into DIR (dist), for any static host
  cargo xtask serve [--port N] [--release]  build the page and serve it on localhost
  cargo xtask serve --dist DIR [--port N]   serve a page that is built already
  cargo xtask test [--native] [--browser]   install what is missing and run all tests, or one part
  cargo xtask bench [--dev]                 measure this machine natively, as JSON
  cargo xtask bench --gpu [--dev]           check and measure a GPU in eight minutes, as JSON and Markdown
    [--program PATH] [--small] [--only PART,PART] [--limit SECONDS] [--out FILE]
                                            with a program that is built already; with sizes for a software adapter
  cargo xtask bench --browser [--dev]       measure in Chromium, as JSON
  cargo xtask bench --peers [--dev]         the same beside other programs in the browser, and a table
    [--only NAME,NAME] [--steps N]          of the last two: which programs, and how many steps
  cargo xtask soak [--steps N] [--rounds N] train for long (100000) and change runs often (200): memory and speed stay
  cargo xtask audit [--reachable]           look at all dependencies (cargo-deny, npm): their licences, their sources,
                                            and what is known of their faults, or only if it can be asked
  cargo xtask fuzz [--seconds N]            fuzz every way in for so long (120), guided by coverage (cargo-fuzz)";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let (command, rest) = args.split_first().ok_or(USAGE)?;
    let mut flags = Flags(rest.to_vec());
    match command.as_str() {
        "build" => {
            let purpose = purpose(!flags.take("--dev"));
            let out = flags.value("--out")?.unwrap_or("dist".into());
            flags.finish()?;
            bundle::build(&root().join(&out), purpose)?;
            println!("the page is in {out}/");
            Ok(())
        }
        "serve" => {
            let purpose = purpose(flags.take("--release"));
            let dist = flags.value("--dist")?;
            let port = flags.value("--port")?.unwrap_or("8080".into());
            let port = port.parse().map_err(|_| format!("--port {port} is not a number from 0 to 65535"))?;
            flags.finish()?;
            let folder = root().join(dist.as_deref().unwrap_or("target/dist-serve"));
            if dist.is_none() {
                bundle::build(&folder, purpose)?;
            }
            serve::serve(&folder, port)
        }
        "soak" => {
            let (steps, rounds) = (flags.number("--steps", 100_000)?, flags.number("--rounds", 200)?);
            flags.finish()?;
            long::soak(steps, rounds)
        }
        "audit" => {
            let reachable = flags.take("--reachable");
            flags.finish()?;
            audit::audit(reachable)
        }
        "fuzz" => {
            let seconds = flags.number("--seconds", 120)?;
            flags.finish()?;
            long::fuzz(seconds)
        }
        "test" => {
            let (native, browser) = (flags.take("--native"), flags.take("--browser"));
            flags.finish()?;
            test::test(native || !browser, browser || !native)
        }
        "bench" => bench(flags),
        _ => Err(USAGE.into()),
    }
}

fn bench(mut flags: Flags) -> Result<(), String> {
    let dev = flags.take("--dev");
    let (browser, peers) = (flags.take("--browser"), flags.take("--peers"));
    if flags.take("--gpu") {
        let (program, mut rest) = (flags.value("--program")?, Vec::new());
        for name in ["--only", "--limit", "--out"] {
            rest.extend(flags.value(name)?.into_iter().flat_map(|value| [name.to_string(), value]));
        }
        rest.extend(flags.take("--small").then(|| "--small".into()));
        flags.finish()?;
        return bench::gpu(if dev { "web" } else { "release" }, program, &rest);
    }
    let mut rest = Vec::new();
    for name in ["--only", "--steps"] {
        rest.extend(flags.value(name)?.into_iter().flat_map(|value| [name.to_string(), value]));
    }
    flags.finish()?;
    match (browser || peers, rest.first()) {
        (true, _) => bench::browser(purpose(!dev), peers, &rest),
        (false, Some(name)) => Err(format!("{name} needs --browser or --peers\n{USAGE}")),
        (false, None) => bench::native(if dev { "web" } else { "release" }),
    }
}

fn purpose(for_hosts: bool) -> bundle::Purpose {
    if for_hosts { bundle::Purpose::Hosts } else { bundle::Purpose::Tests }
}

/// The remaining command line arguments.
struct Flags(Vec<String>);

impl Flags {
    fn take(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|flag| flag != name);
        self.0.len() < before
    }

    fn value(&mut self, name: &str) -> Result<Option<String>, String> {
        let Some(at) = self.0.iter().position(|flag| flag == name) else { return Ok(None) };
        if at + 1 == self.0.len() {
            return Err(format!("{name} needs a value\n{USAGE}"));
        }
        self.0.remove(at);
        Ok(Some(self.0.remove(at)))
    }

    fn number(&mut self, name: &str, default: u32) -> Result<u32, String> {
        let Some(value) = self.value(name)? else { return Ok(default) };
        value.parse().map_err(|_| format!("{name} {value} is not a whole number"))
    }

    fn finish(self) -> Result<(), String> {
        match self.0.first() {
            None => Ok(()),
            Some(flag) => Err(format!("{flag} is not known\n{USAGE}")),
        }
    }
}

/// The project's root. The run-time environment takes precedence over the compile-time path, which is wrong when
/// several checkouts share a target folder.
fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().unwrap_or(&here).to_path_buf()
}

/// Cargo's target folder.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Runs a program in `folder`, and fails if it fails.
fn execute(folder: &Path, program: &str, args: &[&str], envs: &[(&str, &str)]) -> Result<(), String> {
    let line = format!("{program} {}", args.join(" "));
    let status = Command::new(program)
        .args(args)
        .envs(envs.iter().copied())
        .current_dir(folder)
        .status()
        .map_err(|error| format!("`{line}` cannot be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed")) }
}
