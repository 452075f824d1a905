//! The page. Depends only on `config` and `protocol`.
//!
//! [`state`] contains what is shown and how it changes, without web types; `app` and `components` render it, `link`
//! communicates with the workers, [`draw`] computes pictures.

pub mod draw;
pub mod fields;
pub mod glossary;
pub mod lesson;
pub mod maps;
pub mod palette;
pub mod settings;
pub mod share;
pub mod state;
pub mod systems;
pub mod tokens;
pub mod units;

#[cfg(target_arch = "wasm32")]
mod core {
    pub mod context {
        pub use crate::app::{Cx, on_window};
    }
    pub(crate) use crate::{autosave, download, fetch, files, hub, keys, navigation, preferences, store, workers};
}
#[cfg(target_arch = "wasm32")]
mod shared {
    pub use crate::components::{entry, plot, value_of};
    pub use crate::units::{counted, grouped};
    pub mod icon {
        #[derive(Clone, Copy)]
        pub enum Icon { Left, Right, Check, Restart }
        pub fn icon(icon: Icon) -> yew::Html {
            crate::overlay::icon::icon(match icon { Icon::Left => "left", Icon::Right => "right", Icon::Check => "check", Icon::Restart => "restart" })
        }
    }
}
#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod autosave;
#[cfg(target_arch = "wasm32")]
mod checkpoints;
#[cfg(target_arch = "wasm32")]
mod components;
#[cfg(target_arch = "wasm32")]
mod database;
#[cfg(target_arch = "wasm32")]
mod download;
#[cfg(target_arch = "wasm32")]
mod embed;
#[cfg(target_arch = "wasm32")]
mod experiments;
#[cfg(target_arch = "wasm32")]
mod fetch;
#[cfg(target_arch = "wasm32")]
mod files;
#[cfg(target_arch = "wasm32")]
mod film;
#[cfg(target_arch = "wasm32")]
mod help;
#[cfg(target_arch = "wasm32")]
mod hub;
#[cfg(target_arch = "wasm32")]
mod kernels;
#[cfg(target_arch = "wasm32")]
mod keys;
#[cfg(target_arch = "wasm32")]
mod link;
#[cfg(target_arch = "wasm32")]
mod locks;
#[cfg(target_arch = "wasm32")]
mod menus;
#[cfg(target_arch = "wasm32")]
mod models;
#[cfg(target_arch = "wasm32")]
mod navigation;
#[cfg(target_arch = "wasm32")]
mod overlay;
#[cfg(target_arch = "wasm32")]
mod parquet;
#[cfg(target_arch = "wasm32")]
mod preferences;
#[cfg(target_arch = "wasm32")]
mod questions;
#[cfg(target_arch = "wasm32")]
mod runs_drawer;
#[cfg(target_arch = "wasm32")]
mod shown;
#[cfg(target_arch = "wasm32")]
mod store;
#[cfg(target_arch = "wasm32")]
mod tokenizer;
#[cfg(target_arch = "wasm32")]
mod take_along;
#[cfg(target_arch = "wasm32")]
mod workers;

#[cfg(target_arch = "wasm32")]
pub use app::start;
