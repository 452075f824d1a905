//! The web worker: pumps commands from the page into a [`Session`] and events back. It owns the device and the run,
//! so that the page stays free, and it goes on in a hidden tab. On the CPU backend [`crew`] starts further workers.
//!
//! A message is an array: `[json]`, or `[json, bytes]` with the bytes transferred.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use futures_channel::oneshot;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessageEvent};

use crate::gpu::interpret::has_room;
use crate::protocol::{Command, Event};
use crate::train::session::Session;
use crew::Helpers;

mod crew;

/// Commands that came in and were not handled yet.
#[derive(Default)]
struct Inbox {
    messages: VecDeque<(Command, Option<Vec<u8>>)>,
    /// Wakes the loop when it has nothing to do.
    waker: Option<oneshot::Sender<()>>,
}

/// Tells the page why the worker ends, which happens right after.
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
        let parts: Array = event.data().unchecked_into();
        let array = parts.get(1).dyn_into::<Uint8Array>().ok();
        match serde_json::from_str(&parts.get(0).as_string().unwrap_or_default()) {
            Ok(mut command) => {
                let bytes = array.filter(|array| fits(&mut command, array, &scope)).map(|array| array.to_vec());
                let mut inbox = inbox.borrow_mut();
                inbox.messages.push_back((command, bytes));
                if let Some(waker) = inbox.waker.take() {
                    // The loop may have ended with an error that it reported already.
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

/// Whether there is memory for what rides along. Texts that have none are refused: every new worker is given them again,
/// and each would die of them.
fn fits(command: &mut Command, array: &Uint8Array, scope: &DedicatedWorkerGlobalScope) -> bool {
    let Command::LoadFiles { files } = command else { return true };
    // Once as they come, once as what is made of them.
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

/// Sleeps until a message comes.
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
    // A dropped waker wakes as well.
    asleep.await.unwrap_or_default();
}

/// Lets waiting messages in. A message channel, because timers are slowed down in hidden tabs.
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
    let Ok(json) = serde_json::to_string(event) else { return };
    let (message, transfer) = (Array::of1(&json.into()), Array::new());
    if let Some(bytes) = bytes {
        let array = Uint8Array::from(bytes);
        transfer.push(&array.buffer());
        message.push(&array);
    }
    // Fails only for things that cannot be cloned, and text and bytes can.
    drop(scope.post_message_with_transfer(&message, &transfer));
}
