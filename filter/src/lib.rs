//! From raw web pages to training text, with every decision explained: text extraction, language identification, the
//! published quality rules, a trained classifier, deduplication and masking of personal data.

mod chars;
pub mod classify;
mod contractions;
pub mod corpus;
mod decision;
pub mod dedup;
pub mod desk;
pub mod document;
pub mod fields;
#[cfg(not(target_arch = "wasm32"))]
pub mod files;
pub mod generate;
mod hash;
pub mod html;
pub mod mask;
pub mod pipeline;
mod rng;
pub mod rules;
#[cfg(not(target_arch = "wasm32"))]
pub mod run;
pub mod session;
pub mod settings;
pub mod source;
mod text;
pub mod wire;
mod words;

pub use rng::Rng;
pub use text::Text;
