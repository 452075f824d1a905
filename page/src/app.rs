//! The root component: state, worker connection, dropped files, and the shell around the views.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::DragEvent;
use yew::prelude::*;

use crate::align;
use crate::align::view::AlignView;
use crate::core::context::{Cx, Hooks, connect};
use crate::core::files::Kept;
use crate::core::link::{Batch, Link};
use crate::core::questions::Questions;
use crate::core::{embed, kernels, keys, navigation, preferences, shown, store, workers};
use crate::data::view::DataPage;
use crate::draw::colors::ColorMap;
use crate::experiments::view::{ExperimentStrip, ExperimentsView};
use crate::lesson::view::LessonView;
use crate::overlay::all::Overlays;
use crate::runs::{autosave, checkpoints, import, queue};
use crate::scale::ScaleView;
use crate::share;
use crate::shell::banner::Banner;
use crate::shell::header::{Rail, TopBar};
use crate::shell::setup_bar::SetupBar;
use crate::state::runs::RunsAction;
use crate::state::{Action, State, Theme, View};
use crate::systems::SystemsView;
use crate::tokenizer::TokenizerView;
use crate::train::figures;
use crate::train::view::TrainView;
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

/// What the views add to the connection.
static HOOKS: Hooks = Hooks { receive, applied, listening: checkpoints::resume_after_crash, greeting };

fn receive(cx: &Cx, batch: &Batch) {
    checkpoints::receive(batch, &cx.state.dispatcher());
    autosave::receive(batch, cx);
    queue::receive(batch, cx);
    kernels::receive(batch);
    workers::receive(batch, cx.state.workers);
    figures::receive(batch, &cx.state, &cx.state.dispatcher());
    align::store::receive(batch, cx);
    import::receive(batch, &cx.state, &cx.state.dispatcher());
}

fn applied(cx: &Cx, tasks: bool) {
    if tasks {
        navigation::tell_sentence(cx);
    }
}

/// The commands that every new worker needs before its first run.
fn greeting(cx: &Cx) -> Vec<Command> {
    let rules = Command::Runs { command: RunsCommand::Rules(cx.state.runs.rules) };
    let autosaves = cx.state.runs.autosave.command();
    vec![rules, kernels::command(), autosaves, cx.state.workers.command(), shown::command(cx.state.view)]
}

#[component]
fn App() -> Html {
    let link = use_memo((), |()| share::restored(&navigation::hash()));
    let state = {
        let link = link.clone();
        use_reducer(move || link.0.clone())
    };
    let line: Rc<RefCell<Option<Link>>> = (*use_memo((), |()| Rc::new(RefCell::new(None)))).clone();
    let questions = (*use_memo((), |()| Rc::new(Questions::default()))).clone();
    let kept = (*use_memo((), |()| Rc::new(RefCell::new(Kept::default())))).clone();
    let cx = Cx { state: state.clone(), version: state.version, line, questions, kept, hooks: &HOOKS };
    // Listeners outlive a render, so they read the latest context from this cell.
    let latest: Rc<RefCell<Cx>> = (*use_memo((), |()| Rc::new(RefCell::new(cx.clone())))).clone();
    latest.replace(cx.clone());
    use_start(&cx, latest, &link);
    queue::use_queue(&cx);
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
    let dropped = cx.call(|cx, event: DragEvent| {
        event.prevent_default();
        event.data_transfer().iter().for_each(|dropped| import::open_dropped(cx, dropped));
    });
    let train = state.view == View::Train;
    html! {
        <div class="page" data-run-state={state.run_state.name()} data-hide={state.hidden.join(" ")} ondragover={over} ondrop={dropped}>
            <Rail ..cx.quiet() />
            <TopBar ..cx.calm() />
            <main class={classes!("view", train.then_some("train"))} data-panel={state.shell.panel.name()}>
                if train { <SetupBar ..cx.calm() /> }
                <Banner ..cx.calm() />
                <ExperimentStrip ..cx.calm() />
                <p class="hidden" role="status" data-testid="status-line">{&state.look.announcement}</p>
                <div class="train-view" hidden={!train}><TrainView ..cx.clone() /></div>
                if state.view == View::Experiments { <ExperimentsView ..cx.calm() /> }
                if state.view == View::Align { <AlignView ..cx.clone() /> }
                if state.view == View::Scale { <ScaleView ..cx.calm() /> }
                if state.view == View::Data { <DataPage ..cx.clone() /> }
                if state.view == View::Systems { <SystemsView ..cx.calm() /> }
                if state.view == View::Tokenizer { <TokenizerView ..cx.calm() /> }
                if state.view == View::Lesson { <LessonView ..cx.clone() /> }
            </main>
            <Overlays ..cx.calm() />
        </div>
    }
}
