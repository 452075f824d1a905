//! Helper workers started by this worker: each runs the same program in its own memory.

use std::cell::RefCell;
use std::rc::Rc;

use futures_channel::oneshot;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::config::RunConfig;
use crate::parallel::measure::{date_ms, spin};
use crate::parallel::pool::{Answer, PoolError, Rounds, WorkerPool};
use crate::parallel::shard::{ShardGradients, shard_config};
use crate::wire::frame::{self, Frame};
use crate::wire::workers::{WorkersCommand, WorkersEvent};
use crate::wire::{Command, Event};

/// Worker name of a helper, shown in debuggers.
const NAME: &str = "helper";

/// Interval between checks for overdue replies, in milliseconds.
const LOOK_MS: i32 = 500;

/// Timeout of a helper's first reply, which includes its startup.
const FIRST_MS: f64 = 60_000.0;

/// Timeout of later replies: this many milliseconds, plus `PATIENCE_FACTOR` times the time this worker took for its own
/// shard.
const PATIENCE_MS: f64 = 10_000.0;
const PATIENCE_FACTOR: f64 = 10.0;

/// How long before the window starts a spin command is sent, in milliseconds.
const LEAD_MS: f64 = 6.0;

/// How long a measurement waits for a helper that may still be starting, in milliseconds.
const SPIN_MS: f64 = 2_000.0;

type Result<T> = std::result::Result<T, PoolError>;

/// The helper workers of this worker.
pub struct Helpers {
    scope: DedicatedWorkerGlobalScope,
    helpers: Vec<Helper>,
}

impl Helpers {
    /// Starts without helpers.
    pub fn new(scope: DedicatedWorkerGlobalScope) -> Self {
        Self { scope, helpers: Vec::new() }
    }

    /// The helper at `index`, if it exists.
    fn helper(&self, index: usize) -> Option<&Helper> {
        self.helpers.get(index)
    }
}

impl WorkerPool for Helpers {
    fn call(&mut self, n: usize) {
        // Failed helpers are replaced; surplus ones are terminated.
        self.helpers.retain(|helper| helper.line.borrow().broken.is_none());
        self.helpers.truncate(n);
        while self.helpers.len() < n {
            match Helper::start(&self.scope) {
                Ok(helper) => self.helpers.push(helper),
                Err(_) => return, // `prepare` reports the shortage
            }
        }
    }

    fn spin(&mut self, n: usize, ms: u32) -> Rounds {
        if self.helpers.len() + 1 < n {
            self.call(n - 1);
        }
        let from_ms = date_ms() + LEAD_MS;
        let window = (from_ms, from_ms + f64::from(ms));
        let answers: Vec<_> = self.helpers.iter().take(n - 1).map(|helper| helper.spin(window)).collect();
        let own = spin(window.0, window.1);
        Box::pin(async move {
            let mut rounds = vec![own];
            for answer in answers {
                rounds.push(answer.await.unwrap_or(0)); // it failed or did not start in time
            }
            rounds
        })
    }

    fn prepare(&mut self, config: &RunConfig, sizes: &[usize]) -> Result<()> {
        self.call(sizes.len());
        if self.helpers.len() < sizes.len() {
            return Err(PoolError::NotStarted);
        }
        for (helper, &size) in self.helpers.iter().zip(sizes) {
            helper.begin();
            let config = Box::new(shard_config(config, size));
            helper.send(&WorkersCommand::Prepare { config }, None);
        }
        Ok(())
    }

    fn send(&mut self, helper: usize, params: &[f32], windows: &[u32]) {
        let Some(helper) = self.helper(helper) else { return };
        let parts: [&[u8]; 2] = [bytemuck::cast_slice(params), bytemuck::cast_slice(windows)];
        let bytes = Uint8Array::new_with_length((parts[0].len() + parts[1].len()) as u32);
        let middle = parts[0].len() as u32;
        bytes.subarray(0, middle).copy_from(parts[0]);
        bytes.subarray(middle, bytes.length()).copy_from(parts[1]);
        let order = helper.next_order(now_ms(&self.scope));
        helper.send(&WorkersCommand::Gradients { order }, Some(bytes));
    }

    fn receive(&mut self, helper: usize) -> Answer {
        match self.helper(helper) {
            Some(helper) => helper.receive(now_ms(&self.scope)),
            None => Box::pin(async { Err(PoolError::Missing) }),
        }
    }
}

/// A helper worker with the callbacks of its messages and timers.
struct Helper {
    worker: Worker,
    line: Rc<RefCell<Line>>,
    scope: DedicatedWorkerGlobalScope,
    timer: Option<i32>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(web_sys::Event)>,
    _look_after: Closure<dyn FnMut()>,
}

/// State of the communication with a helper.
#[derive(Default)]
struct Line {
    listening: bool,
    /// Messages to be sent once the helper is ready.
    waiting: Vec<Frame>,
    /// Number of the latest request; replies to older ones belong to a previous run and are dropped.
    order: u32,
    answer: Option<ShardGradients>,
    receiver: Option<oneshot::Sender<Result<ShardGradients>>>,
    /// Receives the reply to the latest [`WorkersCommand::Spin`]; with its request number and deadline.
    spun: Option<(oneshot::Sender<u64>, u32, f64)>,
    /// Why the helper can no longer reply.
    broken: Option<PoolError>,
    /// When the last shard was sent to the helper.
    asked_ms: f64,
    /// When the reply is overdue.
    deadline_ms: f64,
    /// Whether the helper has replied before.
    answered: bool,
}

impl Line {
    fn hear(&mut self, order: u32, answer: ShardGradients) {
        if order != self.order {
            return;
        }
        self.answered = true;
        match self.receiver.take() {
            // The receiver was dropped together with the run that sent the request.
            Some(receiver) => drop(receiver.send(Ok(answer))),
            None => self.answer = Some(answer),
        }
    }

    fn hear_rounds(&mut self, order: u32, rounds: u64) {
        if let Some((sender, ..)) = self.spun.take_if(|(_, expected, _)| *expected == order) {
            sender.send(rounds).ok(); // the measurement may be over
        }
    }

    fn fail(&mut self, reason: PoolError) {
        self.spun = None;
        if let Some(receiver) = self.receiver.take() {
            drop(receiver.send(Err(reason.clone()))); // the run may be over
        }
        self.broken.get_or_insert(reason);
    }
}

impl Helper {
    fn start(scope: &DedicatedWorkerGlobalScope) -> Result<Self> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(NAME);
        let refused = |_| PoolError::NotStarted;
        let worker = Worker::new_with_options(&address(), &options).map_err(refused)?;
        let line: Rc<RefCell<Line>> = Rc::default();
        let on_message = receiver(worker.clone(), line.clone());
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        let on_error: Closure<dyn FnMut(web_sys::Event)> = {
            let line = line.clone();
            Closure::new(move |event: web_sys::Event| {
                event.prevent_default(); // reported as a message instead
                line.borrow_mut().fail(PoolError::Stopped);
            })
        };
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        let look_after: Closure<dyn FnMut()> = {
            let (line, scope) = (line.clone(), scope.clone());
            Closure::new(move || {
                let mut line = line.borrow_mut();
                line.spun.take_if(|(_, _, deadline_ms)| now_ms(&scope) > *deadline_ms);
                if line.receiver.is_some() && now_ms(&scope) > line.deadline_ms {
                    line.fail(PoolError::Overdue);
                }
            })
        };
        let callback = look_after.as_ref().unchecked_ref();
        let timer = scope.set_interval_with_callback_and_timeout_and_arguments_0(callback, LOOK_MS).ok();
        // Shares the compiled module. A module can be posted, so this does not fail.
        drop(worker.post_message(&wasm_bindgen::module()));
        let (_on_message, _on_error, _look_after) = (on_message, on_error, look_after);
        Ok(Self { worker, line, scope: scope.clone(), timer, _on_message, _on_error, _look_after })
    }

    fn send(&self, command: &WorkersCommand, bytes: Option<Uint8Array>) {
        let command = Command::Workers(command.clone());
        let Some(frame) = frame::encode(&command, bytes.as_ref()) else { return };
        let mut line = self.line.borrow_mut();
        match line.listening {
            true => post(&self.worker, &frame),
            false => line.waiting.push(frame),
        }
    }

    fn spin(&self, (from_ms, to_ms): (f64, f64)) -> oneshot::Receiver<u64> {
        let (sender, answer) = oneshot::channel();
        let now_ms = now_ms(&self.scope);
        let order = self.next_order(now_ms);
        let mut line = self.line.borrow_mut();
        if line.broken.is_none() {
            line.spun = Some((sender, order, now_ms + SPIN_MS));
        }
        drop(line);
        self.send(&WorkersCommand::Spin { order, from_ms, to_ms }, None);
        answer
    }

    /// The helper receives a different model; preparing it takes longer than a normal reply.
    fn begin(&self) {
        let mut line = self.line.borrow_mut();
        (line.receiver, line.answered) = (None, false);
    }

    fn next_order(&self, now_ms: f64) -> u32 {
        let mut line = self.line.borrow_mut();
        (line.order, line.answer, line.asked_ms) = (line.order.wrapping_add(1), None, now_ms);
        line.order
    }

    fn receive(&self, now_ms: f64) -> Answer {
        let mut line = self.line.borrow_mut();
        if let Some(answer) = line.answer.take() {
            return Box::pin(async { Ok(answer) });
        }
        if let Some(reason) = line.broken.clone() {
            return Box::pin(async { Err(reason) });
        }
        let patience = PATIENCE_MS + PATIENCE_FACTOR * (now_ms - line.asked_ms);
        line.deadline_ms = now_ms + if line.answered { patience } else { patience.max(FIRST_MS) };
        let (sender, answer) = oneshot::channel();
        line.receiver = Some(sender);
        Box::pin(async { answer.await.unwrap_or(Err(PoolError::Dismissed)) })
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.scope.clear_interval_with_handle(timer);
        }
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

fn receiver(worker: Worker, line: Rc<RefCell<Line>>) -> Closure<dyn FnMut(MessageEvent)> {
    Closure::new(move |message: MessageEvent| {
        let Ok((event, bytes)) = frame::decode::<Event>(message.data()) else { return };
        let bytes = bytes.map(|bytes| bytes.to_vec());
        let mut line = line.borrow_mut();
        match event {
            Event::Listening => {
                line.listening = true;
                let waiting = std::mem::take(&mut line.waiting);
                waiting.iter().for_each(|frame| post(&worker, frame));
            }
            Event::Workers { event: WorkersEvent::Gradients { order }, .. } => {
                match bytes.as_deref().and_then(ShardGradients::from_bytes) {
                    Some(answer) => line.hear(order, answer),
                    None => line.fail(PoolError::Empty),
                }
            }
            Event::Workers { event: WorkersEvent::Spun { order, rounds }, .. } => line.hear_rounds(order, rounds),
            Event::Failed { message, .. } => line.fail(PoolError::Failed(message)),
            _ => (),
        }
    })
}

fn post(worker: &Worker, frame: &Frame) {
    // Fails only for values that cannot be cloned, unlike text and bytes.
    drop(worker.post_message_with_transfer(&frame.message, &frame.transfer));
}

/// URL of the script that started this worker.
fn address() -> String {
    let get = |object: &JsValue, key: &str| js_sys::Reflect::get(object, &key.into()).unwrap_or_default();
    get(&get(&js_sys::global(), "location"), "href").as_string().unwrap_or_default()
}

fn now_ms(scope: &DedicatedWorkerGlobalScope) -> f64 {
    scope.performance().map_or_else(js_sys::Date::now, |performance| performance.now())
}
