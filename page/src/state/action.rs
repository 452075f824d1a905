//! The actions that change the state.

use super::align::AlignAction;
use std::rc::Rc;

use super::ask::AskAction;
use super::data::DataAction;
use super::experiments::ExperimentsAction;
use super::lesson::LessonAction;
use super::look::{Form, LookAction};
use super::overlay::OverlayAction;
use super::parts::*;
use super::profile::SystemsAction;
use super::queue::QueueAction;
use super::remember::RememberAction;
use super::runs::RunsAction;
use super::shell::ShellAction;
use super::tokenizer::TokenizerAction;
use super::typed::TypedField;
use super::workers::Wanted;
use crate::data::state::DataViewAction;
use crate::draw::colors::ColorMap;
use crate::scale::state::ScaleAction;
use glasshead::config::{Preset, RunConfig};
use glasshead::types::{BackendChoice, CorpusChoice};
use glasshead::wire::Event;

/// An action that changes the state.
#[derive(Clone, Debug)]
pub enum Action {
    /// Switches to a view.
    View(View),
    /// Applies the hash of a link.
    Follow(String),
    /// An action in the lesson.
    Lesson(LessonAction),
    /// An action in the Align view.
    Align(AlignAction),
    /// An action in the Data view.
    Filters(DataViewAction),
    /// An action in the tokenizer view.
    Tokenizer(TokenizerAction),
    /// An action on the training data.
    Data(DataAction),
    /// Uses a vocabulary for the next run: its name and size.
    TakeVocabulary(String, usize),
    /// Lets the next run train a vocabulary on its text.
    DropVocabulary,
    /// Events from the worker, with their attached bytes.
    Events(Vec<(Event, Option<Rc<[u8]>>)>),
    /// A new run was requested.
    Started,
    /// Replaces the draft's configuration by a preset.
    Preset(Preset),
    /// Replaces the draft's configuration; an invalid one is refused with a message.
    Config(RunConfig),
    /// Text was entered into the setup field or switch with this name.
    Enter(&'static str, String),
    /// Refuses text: the name of the field, the text, and what to change.
    Refuse(&'static str, String, String),
    /// Clears the refused text of the field with this name.
    Accept(&'static str),
    /// Drops the refused texts of the setup; the fields show the draft's values again.
    Discard,
    /// Applies those changes of the draft that can take effect during training to the run.
    ApplyToRun,
    /// Sets the draft's backend.
    Backend(BackendChoice),
    /// Sets the draft's corpus.
    Corpus(CorpusChoice),
    /// Files were chosen; their collective name.
    File(String),
    /// Sets the probe sentence.
    Probe(String),
    /// Changes how attention is displayed.
    Look(LookAction),
    /// Announces a sentence in the status line, for example a milestone.
    Announce(String),
    /// Selects (layer, head).
    Select(usize, usize),
    /// Moves through layers and heads, wrapping around.
    Walk {
        /// Number of layers to move by.
        layers: isize,
        /// Number of heads to move by.
        heads: isize,
    },
    /// Hovers a cell, or none.
    Hover(Option<(usize, usize)>),
    /// Pins only this query row, or unpins it if it is the only one.
    Pin(usize),
    /// Unpins all rows.
    Unpin,
    /// An action on the shell.
    Shell(ShellAction),
    /// Dismisses all notices.
    DismissNotices,
    /// Shows the map or the lines instead of the table.
    Form(Form),
    /// Closes the open drawer, popover or menu; if there is none, unpins all rows.
    Escape,
    /// Opens and closes drawers, popovers and menus.
    Overlay(OverlayAction),
    /// An action on experiments.
    Experiments(ExperimentsAction),
    /// Restores the settings of the run in the draft.
    Undo,
    /// Toggles the hatching of masked cells.
    ToggleMask,
    /// Toggles the table of weights.
    ToggleTable,
    /// Toggles the help.
    ToggleHelp,
    /// Sets the prompt.
    Prompt(String),
    /// Text was typed into a field for sampling or for a weight override.
    Type(TypedField, String),
    /// Text generation was requested.
    Generate,
    /// Sets the color map of the heatmaps.
    ColorMap(ColorMap),
    /// Sets the color theme of the page.
    Theme(Theme),
    /// The window was resized.
    Resized,
    /// An inspection action.
    Ask(AskAction),
    /// An action on runs as a whole.
    Runs(RunsAction),
    /// A timeline action.
    Remember(RememberAction),
    /// A profile of a step was requested.
    Profile,
    /// An action on the queue of runs.
    Queue(QueueAction),
    /// An action on sweeps.
    Scale(ScaleAction),
    /// An action in the Systems view.
    Systems(SystemsAction),
    /// Sets the number of workers that share batches.
    Workers(Wanted),
}
