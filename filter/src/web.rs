//! The module's functions for JavaScript. Results are JSON.

use serde::Serialize;
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::classify::Classifier;
use crate::session::Session;

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A [`Session`] in a worker.
#[wasm_bindgen]
pub struct FilterSession(Session);

#[wasm_bindgen]
impl FilterSession {
    /// Starts with settings in TOML, and optionally the file of a classifier.
    #[wasm_bindgen(constructor)]
    pub fn new(settings: &str, classifier: Option<Vec<u8>>, field: &str) -> Result<FilterSession, JsError> {
        let classifier = classifier.map(|bytes| Classifier::from_bytes(&bytes)).transpose()?;
        Ok(Self(Session::new(settings, classifier, field)?))
    }

    /// Adds a file to read.
    pub fn add_file(&mut self, name: String, bytes: Vec<u8>) {
        self.0.add_file(name, bytes);
    }

    /// Adds generated pages.
    pub fn add_generated(&mut self, seed: u32, n_bytes: u32, texts: &str) {
        self.0.add_generated(seed.into(), n_bytes as usize, texts);
    }

    /// Judges up to `n` documents and returns the progress.
    pub fn step(&mut self, n: u32) -> String {
        json(&self.0.step(n as usize))
    }

    /// Compares documents and returns counts and clusters.
    pub fn finish(&mut self) -> String {
        json(&self.0.finish())
    }

    /// A document, or null.
    pub fn view(&self, at: u32) -> String {
        json(&self.0.view(at as usize))
    }

    /// The values of a rule.
    pub fn values(&self, rule: &str) -> Vec<f64> {
        self.0.values(rule)
    }

    /// What each stage would drop with other settings.
    pub fn recount(&self, settings: &str) -> Result<String, JsError> {
        Ok(json(&self.0.recount(settings)?))
    }

    /// The numbers of documents that contain a phrase.
    pub fn search(&self, phrase: &str, kept: bool, n: u32) -> Vec<u32> {
        self.0.search(phrase, kept, n as usize).into_iter().map(|at| at as u32).collect()
    }

    /// The kept texts.
    pub fn kept_text(&self) -> String {
        self.0.kept_text()
    }

    /// The default settings.
    pub fn default_settings() -> String {
        crate::settings::Settings::default().to_toml()
    }
}

/// Trains a classifier on texts and returns its file.
#[wasm_bindgen]
pub fn train_classifier(positive: Vec<String>, negative: Vec<String>, seed: u32) -> Result<Vec<u8>, JsError> {
    let [positive, negative] = [&positive, &negative].map(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>());
    Ok(Classifier::train(&positive, &negative, ["good", "bad"], seed.into())?.to_bytes())
}
