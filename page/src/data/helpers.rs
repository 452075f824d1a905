//! Workers that run the page's main module: one writes stories for generated pages, others train small models on texts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_channel::oneshot;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Worker};

use super::effect::{EffectAction, Job, Outcome};
use super::source::keep_effect;
use super::state::{DataViewAction, Source};
use super::worker;
use crate::core::context::Cx;
use crate::core::link::{post, start_worker};
use crate::state::Action;
use glasshead::wire::data::{DataCommand, DataEvent};
use glasshead::wire::effect::{EffectCommand, EffectEvent};
use glasshead::wire::{Command, Event, frame};
use glasshead_filter::wire::{Request, TextOf};

/// A worker with the closures that receive its messages.
struct Helper {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(web_sys::Event)>,
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

/// Starts a worker; `receive` gets its events and attached bytes, or none when it stops.
fn start(receive: impl FnMut(Option<(Event, Option<Uint8Array>)>) + 'static) -> Result<Helper, String> {
    let worker = start_worker()?;
    let receive = Rc::new(RefCell::new(receive));
    let on_message: Closure<dyn FnMut(MessageEvent)> = {
        let receive = receive.clone();
        Closure::new(move |message: MessageEvent| {
            if let Ok(message) = frame::decode(message.data()) {
                receive.borrow_mut()(Some(message));
            }
        })
    };
    let on_error: Closure<dyn FnMut(web_sys::Event)> = Closure::new(move |event: web_sys::Event| {
        event.prevent_default(); // handled here
        receive.borrow_mut()(None);
    });
    worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    Ok(Helper { worker, _on_message: on_message, _on_error: on_error })
}

/// Built-in stories of at least this many bytes, separated by `<|endoftext|>`.
pub async fn stories(seed: u64, bytes: usize) -> Result<Uint8Array, String> {
    let (answer, answered) = oneshot::channel();
    let mut answer = Some(answer);
    let listening = Rc::new(RefCell::new(None::<Worker>));
    let to = listening.clone();
    let helper = start(move |event| match event {
        Some((Event::Listening, _)) => {
            if let Some(worker) = &*to.borrow() {
                post(worker, &Command::Data(DataCommand::Stories { seed, bytes }), None);
            }
        }
        Some((Event::Data(DataEvent::Stories), Some(text))) => {
            // The receiver may be gone already.
            let _ = answer.take().map(|answer| answer.send(text));
        }
        None => drop(answer.take()),
        _ => {}
    })?;
    listening.replace(Some(helper.worker.clone()));
    answered.await.map_err(|_| "The worker that writes stories stopped; try fewer pages.".to_string())
}

thread_local! {
    static TEXTS: RefCell<BTreeMap<TextOf, Uint8Array>> = const { RefCell::new(BTreeMap::new()) };
    /// Texts that were requested, and how many are still missing.
    static MISSING: RefCell<Vec<TextOf>> = const { RefCell::new(Vec::new()) };
    static HELPERS: RefCell<BTreeMap<Job, Helper>> = const { RefCell::new(BTreeMap::new()) };
}

fn act(cx: &Cx, action: EffectAction) {
    cx.act(Action::Filters(DataViewAction::Effect(action)));
}

/// Trains models on texts: requests the texts first.
pub fn train(cx: &Cx, texts: Vec<TextOf>) {
    stop(cx, None);
    let view = &cx.state.filters;
    // Generated pages have stories of their own; of other pages, a part of what is kept is held out.
    let hold_out = !matches!(view.source, Source::Generated { .. });
    act(cx, EffectAction::Train(texts.clone(), (*view.changes).clone()));
    let all: Vec<TextOf> = texts.into_iter().chain(hold_out.then_some(TextOf::HeldOut)).collect();
    TEXTS.take();
    MISSING.set(all.clone());
    for of in all {
        worker::send(&Request::Text { of, hold_out }, &[]);
    }
}

/// Gives all runs up.
pub fn stop(cx: &Cx, problem: Option<String>) {
    drop(HELPERS.take());
    MISSING.take();
    act(cx, EffectAction::Stop(problem));
}

/// Receives a text for training; when all are there, the runs start.
pub fn text(cx: &Cx, of: TextOf, bytes: &Uint8Array) {
    TEXTS.with_borrow_mut(|texts| texts.insert(of, bytes.clone()));
    let complete = MISSING.with_borrow_mut(|missing| {
        let waited = !missing.is_empty();
        missing.retain(|missing| *missing != of);
        waited && missing.is_empty()
    });
    if complete {
        begin(cx);
    }
}

/// The number of runs at once: one core stays for the page.
fn n_workers() -> usize {
    crate::core::workers::reported().saturating_sub(1).clamp(1, 4)
}

/// Starts waiting runs while there is a core for them.
fn begin(cx: &Cx) {
    // A handle dereferences to the latest state.
    let effect = cx.clone().state.filters.effect.clone();
    let waiting = effect.queue.iter().filter(|job| !HELPERS.with_borrow(|helpers| helpers.contains_key(job)));
    let room = n_workers().saturating_sub(HELPERS.with_borrow(BTreeMap::len));
    for &job in waiting.take(room) {
        if let Err(message) = begin_job(cx, job, effect.steps) {
            return stop(cx, Some(message));
        }
        act(cx, EffectAction::Begin(job));
    }
}

fn begin_job(cx: &Cx, job: Job, steps: u64) -> Result<(), String> {
    let text = |of| TEXTS.with_borrow(|texts| texts.get(&of).cloned());
    let train = text(job.of).ok_or("A text for training is missing; start again.")?;
    let held_out = text(TextOf::HeldOut);
    let train_bytes = train.length() as usize;
    let bytes = Uint8Array::new_with_length(train.length() + held_out.as_ref().map_or(0, Uint8Array::length));
    bytes.set(&train, 0);
    held_out.iter().for_each(|held_out| bytes.set(held_out, train.length()));
    let command = EffectCommand::Train { job: 0, steps, seed: job.seed, train_bytes };
    let to = Rc::new(RefCell::new(None::<Worker>));
    let (worker, cx, mut first) = (to.clone(), cx.clone(), Some((command, bytes)));
    let helper = start(move |event| {
        // A handle keeps every state that it has read alive, so each event gets its own clone.
        let cx = cx.clone();
        match event {
            Some((Event::Listening, _)) => {
                if let (Some(worker), Some((command, bytes))) = (&*worker.borrow(), first.take()) {
                    post(worker, &Command::Effect(command), Some(&bytes));
                }
            }
            Some((Event::Effect(event), _)) => receive(&cx, job, event),
            Some((Event::Failed { message, .. }, _)) => later_stop(&cx, message),
            None => later_stop(&cx, "A worker that trains stopped, perhaps for lack of memory.".into()),
            _ => {}
        }
    })?;
    to.replace(Some(helper.worker.clone()));
    HELPERS.with_borrow_mut(|helpers| helpers.insert(job, helper));
    Ok(())
}

fn receive(cx: &Cx, job: Job, event: EffectEvent) {
    match event {
        EffectEvent::Point { step, loss, .. } => act(cx, EffectAction::Point(job, step, loss)),
        EffectEvent::Problem { message, .. } => later_stop(cx, format!("A model could not be trained: {message}.")),
        EffectEvent::Done { held_out, sample, .. } => {
            act(cx, EffectAction::Done(job, Outcome { held_out, sample }));
            keep_effect(cx);
            let cx = cx.clone();
            // The worker's closure is running, so it is dropped afterwards.
            wasm_bindgen_futures::spawn_local(async move {
                HELPERS.with_borrow_mut(|helpers| drop(helpers.remove(&job)));
                begin(&cx);
            });
        }
    }
}

/// Stops from within a worker's closure, which must not be dropped while it runs.
fn later_stop(cx: &Cx, message: String) {
    let cx = cx.clone();
    wasm_bindgen_futures::spawn_local(async move { stop(&cx, Some(message)) });
}
