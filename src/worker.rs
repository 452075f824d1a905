//! The web worker: forwards commands from the page to a [`Session`] and events back. It owns the device and the run, so that
//! the page stays responsive and training continues in a hidden tab. On the CPU backend [`pool`] starts further workers.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use futures_channel::oneshot;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessageEvent};

use crate::gpu::interpret::has_room;
use crate::serve::Session;
use crate::wire::{Command, Event, frame};
use pool::Helpers;

mod pool;

/// Received commands that have not been handled yet.
#[derive(Default)]
struct Inbox {
    messages: VecDeque<(Command, Option<Vec<u8>>)>,
    /// Wakes the loop while it is idle.
    waker: Option<oneshot::Sender<()>>,
}

/// Reports a panic to the page before the worker terminates.
fn report_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    web_sys::console::error_1(&panic.to_string().into());
    let message = format!("The worker stopped unexpectedly: {panic}. Start a new run, or resume what was autosaved.");
    post(&scope, &Event::Failed { run: 0, message }, None);
}

/// Starts the worker's loop, which never ends.
pub fn start() {
    std::panic::set_hook(Box::new(report_panic));
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let inbox = Rc::new(RefCell::new(Inbox::default()));
    let receive = receiver(inbox.clone(), scope.clone());
    scope.set_onmessage(Some(receive.as_ref().unchecked_ref()));
    receive.forget(); // it lives as long as the worker
    wasm_bindgen_futures::spawn_local(run(scope, inbox));
}

fn receiver(inbox: Rc<RefCell<Inbox>>, scope: DedicatedWorkerGlobalScope) -> Closure<dyn FnMut(MessageEvent)> {
    Closure::new(move |event: MessageEvent| {
        match frame::decode(event.data()) {
            Ok((mut command, array)) => {
                let bytes = array.filter(|array| fits(&mut command, array, &scope)).map(|array| array.to_vec());
                let mut inbox = inbox.borrow_mut();
                inbox.messages.push_back((command, bytes));
                if let Some(waker) = inbox.waker.take() {
                    // The loop may have ended with an error, which it has already reported.
                    waker.send(()).ok();
                }
            }
            Err(error) => {
                let message = format!("The page sent a command that the worker does not know: {error}");
                post(&scope, &Event::Failed { run: 0, message }, None);
            }
        }
    })
}

/// Whether there is enough memory for the attached bytes. Texts that do not fit are refused, because the page sends them to
/// every new worker, which would run out of memory as well.
fn fits(command: &mut Command, array: &Uint8Array, scope: &DedicatedWorkerGlobalScope) -> bool {
    let Command::LoadFiles { files } = command else { return true };
    // One copy of the received bytes and one of the data decoded from them.
    let bytes = array.length() as usize;
    if has_room([bytes; 2]) {
        return true;
    }
    files.clear();
    let mib = bytes.div_ceil(1 << 20);
    let message = format!("There is not enough memory left for a text of {mib} MiB here; choose a smaller one.");
    post(scope, &Event::Notice { run: 0, message }, None);
    false
}

async fn run(scope: DedicatedWorkerGlobalScope, inbox: Rc<RefCell<Inbox>>) {
    let sink_scope = scope.clone();
    let sink = Box::new(move |event, bytes: Option<Vec<u8>>| post(&sink_scope, &event, bytes.as_deref()));
    let performance = scope.performance();
    let clock = Box::new(move || performance.as_ref().map_or_else(js_sys::Date::now, |p| p.now()) / 1000.0);
    let mut session = Session::new(sink, clock);
    session.lend(Rc::new(RefCell::new(Helpers::new(scope.clone()))));
    loop {
        while let Some((command, bytes)) = next(&inbox) {
            session.handle(command, bytes).await;
        }
        if session.work().await {
            next_task().await;
        } else {
            wait(&inbox).await;
        }
    }
}

fn next(inbox: &RefCell<Inbox>) -> Option<(Command, Option<Vec<u8>>)> {
    inbox.borrow_mut().messages.pop_front()
}

/// Waits for a message.
async fn wait(inbox: &RefCell<Inbox>) {
    let asleep = {
        let mut inbox = inbox.borrow_mut();
        if !inbox.messages.is_empty() {
            return;
        }
        let (waker, asleep) = oneshot::channel();
        inbox.waker = Some(waker);
        asleep
    };
    // A dropped waker also wakes the loop.
    asleep.await.unwrap_or_default();
}

/// Yields to the event loop so that pending messages are delivered. Uses a message channel, because timers are throttled in
/// hidden tabs.
async fn next_task() {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        if let Ok(channel) = MessageChannel::new() {
            channel.port1().set_onmessage(Some(&resolve));
            if channel.port2().post_message(&JsValue::NULL).is_ok() {
                return;
            }
        }
        // Calling a promise's own resolve function cannot fail.
        drop(resolve.call0(&JsValue::UNDEFINED));
    });
    // The promise is never rejected.
    drop(JsFuture::from(promise).await);
}

fn post(scope: &DedicatedWorkerGlobalScope, event: &Event, bytes: Option<&[u8]>) {
    let Some(frame) = frame::encode(event, bytes.map(Uint8Array::from).as_ref()) else { return };
    // Fails only for values that cannot be cloned, unlike text and bytes.
    drop(scope.post_message_with_transfer(&frame.message, &frame.transfer));
}
