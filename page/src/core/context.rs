//! The context of every component: the state, its dispatcher, and the connection to the worker. It imports no view; what views
//! add to the connection are [`Hooks`].

use std::cell::RefCell;
use std::rc::Rc;

use gloo_events::{EventListener, EventListenerOptions};
use js_sys::Uint8Array;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use super::files::Kept;
use super::link::{Batch, Link, Outgoing, RUN_BATCH_MS};
use super::questions::Questions;
use crate::state::{Action, RunState, State, View};
use glasshead::wire::align::AlignCommand;
use glasshead::wire::data::DataEvent;
use glasshead::wire::{Command, Event};

impl Reducible for State {
    type Action = Action;

    fn reduce(self: Rc<Self>, action: Action) -> Rc<Self> {
        let mut next = (*self).clone();
        next.apply(action);
        next.into()
    }
}

/// The connection to the worker, once opened.
type Line = Rc<RefCell<Option<Link>>>;

/// Context for every component: the state, its dispatcher, and the connection to the worker.
#[derive(Clone, Properties)]
pub struct Cx {
    /// The state and its dispatcher.
    pub state: UseReducerHandle<State>,
    /// [`State::version`] at render time; the handle itself always dereferences to the latest state.
    pub version: u64,
    pub line: Line,
    /// The connection to the second worker, which handles vocabulary requests.
    pub questions: Rc<Questions>,
    /// Data that a new worker has to receive again.
    pub kept: Rc<RefCell<Kept>>,
    /// What the views add to the connection.
    pub hooks: &'static Hooks,
}

/// What the views add to the connection to the worker.
pub struct Hooks {
    /// Called with each batch of events before the state applies it.
    pub receive: fn(&Cx, &Batch),
    /// Called after the state has applied it; true if it lists the tasks.
    pub applied: fn(&Cx, bool),
    /// Called when a worker is listening.
    pub listening: fn(&Cx),
    /// The commands that every new worker needs first.
    pub greeting: fn(&Cx) -> Vec<Command>,
}

impl PartialEq for Cx {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

impl Cx {
    /// A context for components that do not show pointer state, so that pointer movement does not rerender them.
    pub fn calm(&self) -> Self {
        Self { version: self.state.settled, ..self.clone() }
    }

    /// A context for a drawer, popover or menu: while it is closed, the progress of training does not rerender it.
    pub fn for_overlay(&self, open: bool) -> Self {
        Self { version: if open { self.state.settled } else { self.state.quiet }, ..self.clone() }
    }

    /// A context that changes neither with pointer movement nor with the progress of training.
    pub fn quiet(&self) -> Self {
        Self { version: self.state.quiet, ..self.clone() }
    }

    /// A context that does not change while `open` is false, so that hidden components are not rendered again.
    pub fn frozen_unless(&self, open: bool) -> Self {
        Self { version: if open { self.state.settled } else { 0 }, ..self.clone() }
    }

    /// A callback that dispatches an action.
    pub fn on<E: 'static>(&self, action: Action) -> Callback<E> {
        let cx = self.clone();
        Callback::from(move |_| cx.act(action.clone()))
    }

    /// A callback that runs `run` with this context and the event.
    pub fn call<E: 'static>(&self, run: impl Fn(&Self, E) + 'static) -> Callback<E> {
        let cx = self.clone();
        Callback::from(move |event| run(&cx, event))
    }

    /// Dispatches an action.
    pub fn act(&self, action: Action) {
        self.state.dispatch(action);
    }

    /// Sends a command to the worker.
    pub fn send(&self, command: &Command) {
        if let Some(link) = &*self.line.borrow() {
            link.send(command);
        }
    }

    /// Changes settings, and sends the training settings to the worker if the run adopts any of them.
    pub fn change_settings(&self, action: Action) {
        let mut next = (*self.state).clone();
        next.apply(action.clone());
        if let Some(train) = next.run_train().filter(|train| self.state.run_train().as_ref() != Some(train)) {
            self.send(&Command::Tune { train });
        }
        self.act(action);
    }

    /// Starts a new run from the draft.
    pub fn restart(&self) {
        self.send_or_connect(self.state.start_command(), None);
        self.act(Action::Started);
    }

    /// Sends a command that creates a run. After a failure, a new worker is started first.
    pub fn send_or_connect(&self, command: Command, bytes: Option<Uint8Array>) {
        let failed = matches!(self.state.run_state, RunState::Failed(_));
        if let Some(link) = self.line.borrow().as_ref().filter(|_| !failed) {
            return link.send_either((command, bytes));
        }
        let cx = self.clone();
        spawn_local(async move {
            let mut first = cx.kept_messages().await;
            first.extend((cx.hooks.greeting)(&cx).into_iter().map(|command| (command, None)));
            first.push((command, bytes));
            connect(&cx, first);
        });
    }

    /// Sends a command to the worker, with or without bytes.
    pub fn send_outgoing(&self, outgoing: Outgoing) {
        if let Some(link) = &*self.line.borrow() {
            link.send_either(outgoing);
        }
    }

    /// Sends a command with bytes, which are transferred.
    pub fn send_with(&self, command: &Command, bytes: &Uint8Array) {
        if let Some(link) = &*self.line.borrow() {
            link.send_with(command, bytes);
        }
    }

    /// Starts or pauses training.
    pub fn toggle_training(&self) {
        if self.state.view == View::Align {
            let align = &self.state.align;
            let command = if align.running { AlignCommand::Pause } else { AlignCommand::Train };
            return self.send(&Command::Align(command));
        }
        match self.state.run_state {
            RunState::Training => self.send(&Command::Pause),
            _ if self.state.can_train() => self.send(&Command::Train),
            _ => (),
        }
    }

    /// Trains one step.
    pub fn step(&self) {
        if self.state.view == View::Align {
            return self.send(&Command::Align(AlignCommand::Step));
        }
        if self.state.can_train() {
            self.send(&Command::Step);
        }
    }
}

/// Starts the worker and sends it `first` as soon as it is listening.
pub fn connect(cx: &Cx, first: Vec<Outgoing>) {
    let receive = {
        let (cx, first) = (cx.clone(), RefCell::new(first));
        Rc::new(move |batch: Batch| {
            // A handle keeps every state that it has read alive, so this clone is dropped after the batch.
            let cx = cx.clone();
            if batch.iter().any(|(event, _)| matches!(event, Event::Listening))
                && let Some(link) = &*cx.line.borrow()
            {
                first.take().into_iter().for_each(|message| link.send_either(message));
                (cx.hooks.listening)(&cx);
            }
            (cx.hooks.receive)(&cx, &batch);
            batch.iter().for_each(|(event, bytes)| cx.pass_on(event, bytes.as_deref()));
            let tasks = batch.iter().any(|(event, _)| matches!(event, Event::Data(DataEvent::Tasks { .. })));
            cx.act(Action::Events(batch));
            (cx.hooks.applied)(&cx, tasks);
        })
    };
    match Link::start(receive, RUN_BATCH_MS) {
        Ok(link) => drop(cx.line.replace(Some(link))),
        Err(message) => cx.act(Action::Events(vec![(Event::Failed { run: 0, message }, None)])),
    }
}

/// Calls `listener` on every `event` of the window until the returned function is called.
pub fn on_window(event: &'static str, listener: impl Fn(web_sys::Event) + 'static) -> impl FnOnce() {
    // Without this, the browser ignores `prevent_default`.
    let options = EventListenerOptions::enable_prevent_default();
    let listening = web_sys::window()
        .map(|window| EventListener::new_with_options(&window, event, options, move |event| listener(event.clone())));
    move || drop(listening)
}
