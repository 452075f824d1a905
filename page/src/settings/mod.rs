//! The drawer of all settings.

pub mod accounting;
pub mod data;
pub mod lr_find;
pub mod rules;
pub mod setup;
pub mod workers;
