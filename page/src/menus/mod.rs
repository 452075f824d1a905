//! Menus and popovers of the bars and tiles.

pub mod display;
pub mod model;
pub mod sampling;
pub mod save;
pub mod share;
pub mod text;
