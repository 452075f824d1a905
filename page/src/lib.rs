//! The page. Of the library it depends on plain data and messages only.
//!
//! | module | contents |
//! |---|---|
//! | [`state`] | what is shown and how it changes, without web types |
//! | [`draw`], [`maps`], [`tokens`], [`units`] | pictures, numbers and text for display; pure |
//! | `core` | the context of every component, the link to the workers, the address, services of the browser |
//! | `shared` | components that several views use |
//! | `shell` | rail, top bar, setup bar, banner |
//! | `overlay`, `menus`, [`settings`], `runs_drawer`, [`palette`], `help` | drawers, popovers and menus |
//! | `train`, `align`, `experiments`, [`scale`], [`data`], [`systems`], `tokenizer`, [`lesson`] | a module per view |
//! | `runs` | saved runs, and models of other programs |
//! | `app` | the root component |

pub mod data;
pub mod draw;
pub mod fields;
pub mod glossary;
pub mod lesson;
pub mod maps;
pub mod palette;
pub mod scale;
pub mod settings;
pub mod share;
pub mod state;
pub mod systems;
pub mod tokens;
pub mod units;

#[cfg(target_arch = "wasm32")]
mod align;
#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod core;
#[cfg(target_arch = "wasm32")]
mod experiments;
#[cfg(target_arch = "wasm32")]
mod help;
#[cfg(target_arch = "wasm32")]
mod menus;
#[cfg(target_arch = "wasm32")]
mod overlay;
#[cfg(target_arch = "wasm32")]
mod runs;
#[cfg(target_arch = "wasm32")]
mod runs_drawer;
#[cfg(target_arch = "wasm32")]
mod shared;
#[cfg(target_arch = "wasm32")]
mod shell;
#[cfg(target_arch = "wasm32")]
mod tokenizer;
#[cfg(target_arch = "wasm32")]
mod train;

#[cfg(target_arch = "wasm32")]
pub use app::start;
