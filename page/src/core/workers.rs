//! The number of workers for the CPU backend: the user's last choice, else the number measured here before, else what
//! the browser reports. A measured number is stored, so that a run is bit-identical on the next visit.

use crate::core::link::Batch;
use crate::core::preferences;
use crate::state::workers::{Wanted, WorkersState};
use glasshead::wire::Event;
use glasshead::wire::workers::WorkersEvent;

/// The preference with the user's choice.
const CHOSEN: &str = "workers";

/// The preference with the measurement and the report it was made for, as in `2/4`.
const MEASURED: &str = "measured-workers";

/// The initial number of workers.
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

/// Stores the user's choice; none clears it together with the measurement.
pub fn remember(chosen: Option<usize>) {
    preferences::save(CHOSEN, &chosen.map_or(String::new(), |n| n.to_string()));
    if chosen.is_none() {
        preferences::save(MEASURED, "");
    }
}

/// The number of cores that the browser reports.
pub fn reported() -> usize {
    web_sys::window().map_or(1, |window| window.navigator().hardware_concurrency() as usize)
}

/// Stores the worker's measurement.
pub fn receive(batch: &Batch, workers: WorkersState) {
    for (event, _) in batch {
        if let (Event::Workers { event: WorkersEvent::Measured { n }, .. }, Some(reported)) = (event, workers.reported)
        {
            preferences::save(MEASURED, &format!("{n}/{reported}"));
        }
    }
}
