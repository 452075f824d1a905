//! Carries an experiment out: starts its runs, trains, pauses; remembers how long it took on this device.

use std::collections::BTreeMap;

use yew::prelude::*;

use crate::core::context::Cx;
use crate::core::{navigation, preferences};
use crate::state::Action;
use crate::state::experiments::catalogue::{Begin, Experiment};
use crate::state::experiments::{Experiments, ExperimentsAction, Order, find};
use glasshead::wire::Command;

/// The link of an experiment.
pub fn link(experiment: &Experiment) -> String {
    let entries = experiment.entries().into_iter();
    entries.fold("#".to_string(), |hash, (key, value)| navigation::with_entry(&hash, key, value))
}

/// Starts an experiment by opening its link.
pub fn start(cx: &Cx, name: &str) {
    let Some(experiment) = find(name) else { return };
    let link = link(experiment);
    if navigation::hash() == link {
        navigation::follow(cx, link);
    } else if let Some(window) = web_sys::window() {
        // Setting a hash cannot fail.
        let _ = window.location().set_hash(&link);
    }
}

/// Carries out what the experiment in progress needs after every change of the state.
#[hook]
pub fn use_experiments(cx: &Cx) {
    use_measurements(cx);
    let order = cx.state.experiment_order();
    let running = cx.state.experiments.running.as_ref().map(|running| (running.run, running.phase, running.stage));
    let cx = cx.clone();
    use_effect_with((order, running), move |(order, _)| {
        let Some(order) = *order else { return };
        match order {
            Order::Start => {
                cx.act(Action::Experiments(ExperimentsAction::Carried(order)));
                cx.restart();
            }
            Order::Train | Order::Pause => {
                cx.send(if order == Order::Train { &Command::Train } else { &Command::Pause });
                cx.act(Action::Experiments(ExperimentsAction::Carried(order)));
            }
        }
    });
}

/// The key of what was measured on a device in the preferences.
fn key(device: &str) -> String {
    format!("measured {device}")
}

/// Loads what was measured on this device, and stores new measurements.
#[hook]
fn use_measurements(cx: &Cx) {
    let device = cx.state.device.as_ref().map(|device| device.name.clone());
    {
        let cx = cx.clone();
        use_effect_with(device.clone(), move |device| {
            let stored = device.as_ref().and_then(|device| preferences::load(&key(device)));
            let stored: Option<(Option<f64>, BTreeMap<String, f64>)> =
                stored.and_then(|json| serde_json::from_str(&json).ok());
            if let Some((speed, durations)) = stored {
                cx.act(Action::Experiments(ExperimentsAction::Measured(speed, durations)));
            }
        });
    }
    let Experiments { speed, durations, .. } = &cx.state.experiments;
    // The speed varies with every step: two digits of it are enough.
    let rounded = speed.map(|speed| (10.0 * speed.log10()).round());
    let measured = (*speed, durations.clone());
    use_effect_with((device, rounded, durations.clone()), move |(device, rounded, _)| {
        let json = serde_json::to_string(&measured).ok().filter(|_| rounded.is_some());
        if let Some((device, json)) = device.as_ref().zip(json) {
            preferences::save(&key(device), &json);
        }
    });
}

/// Whether an experiment waits for a file first.
pub fn needs_file(experiment: &Experiment) -> bool {
    matches!(experiment.phases[0].begin, Begin::Model | Begin::Text)
}
