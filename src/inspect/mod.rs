//! Inspection of a model: attention maps and the scores of its heads.

pub mod head_scores;
pub mod initial_maps;
pub mod maps;
