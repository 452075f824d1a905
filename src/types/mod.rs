//! Plain data that all layers share. Knows nothing but the configuration.

pub mod align;
pub mod attention_weights;
mod choice;
pub mod history;
pub mod inspect;
pub mod lesson;
pub mod profile;
pub mod queue;
mod run;
pub mod runs;
pub mod sampling;
pub mod series;
pub mod spelling;
pub mod tasks;
pub mod tokenizer;
pub mod workers;

pub use choice::{BackendChoice, CorpusChoice, FileInfo, VocabularyChoice};
pub use history::History;
pub use run::{Baselines, DeviceInfo, Phase, RunId, RunSummary, StepPoint, Token, ValidationPoint};
pub use sampling::Sampling;
