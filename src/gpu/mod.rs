//! Execution: kernels, recordings of dispatches, and the two backends that execute them.
//!
//! A [`Recording`](recording::Recording) is pure data over a table of [`Buffers`](recording::Buffers).
//! [`Backend`](backend::Backend) replays it on the GPU ([`execute`]) or on the CPU ([`interpret`]), with the same results
//! within rounding; [`compare`] finds the first dispatch where they differ.

pub mod backend;
#[cfg(target_arch = "wasm32")]
mod browser;
pub mod choices;
pub(crate) mod clock;
pub mod compare;
pub mod context;
mod error;
pub mod execute;
mod fault;
pub mod fusion;
pub mod interpret;
pub mod kernel;
mod limits;
pub mod pipeline;
mod poll;
pub mod profile;
mod program;
pub mod recording;
pub mod variant;
