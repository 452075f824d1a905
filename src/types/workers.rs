//! Data-parallel workers.

/// Maximum number of workers; beyond it, messages cost more time than additional workers save.
pub const MAX_WORKERS: usize = 16;
