//! The page. Knows `config` and `protocol` alone.
