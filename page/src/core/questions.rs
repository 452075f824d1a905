//! The connection to a second worker for vocabulary requests, so that their responses do not wait for a training step.
//! It starts with the first request.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Uint8Array;

use crate::core::context::Cx;
use crate::core::download;
use crate::core::link::ANSWER_BATCH_MS;
use crate::core::link::Batch;
use crate::core::link::Link;
use crate::core::link::Outgoing;
use crate::core::navigation;
use crate::state::Action;
use crate::state::View;
use crate::state::tokenizer::TokenizerAction;
use glasshead::types::tokenizer::{ExportPurpose, VocabularyFormat, VocabularySource};
use glasshead::wire::runs::RunsEvent;
use glasshead::wire::tokenizer::{TokenizerCommand, TokenizerEvent};
use glasshead::wire::{Command, Event};

/// The worker, once started, and the commands queued until it is listening.
#[derive(Default)]
pub struct Questions {
    link: RefCell<Option<Link>>,
    listening: RefCell<bool>,
    waiting: RefCell<Vec<Outgoing>>,
}

const STOPPED: &str = "The worker for tokenizers and the lesson stopped. The run is not affected. Another one starts with the \
    next question; load tokenizers again before using them.";

impl Questions {
    fn ask(&self, question: Outgoing) {
        match &*self.link.borrow() {
            Some(link) if *self.listening.borrow() => link.send_either(question),
            _ => self.waiting.borrow_mut().push(question),
        }
    }

    /// Sends the queued commands; called when the worker is listening.
    fn flush(&self) {
        self.listening.replace(true);
        if let Some(link) = &*self.link.borrow() {
            self.waiting.take().into_iter().for_each(|question| link.send_either(question));
        }
    }
}

impl Cx {
    /// Sends a vocabulary command to the second worker.
    pub fn ask(&self, command: TokenizerCommand) {
        self.ask_with(Command::Tokenizer(command), None);
    }

    /// Sends a command to the second worker, starting it if necessary; the bytes are transferred.
    pub fn ask_with(&self, command: Command, bytes: Option<Uint8Array>) {
        self.questions.ask((command, bytes));
        if self.questions.link.borrow().is_some() {
            return;
        }
        let cx = self.clone();
        // A handle keeps every state that it has read alive, so each batch gets its own clone.
        match Link::start(Rc::new(move |batch| hear(&cx.clone(), batch)), ANSWER_BATCH_MS) {
            Ok(link) => drop(self.questions.link.replace(Some(link))),
            Err(message) => self.act(Action::Tokenizer(TokenizerAction::Problem(message))),
        }
    }
}

impl Cx {
    /// Forwards the run's vocabulary from the first worker to the second, and stores what a new worker would need.
    pub fn pass_on(&self, event: &Event, bytes: Option<&[u8]>) {
        if let (Event::Tokenizer(TokenizerEvent::RunVocabulary { .. }), Some(json)) = (event, bytes) {
            let (source, format) = (VocabularySource::Run, VocabularyFormat::TokenizerJson);
            let load = TokenizerCommand::Load { source, name: "of the run".into(), format };
            self.ask_with(Command::Tokenizer(load), Some(Uint8Array::from(json)));
        }
        if let (Event::Runs { event: RunsEvent::Resumed { record, .. }, .. }, Some(json)) = (event, bytes) {
            let name = record.corpus.vocabulary.clone().unwrap_or_default();
            self.kept.borrow_mut().vocabulary = Some((name, json.into()));
        }
    }
}

/// Handles the second worker's events. Of those not about vocabularies, only failures matter.
fn hear(cx: &Cx, batch: Batch) {
    let mut answers = Batch::new();
    for (event, bytes) in batch {
        match event {
            Event::Listening => cx.questions.flush(),
            Event::Failed { .. } => {
                // The next request starts another worker.
                cx.questions.listening.replace(false);
                drop(cx.questions.link.take());
                cx.act(Action::Tokenizer(TokenizerAction::Problem(STOPPED.into())));
            }
            Event::Tokenizer(TokenizerEvent::Exported { purpose, ref name, vocab_size, .. }) => {
                let json = bytes.as_deref().unwrap_or_default();
                match purpose {
                    ExportPurpose::Download => {
                        download::offer_bytes("tokenizer.json", json, "application/json");
                    }
                    ExportPurpose::Run => start_run(cx, name.clone(), vocab_size, json),
                }
                answers.push((event, None));
            }
            Event::Tokenizer(_) | Event::Lesson(_) => answers.push((event, bytes)),
            _ => (),
        }
    }
    if !answers.is_empty() {
        cx.act(Action::Events(answers));
    }
}

/// Starts a run with a vocabulary and shows the training view.
fn start_run(cx: &Cx, name: String, vocab_size: usize, json: &[u8]) {
    cx.kept.borrow_mut().vocabulary = Some((name.clone(), json.into()));
    cx.send_with(&Command::LoadVocabulary { name: name.clone() }, &Uint8Array::from(json));
    cx.act(Action::TakeVocabulary(name, vocab_size));
    navigation::open(View::Train);
    // A handle keeps every state that it has read alive, so a short-lived clone reads this one.
    cx.clone().restart();
}
