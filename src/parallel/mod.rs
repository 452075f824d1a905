//! Data parallelism: a batch is shared between several instances of this program. Each computes the gradients of its shard, and
//! one of them adds them up and updates the model.
//!
//! A helper keeps no state between steps: it receives parameters and tokens, and returns gradients and a loss. The owner of the
//! run can therefore compute any shard in place of a helper with bitwise identical results, and the rest of the run is
//! independent of the helpers.

pub mod measure;
pub mod pool;
pub mod shard;
