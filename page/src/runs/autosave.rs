//! Autosaves: saves the run at a fixed interval, so that a reload or a crash loses at most that many seconds. Each run
//! has a rotation of two files, and a file replaces the old one only when it is completely written ([`store`]), so one
//! of the two is always intact. Each file has its own checksum, which is verified on reading.

use std::cell::RefCell;

use js_sys::{Date, Math, Uint8Array};
use wasm_bindgen_futures::spawn_local;
use yew::UseReducerDispatcher;

use crate::core::context::Cx;
use crate::core::download;
use crate::core::link::Batch;
use crate::core::locks;
use crate::core::locks::Lock;
use crate::core::preferences;
use crate::core::store;
use crate::runs::checkpoints;
use crate::runs::checkpoints::Kept;
use crate::state::Action;
use crate::state::State;
use crate::state::autosave::{Autosave, files_of, key, new_run, next_generation, pair, run_of};
use crate::state::runs::RunsAction;
use glasshead::types::RunId;
use glasshead::types::runs::CheckpointInfo;
use glasshead::wire::Event;
use glasshead::wire::runs::RunsEvent;

/// The name of the field, and the key of its value in the preferences.
const PREFERENCE: &str = "save_every";

/// Maximum number of autosaved runs; beyond it, the oldest is deleted.
const MAX_RUNS: usize = 3;

const REFUSED: &str = "This step was not saved automatically: this browser's storage is full or forbidden (as in a private window). \
    What is listed here stays. Training goes on; save the run as a file from time to time.";
const ELSEWHERE: &str = "Another tab has this run open: what this one trains is kept under a name of its own.";
const DAMAGED: &str = "The latest copy of this run is damaged; it goes on from the one before.";

/// The run that is being autosaved.
struct Keeping {
    run: RunId,
    /// The prefix of its keys.
    name: String,
    generation: u8,
    /// Prevents other tabs from autosaving under this name.
    _lock: Lock,
}

/// An autosave that is waiting to be written.
struct Copied {
    run: RunId,
    about: CheckpointInfo,
    /// None if the browser refused to create it.
    blob: Option<web_sys::Blob>,
}

#[derive(Default)]
struct Desk {
    keeping: Option<Keeping>,
    /// Whether an autosave is being written.
    busy: bool,
    /// The latest autosave that arrived during a write.
    waiting: Option<Copied>,
    /// The key of the autosave that was sent to the worker, and of the older one in its rotation.
    sent: Option<(String, Option<String>)>,
    /// The run that was resumed from an autosave, and its key.
    resumed: Option<(RunId, String)>,
}

thread_local! {
    static DESK: RefCell<Desk> = RefCell::default();
}

fn with<T>(change: impl FnOnce(&mut Desk) -> T) -> T {
    DESK.with_borrow_mut(change)
}

/// The autosave settings of an earlier visit.
pub fn remembered() -> Autosave {
    let mut autosave = Autosave::default();
    if let Some(entry) = preferences::load(PREFERENCE) {
        drop(autosave.set(&entry)); // the stored value was validated before
    }
    autosave
}

/// Applies an entry in the autosave interval field.
pub fn set(cx: &Cx, entry: &str) {
    let mut autosave = cx.state.runs.autosave.clone();
    match autosave.set(entry) {
        Err(error) => cx.act(Action::Refuse(PREFERENCE, entry.into(), error.to_string())),
        Ok(()) => {
            cx.act(Action::Accept(PREFERENCE));
            preferences::save(PREFERENCE, entry.trim());
            cx.send(&autosave.command());
            cx.act(Action::Runs(RunsAction::SaveEvery(autosave.every)));
        }
    }
}

/// Records which file the run being sent to the worker comes from: the keys of an autosave and of the older one, or
/// none for other files.
pub fn sending(copy: Option<(String, Option<String>)>) {
    with(|desk| desk.sent = copy);
}

/// Stores the autosaves that the worker emitted, and falls back to the older file if the newer one is damaged.
pub fn receive(batch: &Batch, cx: &Cx) {
    for (event, bytes) in batch {
        let Event::Runs { run, event } = event else { continue };
        match (event, bytes) {
            (RunsEvent::Copied { about }, Some(bytes)) => keep(*run, about, bytes, cx),
            (RunsEvent::ResumeFailed { .. }, _) => {
                let older = with(|desk| desk.sent.take()).and_then(|(_, older)| older);
                older.into_iter().for_each(|older| go_back(cx, older, cx.state.runs.loading_name()));
            }
            (RunsEvent::Resumed { .. }, _) => {
                with(|desk| desk.resumed = desk.sent.take().map(|(key, _)| (*run, key)));
            }
            _ => (),
        }
    }
}

fn go_back(cx: &Cx, older: String, name: Option<String>) {
    // A handle keeps every state that it has read alive, so a short-lived clone reads this one.
    let cx = cx.clone();
    spawn_local(async move {
        if let Ok(bytes) = store::get(&older).await {
            let cx = cx.clone();
            checkpoints::resume_bytes(&cx, bytes, Some((older, None)), name);
            cx.act(Action::Runs(RunsAction::Message(DAMAGED.into())));
        }
    });
}

fn keep(run: RunId, about: &CheckpointInfo, bytes: &[u8], cx: &Cx) {
    let about = CheckpointInfo { name: cx.state.runs.name.clone(), ..about.clone() };
    let blob = download::blob(&Uint8Array::from(bytes), download::BYTES).ok();
    let copy = Copied { run, about, blob };
    // If storage is slower than the autosaves arrive, the latest waits: it may be the one made on pausing.
    let Some(copy) = with(|desk| {
        if desk.busy {
            desk.waiting = Some(copy);
            return None;
        }
        desk.busy = true;
        Some(copy)
    }) else {
        return;
    };
    let dispatcher = cx.state.dispatcher();
    spawn_local(async move {
        let mut next = Some(copy);
        while let Some(copy) = next {
            let said = write(copy, &dispatcher).await;
            next = with(|desk| desk.waiting.take());
            with(|desk| desk.busy = next.is_some());
            dispatcher.dispatch(Action::Runs(RunsAction::SavedByItself(said)));
            forget_old(&dispatcher).await;
        }
    });
}

/// Writes an autosave; returns the message to show.
async fn write(copy: Copied, dispatcher: &UseReducerDispatcher<State>) -> String {
    let step = copy.about.step;
    let Some(blob) = copy.blob else { return REFUSED.into() };
    let key = key_for(copy.run, dispatcher).await;
    let json = serde_json::to_string(&Kept::now(copy.about, &blob)).unwrap_or_default();
    if store::put(&key, &json, &blob).await.is_err() {
        return REFUSED.into();
    }
    with(|desk| desk.keeping.iter_mut().for_each(|keeping| keeping.generation ^= 1));
    format!("Saved automatically at step {step}, {}.", checkpoints::clock(&Date::new_0()))
}

/// The key of the run's next autosave: under its previous name, unless another tab is using that.
async fn key_for(run: RunId, dispatcher: &UseReducerDispatcher<State>) -> String {
    if with(|desk| desk.keeping.as_ref().is_none_or(|keeping| keeping.run != run)) {
        let resumed = with(|desk| {
            desk.keeping = None;
            desk.resumed.take()
        });
        let key = resumed.filter(|(resumed, _)| *resumed == run).map(|(_, key)| key);
        let before = key.and_then(|key| Some((run_of(&key)?.to_string(), next_generation(&key))));
        let mut taken = None;
        if let Some((name, generation)) = before {
            match locks::take(&name).await {
                Some(lock) => taken = Some((name, generation, lock)),
                None => dispatcher.dispatch(Action::Runs(RunsAction::Message(ELSEWHERE.into()))),
            }
        }
        let (name, generation, lock) = match taken {
            Some(taken) => taken,
            None => loop {
                let name = new_run(Date::now(), Math::random());
                if let Some(lock) = locks::take(&name).await {
                    break (name, 0, lock);
                }
            },
        };
        with(|desk| desk.keeping = Some(Keeping { run, name, generation, _lock: lock }));
    }
    with(|desk| desk.keeping.as_ref().map_or_else(String::new, |keeping| key(&keeping.name, keeping.generation)))
}

/// Deletes the oldest autosaved runs and lists the rest.
async fn forget_old(dispatcher: &UseReducerDispatcher<State>) {
    let kept = pair(checkpoints::kept().await);
    for old in kept.iter().filter(|kept| run_of(&kept.key).is_some()).skip(MAX_RUNS) {
        for key in files_of(&old.key) {
            // A file that cannot be deleted stays in the list.
            drop(store::delete(&key).await);
        }
    }
    checkpoints::list(dispatcher.clone()).await;
}
