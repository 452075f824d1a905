//! Carries the queue of runs out: sends the next run with its checkpoint to the worker, and stores runs, checkpoints and logs
//! in the browser's storage. One tab at a time does that.

use std::cell::RefCell;
use std::collections::BTreeSet;

use js_sys::Uint8Array;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::core::context::Cx;
use crate::core::download;
use crate::core::link::Batch;
use crate::core::locks::{self, Lock};
use crate::core::store;
use crate::scale::state::ScaleAction;
use crate::state::queue::{Item, QueueAction};
use crate::state::{Action, State};
use glasshead::wire::queue::{QueueCommand, QueueEvent};
use glasshead::wire::{Command, Event};

/// The description of stored queues and their checkpoints; the list of saved runs skips them.
const ABOUT: &str = "queue";

/// Keys of the queue and of the sweep.
const QUEUE: &str = "queue";
const SWEEP: &str = "queue.sweep";

const REFUSED: &str = "The queue could not be stored: this browser's storage is full or forbidden (as in a private window). \
    Runs go on, but a reload would lose them.";

/// Keys of checkpoints begin with this.
const RUN: &str = "queue-run.";

/// The key of a run's checkpoint.
fn key(id: &str) -> String {
    format!("{RUN}{id}")
}

#[derive(Default)]
struct Desk {
    lock: Option<Lock>,
    /// Whether something is being written, and whether it has changed meanwhile.
    busy: bool,
    again: bool,
    /// Runs that may have a stored checkpoint.
    known: BTreeSet<String>,
}

thread_local! {
    static DESK: RefCell<Desk> = RefCell::default();
}

fn with<T>(change: impl FnOnce(&mut Desk) -> T) -> T {
    DESK.with_borrow_mut(change)
}

/// Stores the checkpoints that the worker emitted.
pub fn receive(batch: &Batch, cx: &Cx) {
    for (event, bytes) in batch {
        let (Event::Queue(QueueEvent::Saved { id, .. }), Some(bytes)) = (event, bytes) else { continue };
        let (id, blob) = (id.clone(), download::blob(&Uint8Array::from(&bytes[..]), download::BYTES));
        let dispatcher = cx.state.dispatcher();
        with(|desk| desk.known.insert(id.clone()));
        spawn_local(async move {
            let stored = match blob {
                Ok(blob) => store::put(&key(&id), ABOUT, &blob).await.is_ok(),
                Err(_) => false,
            };
            if !stored {
                dispatcher.dispatch(Action::Queue(QueueAction::Problem(REFUSED.into())));
            }
        });
    }
}

/// The checkpoint of a run.
pub async fn checkpoint(id: &str) -> Option<Uint8Array> {
    store::get(&key(id)).await.ok()
}

/// Loads the queue once, and carries out what it needs after every change of the state.
#[hook]
pub fn use_queue(cx: &Cx) {
    use_load(cx);
    {
        let cx = cx.clone();
        use_effect_with((cx.state.queue.revision, cx.state.scale.revision), move |_| {
            if cx.state.queue.loaded && with(|desk| desk.lock.is_some()) {
                write(&cx);
            }
        });
    }
    {
        let cx = cx.clone();
        use_effect_with(cx.state.queue.next().map(|item| item.run.id.clone()), move |next| {
            let next = next.as_ref().and_then(|id| cx.state.queue.find(id)).cloned();
            next.into_iter().for_each(|item| send(&cx, item));
        });
    }
    {
        let cx = cx.clone();
        let stopping = !cx.state.queue.on && cx.state.queue.active.is_some();
        use_effect_with(stopping, move |&stopping| {
            if stopping {
                cx.send(&Command::Queue(QueueCommand::Stop));
            }
        });
    }
    {
        let cx = cx.clone();
        use_effect_with(cx.state.scale.measurements, move |&count| {
            let configs = cx.state.scale.waiting.clone();
            if count > 0 && !configs.is_empty() {
                let backend = cx.state.draft.backend;
                cx.send(&Command::Queue(QueueCommand::Measure { configs, backend }));
            }
        });
    }
}

#[hook]
fn use_load(cx: &Cx) {
    let cx = cx.clone();
    use_effect_with((), move |()| {
        let dispatcher = cx.state.dispatcher();
        spawn_local(async move {
            let Some(lock) = locks::take(QUEUE).await else {
                return dispatcher.dispatch(Action::Queue(QueueAction::Elsewhere));
            };
            with(|desk| desk.lock = Some(lock));
            let (sweep, queue) = (text(SWEEP).await, text(QUEUE).await);
            // Checkpoints of runs that are no longer in the queue are removed with the next write.
            let keys = store::list().await.into_iter().map(|(key, _)| key);
            let known = keys.filter_map(|key| key.strip_prefix(RUN).map(str::to_string)).collect();
            with(|desk| desk.known = known);
            dispatcher.dispatch(Action::Scale(ScaleAction::Loaded(sweep)));
            dispatcher.dispatch(Action::Queue(QueueAction::Loaded(queue)));
        });
    });
}

async fn text(key: &str) -> Option<String> {
    String::from_utf8(store::get(key).await.ok()?.to_vec()).ok()
}

/// Sends a run to the worker, with its checkpoint if there is one.
fn send(cx: &Cx, item: Item) {
    let Item { run, progress, saved, .. } = item;
    let id = run.id.clone();
    cx.act(Action::Queue(QueueAction::Sent(id.clone())));
    let cx = cx.clone();
    spawn_local(async move {
        let bytes = match saved {
            Some(_) => checkpoint(&id).await,
            None => None,
        };
        // The handle dereferences to the latest state.
        if cx.state.queue.on {
            cx.send_outgoing((Command::Queue(QueueCommand::Run { run: Box::new(run), progress }), bytes));
        } else {
            cx.act(Action::Queue(QueueAction::NotSent(id)));
        }
    });
}

/// Writes queue and sweep, and removes the checkpoints of runs that were removed.
fn write(cx: &Cx) {
    let busy = with(|desk| {
        desk.again = desk.busy;
        std::mem::replace(&mut desk.busy, true)
    });
    if busy {
        return;
    }
    // A handle keeps every state that it has read alive, so a short-lived clone reads this one.
    let cx = cx.clone();
    spawn_local(async move {
        loop {
            let state: &State = &cx.state;
            let ids: BTreeSet<String> = state.queue.items.iter().map(|item| item.run.id.clone()).collect();
            let sweep = serde_json::to_string(&state.scale.sweep).unwrap_or_default();
            let stored = put(SWEEP, &sweep).await && put(QUEUE, &state.queue.to_json()).await;
            if !stored {
                cx.act(Action::Queue(QueueAction::Problem(REFUSED.into())));
            }
            let removed: Vec<String> = with(|desk| {
                let removed = desk.known.difference(&ids).cloned().collect();
                desk.known = ids;
                removed
            });
            for id in removed {
                // Only space in the storage is lost if it stays.
                drop(store::delete(&key(&id)).await);
            }
            if !with(|desk| std::mem::replace(&mut desk.again, false)) {
                break with(|desk| desk.busy = false);
            }
        }
    });
}

async fn put(key: &str, text: &str) -> bool {
    match download::blob(&Uint8Array::from(text.as_bytes()), download::BYTES) {
        Ok(blob) => store::put(key, ABOUT, &blob).await.is_ok(),
        Err(_) => false,
    }
}
