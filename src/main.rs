//! The native command line (`glasshead info`, `glasshead train`, `glasshead generate`); on wasm32, the web worker.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    glasshead::cli::main()
}

#[cfg(target_arch = "wasm32")]
fn main() {
    glasshead::worker::start();
}
