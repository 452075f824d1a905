//! The functions of the module for JavaScript. Requests and replies are JSON; attached files are `File`s or arrays of bytes.

use std::cell::RefCell;
use std::io::{Error, Read};

use glasshead_filter::desk::{Attached, Desk};
use glasshead_filter::html::DECODER;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{Blob, FileReaderSync, TextDecoder};

/// Bytes that are read from a file at once.
const PIECE: f64 = (1 << 20) as f64;

thread_local! {
    /// The files that are being read; a reader holds the index, because JavaScript's objects cannot be sent to threads.
    static FILES: RefCell<Vec<Option<Blob>>> = const { RefCell::new(Vec::new()) };
}

/// Reads a file of the user's in pieces.
struct FileReader {
    index: usize,
    at: f64,
    size: f64,
    piece: Vec<u8>,
    used: usize,
}

impl FileReader {
    fn new(file: Blob) -> Self {
        let size = file.size();
        let index = FILES.with_borrow_mut(|files| {
            files.push(Some(file));
            files.len() - 1
        });
        Self { index, at: 0.0, size, piece: Vec::new(), used: 0 }
    }

    fn next_piece(&mut self) -> Result<Vec<u8>, JsValue> {
        let end = (self.at + PIECE).min(self.size);
        let file = FILES.with_borrow(|files| files.get(self.index).cloned().flatten()).ok_or(JsValue::NULL)?;
        let piece = file.slice_with_f64_and_f64(self.at, end)?;
        self.at = end;
        Ok(Uint8Array::new(&FileReaderSync::new()?.read_as_array_buffer(&piece)?.into()).to_vec())
    }
}

impl Read for FileReader {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        if self.used == self.piece.len() && self.at < self.size {
            self.piece = self.next_piece().map_err(|_| Error::other("the browser cannot read it any longer"))?;
            self.used = 0;
        }
        let n = out.len().min(self.piece.len() - self.used);
        out[..n].copy_from_slice(&self.piece[self.used..self.used + n]);
        self.used += n;
        Ok(n)
    }
}

impl Drop for FileReader {
    fn drop(&mut self) {
        FILES.with_borrow_mut(|files| files[self.index] = None);
    }
}

fn attached(value: JsValue) -> Attached {
    match value.dyn_into::<Blob>() {
        Ok(file) => Attached { bytes: file.size() as u64, reader: Box::new(FileReader::new(file)) },
        Err(bytes) => Attached::from_bytes(Uint8Array::new(&bytes).to_vec()),
    }
}

/// Text in the encoding with a label, by the browser's decoder.
fn decoded(label: &str, bytes: &[u8]) -> Option<String> {
    TextDecoder::new_with_label(label).ok()?.decode_with_u8_array(bytes).ok()
}

/// The filters in a worker.
#[wasm_bindgen]
pub struct Filters {
    desk: Desk,
}

#[wasm_bindgen]
impl Filters {
    /// `clock` returns milliseconds.
    #[wasm_bindgen(constructor)]
    pub fn new(clock: js_sys::Function) -> Self {
        // Set once; a second desk finds it set.
        let _ = DECODER.set(decoded);
        let seconds = move || clock.call0(&JsValue::NULL).ok().and_then(|ms| ms.as_f64()).unwrap_or(0.0) / 1000.0;
        Self { desk: Desk::new(Box::new(seconds)) }
    }

    /// Carries out a request.
    pub fn handle(&mut self, request: &str, files: Vec<JsValue>) -> Result<(), JsError> {
        let request = serde_json::from_str(request)?;
        self.desk.handle(request, files.into_iter().map(attached).collect());
        Ok(())
    }

    /// Does a short unit of work; false if there is none.
    pub fn work(&mut self) -> bool {
        self.desk.work()
    }

    /// The replies so far, each `[json]` or `[json, bytes]`.
    pub fn replies(&mut self) -> Array {
        let message = |(reply, bytes): glasshead_filter::desk::Message| {
            let message = Array::of1(&serde_json::to_string(&reply).unwrap_or_default().into());
            if let Some(bytes) = bytes {
                message.push(&Uint8Array::from(bytes.as_slice()));
            }
            message
        };
        self.desk.take().into_iter().map(message).collect()
    }
}
