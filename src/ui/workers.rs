//! How many workers this browser uses on the CPU: what the user chose last, else what was measured here once, else what
//! the browser reports. A measured number is remembered, so that a run repeats to the bit on the next visit.

use super::link::Batch;
use super::preferences;
use super::state::workers::{Wanted, WorkersState};
use crate::protocol::Event;
use crate::protocol::workers::WorkersEvent;

/// The user's choice.
const CHOSEN: &str = "workers";

/// What was measured, and for which report: `2/4`.
const MEASURED: &str = "measured-workers";

/// Where to begin.
pub fn wanted() -> Wanted {
    if let Some(n) = preferences::load(CHOSEN).and_then(|chosen| chosen.parse().ok()) {
        return Wanted::Chosen(n);
    }
    let reported = reported();
    let measured = preferences::load(MEASURED).and_then(|text| {
        let (n, of) = text.split_once('/')?;
        Some((n.parse().ok()?, of.parse::<usize>().ok()?))
    });
    match measured {
        Some((n, of)) if of == reported => Wanted::Measured { n, reported },
        _ => Wanted::Reported(reported),
    }
}

/// Remembers the user's choice, or forgets it along with what was measured.
pub fn remember(chosen: Option<usize>) {
    preferences::save(CHOSEN, &chosen.map_or(String::new(), |n| n.to_string()));
    if chosen.is_none() {
        preferences::save(MEASURED, "");
    }
}

/// The cores that the browser reports.
pub fn reported() -> usize {
    web_sys::window().map_or(1, |window| window.navigator().hardware_concurrency() as usize)
}

/// Remembers what the worker measured.
pub fn receive(batch: &Batch, workers: WorkersState) {
    for (event, _) in batch {
        if let (Event::Workers { event: WorkersEvent::Measured { n }, .. }, Some(reported)) = (event, workers.reported)
        {
            preferences::save(MEASURED, &format!("{n}/{reported}"));
        }
    }
}
