//! Collectives over a ring of N ranks: who sends which chunk to whom in which round, and the same executed on vectors.
//!
//! A vector is cut into N chunks. In a reduce-scatter, chunk c starts at rank c and travels once around the ring; every rank
//! adds its part. So rank r ends with the sum of chunk r + 1, added in the order r + 1, r + 2, …, r (modulo N). In an
//! all-gather, the finished chunks travel around once more. All-reduce is one after the other: 2(N − 1) rounds in each of
//! which every rank sends S/N bytes.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// One message of a collective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The round, from 0. All messages of a round can travel at the same time.
    pub round: usize,
    /// Sender.
    pub from: usize,
    /// Receiver.
    pub to: usize,
    /// The chunk.
    pub chunk: usize,
    /// Whether the receiver adds the chunk to its own; otherwise it replaces it.
    pub add: bool,
}

/// A collective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collective {
    /// Every rank ends with the sum of one chunk.
    ReduceScatter,
    /// Every rank ends with all chunks, of which it had one.
    AllGather,
    /// Every rank ends with the sum of everything.
    AllReduce,
}

impl Collective {
    /// All collectives.
    pub const ALL: [Self; 3] = [Self::ReduceScatter, Self::AllGather, Self::AllReduce];

    /// The name of the collective.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReduceScatter => "reduce-scatter",
            Self::AllGather => "all-gather",
            Self::AllReduce => "all-reduce",
        }
    }

    /// Number of rounds with `n` ranks.
    pub fn n_rounds(self, n: usize) -> usize {
        let once = n.saturating_sub(1);
        if self == Self::AllReduce { 2 * once } else { once }
    }

    /// All messages with `n` ranks, in the order of rounds and senders.
    pub fn messages(self, n: usize) -> Vec<Message> {
        (0..self.n_rounds(n)).flat_map(|round| (0..n).map(move |from| self.message(n, round, from))).collect()
    }

    /// What a rank sends in a round.
    pub fn message(self, n: usize, round: usize, from: usize) -> Message {
        let once = n - 1;
        let (add, step) = match self {
            Self::ReduceScatter => (true, round),
            Self::AllGather => (false, round),
            Self::AllReduce => (round < once, round % once.max(1)),
        };
        // Adding: chunk `from` first. Gathering: first the chunk that the rank has finished.
        let chunk = if add { (from + n - step) % n } else { (from + 1 + n - step) % n };
        Message { round, from, to: (from + 1) % n, chunk, add }
    }
}

/// The chunk of which a rank has the sum after a reduce-scatter.
pub fn owned_chunk(rank: usize, n: usize) -> usize {
    (rank + 1) % n
}

/// The elements of a chunk: `len` cut into `n` parts as even as possible, the larger ones first.
pub fn chunk(len: usize, n: usize, index: usize) -> Range<usize> {
    let start = |index: usize| index * (len / n) + index.min(len % n);
    start(index)..start(index + 1)
}

/// Carries out a collective on the vectors of all ranks, which have the same length.
///
/// # Panics
/// When the vectors have different lengths.
pub fn execute(collective: Collective, ranks: &mut [Vec<f32>]) {
    let n = ranks.len();
    let len = ranks.first().map_or(0, Vec::len);
    assert!(ranks.iter().all(|rank| rank.len() == len), "vectors of different lengths");
    for round in 0..collective.n_rounds(n) {
        let sent: Vec<(Message, Vec<f32>)> = (0..n)
            .map(|from| collective.message(n, round, from))
            .map(|message| (message, ranks[message.from][chunk(len, n, message.chunk)].to_vec()))
            .collect();
        for (message, values) in sent {
            receive(&mut ranks[message.to][chunk(len, n, message.chunk)], &values, message.add);
        }
    }
}

/// Takes a received chunk.
pub fn receive(own: &mut [f32], values: &[f32], add: bool) {
    match add {
        true => own.iter_mut().zip(values).for_each(|(own, value)| *own += value),
        false => own.copy_from_slice(values),
    }
}

/// The sum of N vectors on one rank, each chunk added in the order of the ring: to the bit what an all-reduce gives every rank.
///
/// # Panics
/// When there is no vector, or when their lengths differ.
pub fn sum_in_ring_order(parts: &[&[f32]]) -> Vec<f32> {
    let (n, len) = (parts.len(), parts[0].len());
    let mut sum = vec![0.0; len];
    for index in 0..n {
        let range = chunk(len, n, index);
        sum[range.clone()].copy_from_slice(&parts[index][range.clone()]);
        for step in 1..n {
            receive(&mut sum[range.clone()], &parts[(index + step) % n][range.clone()], true);
        }
    }
    sum
}
