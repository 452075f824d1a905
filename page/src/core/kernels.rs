//! The variant cache: the page stores the kernel variants chosen for a device for the next visit. The address can
//! override them (`?variant=KERNEL=VARIANT`, several separated by commas).

use crate::core::link::Batch;
use crate::core::preferences;
use glasshead::wire::{Command, Event};

const PREFERENCE: &str = "kernels";

/// The command that sends the worker the cached and overridden variants before a run starts.
pub fn command() -> Command {
    Command::Kernels { memory: preferences::load(PREFERENCE).unwrap_or_default(), told: told().unwrap_or_default() }
}

fn told() -> Option<String> {
    let query = web_sys::window()?.location().search().ok()?;
    let entry = query.trim_start_matches('?').split('&').find_map(|entry| entry.strip_prefix("variant="))?;
    js_sys::decode_uri_component(entry).ok().map(String::from)
}

/// Stores the variants that the worker has chosen.
pub fn receive(batch: &Batch) {
    for (event, _) in batch {
        if let Event::Kernels { memory } = event {
            preferences::save(PREFERENCE, memory);
        }
    }
}
