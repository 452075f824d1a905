//! The page as a whole: state, worker, keyboard, dropped files, layout.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{DragEvent, File};
use yew::prelude::*;

use super::checkpoints;
use super::components::accounting::Accounting;
use super::components::attention::Attention;
use super::components::checkpoints::Checkpoints;
use super::components::detail::Detail;
use super::components::header::{Header, Transport};
use super::components::loss::Loss;
use super::components::setup::SetupPanel;
use super::components::status::{Banners, Help};
use super::components::writing::Writing;
use super::draw::colors::ColorMap;
use super::link::{Batch, Link};
use super::state::{Action, State, Theme};
use super::{keys, preferences};
use crate::config::rules::Rules;
use crate::protocol::runs::RunsCommand;
use crate::protocol::{Command, Event};

/// Mounts the page.
pub fn start() {
    let root = web_sys::window().and_then(|window| window.document()).and_then(|d| d.get_element_by_id("app"));
    if let Some(root) = root {
        root.set_inner_html("");
        yew::Renderer::<App>::with_root(root).render();
    }
}

impl Reducible for State {
    type Action = Action;

    fn reduce(self: Rc<Self>, action: Action) -> Rc<Self> {
        let mut next = (*self).clone();
        next.apply(action);
        next.into()
    }
}

/// The line to the worker, once it was opened.
type Line = Rc<RefCell<Option<Link>>>;

/// What every component gets: the state, a way to change it, a line to the worker.
#[derive(Clone, Properties)]
pub struct Cx {
    /// The state, and its dispatcher.
    pub state: UseReducerHandle<State>,
    /// Of the state at the time of rendering; the handle itself always shows the latest one.
    version: u64,
    line: Line,
}

impl PartialEq for Cx {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

impl Cx {
    /// Changes the state.
    pub fn act(&self, action: Action) {
        self.state.dispatch(action);
    }

    /// Tells the worker.
    pub fn send(&self, command: &Command) {
        if let Some(link) = &*self.line.borrow() {
            link.send(command);
        }
    }

    /// Starts the draft as a new run.
    pub fn restart(&self) {
        self.send_or_connect(self.state.start_command(), None);
        self.act(Action::Started);
    }

    /// Tells the worker something that makes a run. After a failure the worker itself is started anew.
    pub fn send_or_connect(&self, command: Command, bytes: Option<Uint8Array>) {
        let failed = matches!(self.state.run_state, super::state::RunState::Failed(_));
        match (&*self.line.borrow(), &bytes) {
            (Some(link), Some(bytes)) if !failed => return link.send_with(&command, bytes),
            (Some(link), None) if !failed => return link.send(&command),
            _ => (),
        }
        connect(&self.line, &self.state.dispatcher(), Some((command, bytes)), self.state.runs.rules);
    }

    /// Starts or stops training.
    pub fn toggle_training(&self) {
        match self.state.run_state {
            super::state::RunState::Training => self.send(&Command::Pause),
            _ if self.state.can_train() => self.send(&Command::Train),
            _ => (),
        }
    }

    /// Trains one step.
    pub fn step(&self) {
        if self.state.can_train() {
            self.send(&Command::Step);
        }
    }

    /// Reads a file of the user's: goes on with the run that it holds, or takes it as a text to train on.
    pub fn open_file(&self, file: File) {
        let cx = self.clone();
        spawn_local(async move {
            let name = file.name();
            if checkpoints::is_checkpoint(&name) {
                return checkpoints::resume_blob(&cx, &file, &name).await;
            }
            match JsFuture::from(file.array_buffer()).await {
                Ok(buffer) => {
                    if let Some(link) = &*cx.line.borrow() {
                        let command = Command::LoadFile { name: name.clone() };
                        link.send_with(&command, &Uint8Array::new(&buffer));
                    }
                    cx.act(Action::File(name));
                }
                Err(_) => cx.act(Action::EntryProblem(format!("{name} could not be read; choose it again"))),
            }
        });
    }
}

/// Starts the worker; when it listens, it gets the rules and `first`, or the draft of the first visit.
fn connect(
    line: &Line,
    dispatcher: &UseReducerDispatcher<State>,
    first: Option<(Command, Option<Uint8Array>)>,
    rules: Rules,
) {
    let receive = {
        let (line, dispatcher) = (line.clone(), dispatcher.clone());
        let (first, bytes) = first.unwrap_or_else(|| (State::default().start_command(), None));
        Rc::new(move |batch: Batch| {
            if batch.iter().any(|(event, _)| matches!(event, Event::Listening))
                && let Some(link) = &*line.borrow()
            {
                link.send(&Command::Runs { command: RunsCommand::Rules(rules) });
                match &bytes {
                    Some(bytes) => link.send_with(&first, bytes),
                    None => link.send(&first),
                }
            }
            checkpoints::receive(&batch, &dispatcher);
            dispatcher.dispatch(Action::Events(batch));
        })
    };
    match Link::start(receive) {
        Ok(link) => drop(line.replace(Some(link))),
        Err(message) => dispatcher.dispatch(Action::Events(vec![(Event::Failed { run: 0, message }, None)])),
    }
}

#[component]
fn App() -> Html {
    let state = use_reducer(State::default);
    let line: Line = (*use_memo((), |()| Line::default())).clone();
    let cx = Cx { state: state.clone(), version: state.version, line: line.clone() };
    // Listeners outlive a rendering, so they look the latest one up here.
    let latest: Rc<RefCell<Cx>> = (*use_memo((), |()| Rc::new(RefCell::new(cx.clone())))).clone();
    latest.replace(cx.clone());
    {
        let dispatcher = state.dispatcher();
        use_effect_with((), move |()| {
            let load = |key: &str| preferences::load(key).unwrap_or_default();
            dispatcher.dispatch(Action::Theme(Theme::from_name(&load("theme"))));
            dispatcher.dispatch(Action::ColorMap(ColorMap::from_name(&load("colors"))));
            connect(&line, &dispatcher, None, Rules::default());
            dispatcher.dispatch(Action::Started);
            keys::listen(latest)
        });
    }
    use_effect_with(state.theme, |theme| {
        let root = web_sys::window().and_then(|w| w.document()).and_then(|d| d.document_element());
        if let Some(root) = root {
            drop(root.set_attribute("data-theme", theme.name())); // a constant name is never refused
        }
    });
    let over = Callback::from(|event: DragEvent| event.prevent_default());
    let dropped = {
        let cx = cx.clone();
        Callback::from(move |event: DragEvent| {
            event.prevent_default();
            let files = event.data_transfer().and_then(|data| data.files());
            if let Some(file) = files.and_then(|files| files.get(0)) {
                cx.open_file(file);
            }
        })
    };
    html! {
        <div class="page" data-run-state={state.run_state.name()} ondragover={over} ondrop={dropped}>
            <Header ..cx.clone() />
            <Transport ..cx.clone() />
            <main>
                <Banners ..cx.clone() />
                <div class="columns">
                    <div class="stack">
                        <SetupPanel ..cx.clone() />
                        <Checkpoints ..cx.clone() />
                    </div>
                    <Attention ..cx.clone() />
                    <Detail ..cx.clone() />
                </div>
                <div class="rows">
                    <Loss ..cx.clone() />
                    <Writing ..cx.clone() />
                </div>
                <Accounting ..cx.clone() />
            </main>
            if state.help_open { <Help ..cx /> }
        </div>
    }
}

/// Calls `listener` on every `event` of the window until the returned guard is dropped.
pub fn on_window(event: &'static str, listener: impl Fn(web_sys::Event) + 'static) -> impl FnOnce() {
    let closure: Closure<dyn Fn(web_sys::Event)> = Closure::new(listener);
    let window = web_sys::window();
    if let Some(window) = &window {
        // Refused only for functions that are none.
        drop(window.add_event_listener_with_callback(event, closure.as_ref().unchecked_ref()));
    }
    move || {
        if let Some(window) = window {
            drop(window.remove_event_listener_with_callback(event, closure.as_ref().unchecked_ref()));
        }
    }
}
