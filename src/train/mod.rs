//! Training: the loop over steps ([`trainer`]), writing text ([`generate`]), models on disk ([`checkpoint`]), and the
//! session that the page talks to ([`session`]).

pub mod checkpoint;
pub mod file_data;
pub mod generate;
pub mod prepare;
pub mod run;
pub mod schedule;
pub mod score;
pub mod scoring;
pub mod session;
pub mod trainer;
pub mod vocabularies;
