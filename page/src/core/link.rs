//! The page's end of the connection to a worker.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Worker, WorkerOptions, WorkerType};

use glasshead::wire::{Command, Event, frame};

/// Events since the last delivery, with their attached bytes.
pub type Batch = Vec<(Event, Option<Rc<[u8]>>)>;

/// A command and its attached bytes.
pub type Outgoing = (Command, Option<Uint8Array>);

/// How long a run's events are batched, so that the page renders at most about ten times a second.
pub const RUN_BATCH_MS: i32 = 80;

/// How long responses to typing are batched.
pub const ANSWER_BATCH_MS: i32 = 10;

/// The worker and the closures that handle its messages.
pub struct Link {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(web_sys::Event)>,
}

impl Link {
    /// Starts a worker; `receive` gets its events in batches of `batch_ms`.
    ///
    /// # Errors
    /// A message if the browser refuses to start the worker.
    pub fn start(receive: Rc<dyn Fn(Batch)>, batch_ms: i32) -> Result<Self, String> {
        let worker = start_worker()?;
        let inbox: Rc<RefCell<Batch>> = Rc::default();
        let on_message = receiver(inbox.clone(), receive.clone(), batch_ms);
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        let on_error: Closure<dyn FnMut(web_sys::Event)> = Closure::new(move |_| {
            let message =
                "The worker stopped unexpectedly. Start a new run, or continue from the latest autosave.".into();
            // Appended after earlier events: an event that says the run is loading would otherwise hide the failure.
            let mut batch = std::mem::take(&mut *inbox.borrow_mut());
            batch.push((Event::Failed { run: 0, message }, None));
            receive(batch);
        });
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Self { worker, _on_message: on_message, _on_error: on_error })
    }

    /// Sends a command.
    pub fn send(&self, command: &Command) {
        self.post(command, None);
    }

    /// Sends a command with bytes, which are transferred.
    pub fn send_with(&self, command: &Command, bytes: &Uint8Array) {
        self.post(command, Some(bytes));
    }

    /// Sends a command with or without bytes.
    pub fn send_either(&self, (command, bytes): Outgoing) {
        self.post(&command, bytes.as_ref());
    }

    fn post(&self, command: &Command, bytes: Option<&Uint8Array>) {
        post(&self.worker, command, bytes);
    }
}

/// Starts another worker that runs the same program.
///
/// # Errors
/// A message if the browser refuses to start it.
pub fn start_worker() -> Result<Worker, String> {
    let refused = "the browser did not start the worker; reload the page";
    let document = web_sys::window().and_then(|window| window.document()).ok_or(refused)?;
    let boot = document.get_element_by_id("boot").and_then(|script| script.get_attribute("src")).ok_or(refused)?;
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    let worker = Worker::new_with_options(&boot, &options).map_err(|_| refused)?;
    // Shares the compiled module with the worker. Modules can be posted, so this cannot fail.
    drop(worker.post_message(&wasm_bindgen::module()));
    Ok(worker)
}

/// Sends a command to a worker; the bytes are transferred.
pub fn post(worker: &Worker, command: &Command, bytes: Option<&Uint8Array>) {
    let Some(frame) = frame::encode(command, bytes) else { return };
    // Fails only for values that cannot be cloned; text and bytes can.
    drop(worker.post_message_with_transfer(&frame.message, &frame.transfer));
}

impl Drop for Link {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

/// Collects events and delivers them after `batch_ms`.
fn receiver(inbox: Rc<RefCell<Batch>>, receive: Rc<dyn Fn(Batch)>, batch_ms: i32) -> Closure<dyn FnMut(MessageEvent)> {
    let flush: Rc<Closure<dyn FnMut()>> = {
        let inbox = inbox.clone();
        Rc::new(Closure::new(move || receive(std::mem::take(&mut *inbox.borrow_mut()))))
    };
    Closure::new(move |message: MessageEvent| {
        let Ok((event, bytes)) = frame::decode(message.data()) else { return };
        let bytes = bytes.map(|bytes| Rc::from(bytes.to_vec()));
        let first = inbox.borrow().is_empty();
        inbox.borrow_mut().push((event, bytes));
        if first && let Some(window) = web_sys::window() {
            let callback = flush.as_ref().as_ref().unchecked_ref();
            // Fails only in environments without timers.
            drop(window.set_timeout_with_callback_and_timeout_and_arguments_0(callback, batch_ms));
        }
    })
}
