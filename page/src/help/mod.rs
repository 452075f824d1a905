//! The help: keyboard, glossary, about.

mod glossary;
pub mod view;
