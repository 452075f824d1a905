//! The native command line: `glasshead info`, `glasshead train`, `glasshead generate`.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    glasshead::cli::main()
}

#[cfg(target_arch = "wasm32")]
fn main() {}
