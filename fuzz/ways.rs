//! Coverage-guided fuzzing of one entry point: `GLASSHEAD_WAY` is its name in `tests/hostile/ways.rs`, or `list` to
//! print all names. `cargo xtask fuzz` runs them all.

#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use glasshead::data::reading_parquet;
use libfuzzer_sys::fuzz_target;

use measure::measured;
use ways::{WAYS, Way};

#[path = "../tests/parquet/kinds.rs"]
#[allow(dead_code)] // used only by the tests
mod parquet;

#[path = "../tests/hostile/measure.rs"]
mod measure;
#[path = "../tests/hostile/seeds.rs"]
mod seeds;
#[path = "../tests/hostile/ways.rs"]
mod ways;

static CHOSEN: LazyLock<&'static Way> = LazyLock::new(|| {
    let name = std::env::var("GLASSHEAD_WAY").unwrap_or_default();
    if name == "list" {
        WAYS.iter().for_each(|way| println!("{}", way.name));
        std::process::exit(0);
    }
    let way = WAYS.iter().find(|way| way.name == name);
    way.unwrap_or_else(|| panic!("GLASSHEAD_WAY is “{name}”; “list” prints all of them"))
});

/// Adds the valid inputs to the corpus folder, and ignores panics that are caught.
fn begin() {
    let fatal = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !reading_parquet() {
            fatal(panic);
        }
    }));
    let seeds = (CHOSEN.seeds)();
    // Warm up one-time allocations, such as compiled patterns, so that they do not count as an input's memory.
    seeds.iter().for_each(|seed| drop((CHOSEN.enter)(seed)));
    if let Some(folder) = std::env::args().skip(1).find(|argument| Path::new(argument).is_dir()) {
        for (at, seed) in seeds.iter().enumerate() {
            std::fs::write(Path::new(&folder).join(format!("seed-{at}")), seed).expect("the folder takes files");
        }
    }
}

fuzz_target!(
    init: begin(),
    |input: &[u8]| {
        let (outcome, peak, _) = measured(|| (CHOSEN.enter)(input));
        let allowed = CHOSEN.base + CHOSEN.factor * input.len();
        assert!(peak <= allowed, "{peak} bytes for {}, {allowed} allowed", input.len());
        if let Err(said) = outcome {
            assert!(said.split_whitespace().count() >= 3, "no sentence: {said}");
        }
    }
);
