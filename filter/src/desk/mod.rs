//! Carries out the page's requests: a session, and the replies to the page. Independent of a browser, so that native tests run
//! what the worker runs.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};

use thiserror::Error;

use crate::classify::ClassifierError;
use crate::fields::{changes, settings, values};
use crate::generate::{DirtyPages, Mix, notes};
use crate::rng::Rng;
use crate::session::examples::{Trained, texts, train};
use crate::session::{Session, plant};
use crate::settings::{Settings, SettingsError};
use crate::source::{END_OF_TEXT, SourceError};
use crate::wire::{Examples, FileOf, Reply, Request};

#[cfg(test)]
mod tests;

/// Why a request failed. Its message is shown on the page.
#[derive(Debug, Error)]
enum DeskError {
    #[error("The file is missing; choose it again.")]
    NoFile,
    #[error("The file cannot be read: {0}.")]
    Unreadable(#[source] io::Error),
    #[error("{name} cannot be read: {error}.")]
    UnreadableExamples { name: String, error: io::Error },
    #[error("{name} {error}.")]
    Examples { name: String, error: SourceError },
    #[error("{0}.")]
    Classifier(#[from] ClassifierError),
}

/// A reply and its attached bytes.
pub type Message = (Reply, Option<Vec<u8>>);

/// An attached file.
pub struct Attached {
    /// Its content.
    pub reader: Box<dyn Read + Send>,
    /// Its length in bytes.
    pub bytes: u64,
}

impl Attached {
    /// A file in memory.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.len() as u64, reader: Box::new(Cursor::new(bytes)) }
    }

    fn read(mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader.read_to_end(&mut bytes).map(|_| bytes)
    }
}

/// How often progress and counts are reported while documents are read, in seconds.
const REPORT_EVERY: f64 = 0.4;

/// The worker's side of the messages.
pub struct Desk {
    session: Session,
    clock: Box<dyn Fn() -> f64>,
    outbox: VecDeque<Message>,
    field: String,
    /// Seconds of work until the present source had been read and compared for the first time.
    seconds: f64,
    complete: bool,
    /// Seconds of work since the last report.
    unreported: f64,
    working: bool,
}

impl Desk {
    /// A desk without documents. `clock` returns seconds.
    pub fn new(clock: Box<dyn Fn() -> f64>) -> Self {
        let session = Session::default();
        let field = "text".to_string();
        Self {
            session,
            clock,
            outbox: VecDeque::new(),
            field,
            seconds: 0.0,
            complete: false,
            unreported: 0.0,
            working: false,
        }
    }

    fn reply(&mut self, reply: Reply) {
        self.outbox.push_back((reply, None));
    }

    fn attach(&mut self, of: FileOf, (text, documents): (String, usize)) {
        self.outbox.push_back((Reply::File { of, documents }, Some(text.into_bytes())));
    }

    /// The replies so far.
    pub fn take(&mut self) -> Vec<Message> {
        self.outbox.drain(..).collect()
    }

    /// Carries out a request with its attached files.
    pub fn handle(&mut self, request: Request, attached: Vec<Attached>) {
        if let Err(error) = self.try_handle(request, attached) {
            self.reply(Reply::Problem { message: error.to_string() });
        }
    }

    fn try_handle(&mut self, request: Request, attached: Vec<Attached>) -> Result<(), DeskError> {
        match request {
            Request::Settings { changes } => self.adopt(settings(&changes)),
            Request::SettingsFile => {
                let text = first(attached)?.read().map_err(DeskError::Unreadable)?;
                let text = String::from_utf8_lossy(&text).into_owned();
                self.adopt(Settings::from_toml(&text));
            }
            Request::WriteSettings => self.attach(FileOf::Settings, (self.session.settings().to_toml(), 0)),
            Request::Generate { seed, bytes } => {
                let stories = first(attached)?.read().map_err(DeskError::Unreadable)?;
                self.begin("text");
                self.session.add_pages(pages(seed, &String::from_utf8_lossy(&stories)), bytes);
            }
            Request::Read { names, field } => {
                self.begin(&field);
                for (name, file) in names.into_iter().zip(attached) {
                    self.session.add_file(name, file.reader, file.bytes);
                }
            }
            Request::Cancel => self.session.cancel(),
            Request::Train { good, bad } => self.train(good, bad, attached)?,
            other => self.look_up(other),
        }
        Ok(())
    }

    /// Carries out requests that change nothing.
    fn look_up(&mut self, request: Request) {
        match request {
            Request::Histogram { stage, rule } => {
                if let Some(histogram) = self.session.histogram(stage, &rule) {
                    self.reply(Reply::Histogram(histogram));
                }
            }
            Request::Rows { list, start, n } => {
                let (total, rows) = self.session.rows(&list, start, n.min(500));
                self.reply(Reply::Rows { list, start, total, rows });
            }
            Request::Document { at } => {
                let document = self.session.document(at as usize);
                document.into_iter().for_each(|document| self.reply(Reply::Document(Box::new(document))));
            }
            Request::Cluster { at } => {
                let of = self.session.clusters().len();
                let members = self.session.cluster_members(at).unwrap_or_default();
                self.reply(Reply::Cluster { at, of, members });
            }
            Request::Plant => self.reply(Reply::Planted { points: plant(&self.session.settings().minhash) }),
            Request::Text { of, hold_out } => self.attach(FileOf::Text { of }, self.session.text(of, hold_out)),
            Request::Export { decisions: true } => self.attach(FileOf::Decisions, self.session.decision_lines()),
            Request::Export { decisions: false } => self.attach(FileOf::Kept, self.session.kept_lines()),
            _ => {}
        }
    }

    fn begin(&mut self, field: &str) {
        self.field = field.into();
        self.session.clear(field);
        (self.seconds, self.unreported, self.complete) = (0.0, 0.0, false);
    }

    /// Uses settings, or reports why they are refused.
    fn adopt(&mut self, settings: Result<Settings, SettingsError>) {
        match settings {
            Ok(settings) => {
                let planted = self.session.settings().minhash != settings.minhash;
                self.session.set(settings);
                let settings = self.session.settings();
                let reply = Reply::Settings { values: values(settings), changes: changes(settings) };
                self.reply(reply);
                if planted {
                    self.look_up(Request::Plant);
                }
                self.report();
            }
            Err(error) => self.reply(Reply::Refused { message: error.to_string() }),
        }
    }

    fn train(&mut self, good: Examples, bad: Examples, attached: Vec<Attached>) -> Result<(), DeskError> {
        let mut attached = attached.into_iter();
        let mut chosen = |examples: Examples| match examples {
            Examples::Kept => Ok(self.session.examples(true)),
            Examples::Dropped => Ok(self.session.examples(false)),
            Examples::File { name } => {
                let file = attached.next().ok_or(DeskError::NoFile)?;
                match file.read() {
                    Ok(bytes) => texts(&name, bytes, &self.field).map_err(|error| DeskError::Examples { name, error }),
                    Err(error) => Err(DeskError::UnreadableExamples { name, error }),
                }
            }
        };
        let (good, bad) = (chosen(good)?, chosen(bad)?);
        let trained = train(&good, &bad)?;
        let ([good, bad], Trained { classifier, right }) = (trained.telling(), trained);
        self.reply(Reply::Trained { right, good, bad });
        self.session.set_classifier(classifier);
        self.report();
        Ok(())
    }

    fn report(&mut self) {
        self.reply(Reply::Progress(self.session.progress(self.seconds)));
        self.reply(Reply::Funnel(self.session.funnel()));
    }

    /// Does a short unit of work; false if there is none.
    pub fn work(&mut self) -> bool {
        let start = (self.clock)();
        let reading = self.session.is_reading();
        let more = self.session.work();
        let seconds = (self.clock)() - start;
        self.unreported += seconds;
        if !self.complete {
            self.seconds += seconds;
        }
        if !more {
            if std::mem::take(&mut self.working) {
                self.complete = true;
                self.report();
            }
            return false;
        }
        self.working = true;
        if self.unreported >= REPORT_EVERY || reading != self.session.is_reading() {
            self.unreported = 0.0;
            self.session.decide_so_far();
            self.report();
        }
        true
    }
}

fn first(attached: Vec<Attached>) -> Result<Attached, DeskError> {
    attached.into_iter().next().ok_or(DeskError::NoFile)
}

/// Dirty pages around good texts, which are separated by `<|endoftext|>`; without texts, around notes.
fn pages(seed: u64, texts: &str) -> Box<dyn Iterator<Item = crate::generate::Page> + Send> {
    let texts = texts.split(END_OF_TEXT).map(|text| text.trim().to_string()).filter(|text| !text.is_empty());
    let texts: Vec<String> = texts.collect();
    let (mut at, mut rng) = (0, Rng::new(seed));
    let story = move || match texts.len() {
        0 => notes(&mut rng),
        n => {
            at += 1;
            texts[(at - 1) % n].clone()
        }
    };
    Box::new(DirtyPages::new(seed, Mix::default(), story))
}
