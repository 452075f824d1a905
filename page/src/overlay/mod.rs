//! Drawers, popovers and menus: their frame, placement, focus, closing.

pub mod all;
pub mod icon;
pub mod view;
