//! Training: the training loop ([`trainer`]), data parallelism ([`shards`]), text generation ([`generate`]), checkpoints
//! ([`checkpoint`]), and the session that serves the page ([`session`]).

pub mod adopt;
pub mod align;
pub mod checkpoint;
mod checksum;
pub mod explain;
pub mod file_data;
pub mod first_look;
pub mod generate;
pub mod generations;
pub mod head_scores;
pub mod lost_devices;
pub mod lr_find;
pub mod measure;
pub mod objective;
pub mod pace;
pub mod pair;
pub mod prepare;
pub mod profile;
pub mod record;
pub mod run;
pub mod score;
pub mod scoring;
pub mod session;
pub mod shards;
pub mod trainer;
pub mod vocabularies;
pub mod window;
pub mod writer;
