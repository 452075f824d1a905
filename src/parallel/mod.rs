//! Data parallelism: a batch is shared between several instances of this program. Each computes the gradients of its shard, and
//! one of them adds them up and updates the model.
//!
//! A helper keeps no state between steps: it receives parameters and tokens, and returns gradients and a loss. The owner of the
//! run can therefore compute any shard in place of a helper with bitwise identical results, and the rest of the run is
//! independent of the helpers.
//!
//! Natively, [`ranks`] trains as clusters do: every rank has its own model and exchanges gradients, or parts of the model, with
//! its neighbors in a ring.

#[cfg(not(target_arch = "wasm32"))]
pub mod collectives;
#[cfg(not(target_arch = "wasm32"))]
pub mod layout;
pub mod measure;
pub mod pool;
#[cfg(not(target_arch = "wasm32"))]
pub mod ranks;
#[cfg(not(target_arch = "wasm32"))]
mod replica;
pub mod shard;
#[cfg(not(target_arch = "wasm32"))]
pub mod tensor;
#[cfg(not(target_arch = "wasm32"))]
pub mod transport;
#[cfg(not(target_arch = "wasm32"))]
mod wire;
