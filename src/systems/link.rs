//! The time of collectives over links with a bandwidth and a latency.

use serde::{Deserialize, Serialize};

use super::ring::Collective;

/// A link from each rank to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// W: bytes per second in one direction.
    pub bytes_per_s: f64,
    /// Seconds per message.
    pub latency_s: f64,
}

impl Link {
    /// Seconds of one message.
    pub fn message_s(self, bytes: f64) -> f64 {
        self.latency_s + bytes / self.bytes_per_s
    }

    /// Seconds of a collective of `bytes` over a ring of `n` ranks: every round sends a chunk of S/N over every link.
    pub fn collective_s(self, collective: Collective, n: usize, bytes: f64) -> f64 {
        collective.n_rounds(n) as f64 * self.message_s(bytes / n.max(1) as f64)
    }

    /// Seconds when whole tensors travel around the ring instead of chunks, one sum at a time: (N − 1)·S/W.
    pub fn whole_tensor_s(self, n: usize, bytes: f64) -> f64 {
        n.saturating_sub(1) as f64 * self.message_s(bytes)
    }

    /// The best bucket for an overlapped all-reduce of `bytes` whose calls cost `overhead_s` each: √(S·W·o), in bytes.
    pub fn best_bucket(self, bytes: f64, overhead_s: f64) -> f64 {
        (bytes * self.bytes_per_s * overhead_s).sqrt()
    }
}
