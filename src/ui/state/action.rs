//! What can happen.

use std::rc::Rc;

use super::ask::AskAction;
use super::data::DataAction;
use super::lesson::LessonAction;
use super::look::LookAction;
use super::parts::*;
use super::remember::RememberAction;
use super::runs::RunsAction;
use super::tokenizer::TokenizerAction;
use super::typed::TypedField;
use super::workers::Wanted;
use crate::config::{Preset, RunConfig};
use crate::protocol::{BackendChoice, CorpusChoice, Event};
use crate::ui::draw::colors::ColorMap;

/// What can happen.
#[derive(Clone, Debug)]
pub enum Action {
    /// Another part of the page gets the window.
    View(View),
    /// Take over what this hash of a link describes.
    Follow(String),
    /// In the lesson.
    Lesson(LessonAction),
    /// On the tokenizer's page.
    Tokenizer(TokenizerAction),
    /// About the data to train on.
    Data(DataAction),
    /// The next run takes over a vocabulary: its name and size.
    TakeVocabulary(String, usize),
    /// The next run trains a vocabulary on its text.
    DropVocabulary,
    /// The worker said something; bytes may have ridden along.
    Events(Vec<(Event, Option<Rc<[u8]>>)>),
    /// A new run was asked for.
    Started,
    /// Another preset: its numbers replace the draft's.
    Preset(Preset),
    /// Another configuration of the draft; an invalid one changes nothing and is refused with a sentence.
    Config(RunConfig),
    /// A text was entered into a field or switch of the setup, which has this name.
    Enter(&'static str, String),
    /// A text in a field is not accepted: the name of the field, the text, and what to change.
    Refuse(&'static str, String, String),
    /// The field with this name holds nothing refused any longer.
    Accept(&'static str),
    /// Refused texts of the setup give way to the draft's values.
    Discard,
    /// The run takes over what the draft has set and what applies while training.
    ApplyToRun,
    /// The draft's backend.
    Backend(BackendChoice),
    /// The draft's corpus.
    Corpus(CorpusChoice),
    /// Files were chosen: what they are called together.
    File(String),
    /// Another probe sentence.
    Probe(String),
    /// How attention is looked at.
    Look(LookAction),
    /// Say a sentence in the status line, for example a milestone.
    Announce(String),
    /// Another head.
    Select(usize, usize),
    /// Step through heads and layers, round and round.
    Walk {
        /// By so many layers.
        layers: isize,
        /// By so many heads.
        heads: isize,
    },
    /// The pointer is on a cell, or on none.
    Hover(Option<(usize, usize)>),
    /// Hold a query row alone, or let go of it when it is held alone.
    Pin(usize),
    /// Let go of everything: the pinned row, the help.
    Escape,
    /// Show or hide the hatching.
    ToggleMask,
    /// Show or hide the table.
    ToggleTable,
    /// Show or hide the help.
    ToggleHelp,
    /// The text box.
    Prompt(String),
    /// A text was typed into a field for sampling or for a changed weight.
    Type(TypedField, String),
    /// Writing was asked for.
    Generate,
    /// Other colours of the heatmaps.
    ColorMap(ColorMap),
    /// Other colours of the page.
    Theme(Theme),
    /// The window has another size.
    Resized,
    /// What is asked of the model beyond its maps.
    Ask(AskAction),
    /// About runs as a whole.
    Runs(RunsAction),
    /// About earlier moments.
    Remember(RememberAction),
    /// A step is to be timed.
    Profile,
    /// How many workers are to share batches.
    Workers(Wanted),
}
