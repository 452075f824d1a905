//! Which kernels run in place of others: the page keeps what was chosen for a device until the next visit, and its address
//! can tell (`?variant=KERNEL=VARIANT`, several with commas between them).

use super::link::Batch;
use super::preferences;
use crate::protocol::{Command, Event};

const PREFERENCE: &str = "kernels";

/// What the worker has to know before a run starts.
pub fn command() -> Command {
    Command::Kernels { memory: preferences::load(PREFERENCE).unwrap_or_default(), told: told().unwrap_or_default() }
}

fn told() -> Option<String> {
    let query = web_sys::window()?.location().search().ok()?;
    let entry = query.trim_start_matches('?').split('&').find_map(|entry| entry.strip_prefix("variant="))?;
    js_sys::decode_uri_component(entry).ok().map(String::from)
}

/// Keeps what the worker has chosen.
pub fn receive(batch: &Batch) {
    for (event, _) in batch {
        if let Event::Kernels { memory } = event {
            preferences::save(PREFERENCE, memory);
        }
    }
}
