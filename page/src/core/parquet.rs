//! Reads Parquet files in a separate worker: if a damaged file causes a panic or exhausts memory, only that worker
//! ends.

use std::cell::RefCell;
use std::rc::Rc;

use futures_channel::oneshot;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::{File, MessageEvent};

use crate::core::link::post;

use crate::core::link::start_worker;
use crate::units::file_size;
use glasshead::wire::data::{DataCommand, DataEvent};
use glasshead::wire::{Command, Event, frame};

/// Maximum file size in bytes: text, tokens and model have to fit in memory as well.
const MAX_BYTES: f64 = 512e6;

/// The text read from a Parquet file.
pub struct ParquetText {
    /// UTF-8 text.
    pub text: Uint8Array,
    /// The text columns: the one that was read, then the others.
    pub fields: Vec<String>,
    /// Number of rows skipped because they have no text.
    pub skipped: u64,
}

type Answer = Result<ParquetText, String>;

/// Whether a file is a Parquet file, judged by its name.
pub fn is_parquet(file: &File) -> bool {
    file.name().to_lowercase().ends_with(".parquet")
}

/// Reads the texts of a column; by default `text`, else the first text column.
///
/// # Errors
/// A message if the file cannot be read.
pub async fn read(file: &File, field: Option<String>) -> Answer {
    let name = file.name();
    if file.size() > MAX_BYTES {
        return Err(format!(
            "{name} has {}, and {} fit here; choose a part of it, or train with the command line (glasshead train)",
            file_size(file.size() as u64),
            file_size(MAX_BYTES as u64)
        ));
    }
    let bytes = crate::core::files::read(file).await?;
    let worker = start_worker()?;
    let (answer, answered) = oneshot::channel();
    let answer = Rc::new(RefCell::new(Some(answer)));
    let on_message: Closure<dyn FnMut(MessageEvent)> = {
        let (worker, answer) = (worker.clone(), answer.clone());
        let mut asked = Some((Command::Data(DataCommand::ReadParquet { name: name.clone(), field }), bytes));
        Closure::new(move |message: MessageEvent| match frame::decode(message.data()).ok() {
            Some((Event::Listening, _)) => {
                asked.take().into_iter().for_each(|(command, bytes)| post(&worker, &command, Some(&bytes)));
            }
            Some((Event::Data(DataEvent::ParquetText { fields, skipped }), Some(text))) => {
                give(&answer, Ok(ParquetText { text, fields, skipped }));
            }
            Some((Event::Data(DataEvent::ParquetProblem { message }) | Event::Failed { message, .. }, _)) => {
                give(&answer, Err(message));
            }
            _ => (),
        })
    };
    let broken = format!(
        "{name} could not be read: it is damaged, or this browser has no memory for it. Write it again, for example with \
         pandas.read_parquet and to_parquet; choose a part of it; or train with the command line (glasshead train)"
    );
    let on_error: Closure<dyn FnMut(web_sys::Event)> = Closure::new(move |event: web_sys::Event| {
        event.prevent_default(); // handled here
        give(&answer, Err(broken.clone()));
    });
    worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    let result = answered.await;
    worker.terminate();
    result.unwrap_or_else(|_| Err(format!("{name} could not be read; choose it again")))
}

/// Delivers the first answer only; the receiver may already be gone.
fn give(answer: &RefCell<Option<oneshot::Sender<Answer>>>, given: Answer) {
    if let Some(answer) = answer.borrow_mut().take() {
        drop(answer.send(given));
    }
}
