//! Exact lines and near-duplicate documents.

mod clusters;
mod external;
mod lines;
mod minhash;
mod normalize;

pub use clusters::{Cluster, Clusters, Link, cluster};
pub use external::Partitions;
pub use lines::{LineCounts, Lines, Repeated, line_hash, remove_lines};
pub use minhash::{MinHash, Sketch, Sketcher, candidate_probability, jaccard};
pub use normalize::normalize;
