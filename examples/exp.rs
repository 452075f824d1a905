#![allow(missing_docs, dead_code, unused)]
#[path = "../tests/experiments.rs"]
mod experiments;
fn main() {
    experiments::run_named(std::env::args().nth(1))
}
