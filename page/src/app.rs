//! The root component: state, worker connection, keyboard, dropped files, layout.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::DragEvent;
use yew::prelude::*;

use super::components::attention::Attention;
use super::components::detail::Detail;
use super::components::header::{Header, Transport};
use super::lesson::view::LessonView;
use super::components::loss::Loss;
use super::systems::SystemsView;
use super::components::status::Banners;
use super::experiments::view::{ExperimentStrip, ExperimentsView};
use super::overlay::all::Overlays;
use super::tokenizer::TokenizerView;
use super::components::writing::Writing;
use super::draw::colors::ColorMap;
use super::embed;
use super::files::Kept;
use super::link::{Batch, Link, Outgoing, RUN_BATCH_MS};
use super::questions::Questions;
use super::state::runs::RunsAction;
use super::state::{Action, State, Theme, View};
use super::{autosave, checkpoints};
use super::{kernels, keys, models, navigation, preferences, share, shown, store, take_along, workers};
use glasshead::wire::data::DataEvent;
use glasshead::wire::runs::RunsCommand;
use glasshead::wire::{Command, Event};

/// Mounts the root component in the element `app`.
pub fn start() {
    let root = web_sys::window().and_then(|window| window.document()).and_then(|d| d.get_element_by_id("app"));
    if let Some(root) = root {
        root.set_inner_html("");
        yew::set_custom_panic_hook(Box::new(report_panic));
        yew::Renderer::<App>::with_root(root).render();
        embed::tell_height();
    }
}

/// Logs a panic and stores its message in the global `glassheadPanic`, which the crash screen of `boot.js` shows.
fn report_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let message = JsValue::from(panic.to_string());
    web_sys::console::error_1(&message);
    // Setting a property on the global object cannot fail.
    let _ = js_sys::Reflect::set(&js_sys::global(), &"glassheadPanic".into(), &message);
}

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
    version: u64,
    line: Line,
    /// The connection to the second worker, which handles vocabulary requests.
    pub questions: Rc<Questions>,
    /// Data that a new worker has to receive again.
    pub kept: Rc<RefCell<Kept>>,
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
        let failed = matches!(self.state.run_state, super::state::RunState::Failed(_));
        if let Some(link) = self.line.borrow().as_ref().filter(|_| !failed) {
            return link.send_either((command, bytes));
        }
        let cx = self.clone();
        spawn_local(async move {
            let mut first = cx.kept_messages().await;
            first.push((Command::Runs { command: RunsCommand::Rules(cx.state.runs.rules) }, None));
            let copies = cx.state.runs.autosave.command();
            let settings = [kernels::command(), copies, cx.state.workers.command(), shown::command(cx.state.view)];
            first.extend(settings.map(|command| (command, None)));
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
}

/// Starts the worker and sends it `first` as soon as it is listening.
fn connect(cx: &Cx, first: Vec<Outgoing>) {
    let receive = {
        let (cx, first) = (cx.clone(), RefCell::new(first));
        Rc::new(move |batch: Batch| {
            // A handle keeps every state that it has read alive, so this clone is dropped after the batch.
            let cx = cx.clone();
            if batch.iter().any(|(event, _)| matches!(event, Event::Listening))
                && let Some(link) = &*cx.line.borrow()
            {
                first.take().into_iter().for_each(|message| link.send_either(message));
                checkpoints::resume_after_crash(&cx);
            }
            checkpoints::receive(&batch, &cx.state.dispatcher());
            autosave::receive(&batch, &cx);
            kernels::receive(&batch);
            workers::receive(&batch, cx.state.workers);
            take_along::receive(&batch, &cx.state, &cx.state.dispatcher());
            models::receive(&batch, &cx.state, &cx.state.dispatcher());
            batch.iter().for_each(|(event, bytes)| cx.pass_on(event, bytes.as_deref()));
            let tasks = batch.iter().any(|(event, _)| matches!(event, Event::Data(DataEvent::Tasks { .. })));
            cx.act(Action::Events(batch));
            if tasks {
                navigation::tell_sentence(&cx);
            }
        })
    };
    match Link::start(receive, RUN_BATCH_MS) {
        Ok(link) => drop(cx.line.replace(Some(link))),
        Err(message) => cx.act(Action::Events(vec![(Event::Failed { run: 0, message }, None)])),
    }
}

/// Connects to the worker once, starts the run that the link describes, and installs listeners until the page unloads.
#[hook]
fn use_start(cx: &Cx, latest: Rc<RefCell<Cx>>, link: &Rc<(State, Vec<String>)>) {
    let (cx, link) = (cx.clone(), link.clone());
    use_effect_with((), move |()| {
        let dispatcher = cx.state.dispatcher();
        let load = |key: &str| preferences::load(key).unwrap_or_default();
        dispatcher.dispatch(Action::Theme(Theme::from_name(&load("theme"))));
        if !navigation::hash().contains("colors=") {
            dispatcher.dispatch(Action::ColorMap(ColorMap::from_name(&load("colors"))));
        }
        let (wanted, mut sharing) = (workers::wanted(), link.0.workers);
        sharing.want(wanted);
        dispatcher.dispatch(Action::Workers(wanted));
        let copies = autosave::remembered();
        dispatcher.dispatch(Action::Runs(RunsAction::SaveEvery(copies.every)));
        let shown = shown::command(link.0.view);
        let first = [kernels::command(), copies.command(), sharing.command(), shown, link.0.start_command()];
        connect(&cx, first.map(|command| (command, None)).into());
        dispatcher.dispatch(Action::Started);
        let said = link.1.iter().map(|message| (Event::Notice { run: 0, message: message.clone() }, None));
        dispatcher.dispatch(Action::Events(said.collect()));
        let stop_navigation = navigation::listen(latest.clone());
        let stop_shown = shown::listen(latest.clone());
        let stop_keys = keys::listen(latest);
        let others = dispatcher.clone();
        let stop_changes = store::on_change_elsewhere(move || spawn_local(checkpoints::list(others.clone())));
        || {
            stop_changes();
            stop_navigation();
            stop_shown();
            stop_keys();
        }
    });
}

#[component]
fn App() -> Html {
    let link = use_memo((), |()| share::restored(&navigation::hash()));
    let state = {
        let link = link.clone();
        use_reducer(move || link.0.clone())
    };
    let line: Line = (*use_memo((), |()| Line::default())).clone();
    let questions = (*use_memo((), |()| Rc::new(Questions::default()))).clone();
    let kept = (*use_memo((), |()| Rc::new(RefCell::new(Kept::default())))).clone();
    let cx = Cx { state: state.clone(), version: state.version, line, questions, kept };
    // Listeners outlive a render, so they read the latest context from this cell.
    let latest: Rc<RefCell<Cx>> = (*use_memo((), |()| Rc::new(RefCell::new(cx.clone())))).clone();
    latest.replace(cx.clone());
    use_start(&cx, latest, &link);
    {
        let cx = cx.clone();
        use_effect_with(state.view, move |view| cx.send(&shown::command(*view)));
    }
    {
        let cx = cx.clone();
        use_effect_with((state.run, state.runs.name.clone(), state.has_run()), move |(run, name, has_run)| {
            if *has_run {
                cx.send(&Command::Runs { command: RunsCommand::Name { run: *run, name: name.clone() } });
            }
        });
    }
    use_effect_with(state.theme, |theme| {
        let root = web_sys::window().and_then(|w| w.document()).and_then(|d| d.document_element());
        if let Some(root) = root {
            drop(root.set_attribute("data-theme", theme.name())); // setting a constant attribute name cannot fail
        }
    });
    let over = Callback::from(|event: DragEvent| event.prevent_default());
    let dropped = {
        let cx = cx.clone();
        Callback::from(move |event: DragEvent| {
            event.prevent_default();
            event.data_transfer().iter().for_each(|dropped| models::open_dropped(&cx, dropped));
        })
    };
    html! {
        <div class="page" data-run-state={state.run_state.name()} data-hide={state.hidden.join(" ")} ondragover={over} ondrop={dropped}>
            <Header ..cx.calm() />
            <Transport ..cx.calm() />
            <main>
                <Banners ..cx.calm() />
                <ExperimentStrip ..cx.calm() />
                <p class="status-line" role="status" data-testid="status-line">{&state.look.announcement}</p>
                <div hidden={state.view != View::Train}>
                    <div class="columns">
                        <Attention ..cx.clone() />
                        <Detail ..cx.clone() />
                    </div>
                    <div class="rows">
                        <Loss ..cx.calm() />
                        <Writing ..cx.calm() />
                    </div>
                </div>
                if state.view == View::Tokenizer { <TokenizerView ..cx.calm() /> }
                if state.view == View::Lesson { <LessonView ..cx.clone() /> }
                if state.view == View::Systems { <SystemsView ..cx.calm() /> }
                if state.view == View::Experiments { <ExperimentsView ..cx.calm() /> }
            </main>
            <Overlays ..cx.calm() />
        </div>
    }
}

/// Calls `listener` on every `event` of the window until the returned function is called.
pub fn on_window(event: &'static str, listener: impl Fn(web_sys::Event) + 'static) -> impl FnOnce() {
    let closure: Closure<dyn Fn(web_sys::Event)> = Closure::new(listener);
    let window = web_sys::window();
    if let Some(window) = &window {
        // Fails only if the listener is not a function.
        drop(window.add_event_listener_with_callback(event, closure.as_ref().unchecked_ref()));
    }
    move || {
        if let Some(window) = window {
            drop(window.remove_event_listener_with_callback(event, closure.as_ref().unchecked_ref()));
        }
    }
}
