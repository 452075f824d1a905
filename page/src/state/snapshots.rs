//! The maps of one sentence at several training steps, in bounded memory. Pure.
//!
//! Masked cells are not stored: with a causal mask, a head of n tokens takes n(n + 1)/2 bytes. When the budget is
//! exceeded, every second snapshot is dropped, and from then on only every second arriving one is stored. The stored
//! ones are spread evenly over all arrivals, and always include the first and the newest.

use std::rc::Rc;

use super::Maps;

/// The snapshots of one sentence, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshots {
    /// What all snapshots have in common; contains no weights.
    about: Rc<Maps>,
    kept: Vec<Moment>,
    /// One in this many arrivals is stored.
    stride: u64,
    arrived: u64,
    budget_bytes: usize,
}

/// One snapshot.
#[derive(Clone, Debug, PartialEq)]
struct Moment {
    /// The number of arrivals before it.
    arrival: u64,
    step: u64,
    /// The unmasked cells of all heads, row by row.
    packed: Rc<[u8]>,
    /// Mean row entropies; see [`Maps::entropies`].
    entropies: Rc<[f32]>,
}

impl Snapshots {
    /// Starts with `maps`. All weights together take at most `budget_bytes`, but at least two snapshots are kept.
    pub fn new(maps: &Maps, budget_bytes: usize) -> Self {
        let about = Rc::new(Maps { bytes: Rc::from([]), ..maps.clone() });
        let mut snapshots = Self { about, kept: Vec::new(), stride: 1, arrived: 0, budget_bytes };
        snapshots.record(maps);
        snapshots
    }

    /// Whether `maps` have the same sentence and model shape.
    pub fn is_of(&self, maps: &Maps) -> bool {
        let shape = |maps: &Maps| (maps.n_layers, maps.n_heads, maps.causal, maps.tokens_cut);
        shape(&self.about) == shape(maps) && self.about.tokens == maps.tokens
    }

    /// Appends maps, which must be of this sentence. Maps of the newest step replace it; maps of an earlier step
    /// discard all snapshots and start over.
    pub fn record(&mut self, maps: &Maps) {
        let (step, packed, entropies) = (maps.step, pack(maps), maps.entropies.clone());
        if let Some(newest) = self.kept.last_mut().filter(|newest| newest.step >= step) {
            if newest.step == step {
                (newest.packed, newest.entropies) = (packed, entropies);
                return;
            }
            (self.stride, self.arrived) = (1, 0);
            self.kept.clear();
        }
        if self.kept.last().is_some_and(|newest| !newest.arrival.is_multiple_of(self.stride)) {
            self.kept.pop(); // it was only kept as the newest
        }
        self.kept.push(Moment { arrival: self.arrived, step, packed, entropies });
        self.arrived += 1;
        self.thin();
    }

    /// Changes the budget.
    pub fn set_budget(&mut self, budget_bytes: usize) {
        self.budget_bytes = budget_bytes;
        self.thin();
    }

    fn thin(&mut self) {
        let each = self.kept.last().map_or(1, |newest| newest.packed.len().max(1));
        let most = (self.budget_bytes / each).max(2);
        while self.kept.len() > most {
            self.stride *= 2;
            let (stride, newest) = (self.stride, self.arrived - 1);
            self.kept.retain(|moment| moment.arrival.is_multiple_of(stride) || moment.arrival == newest);
        }
    }

    /// Number of snapshots; at least 1.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Always false: there is at least one snapshot.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Bytes taken by the weights.
    pub fn bytes(&self) -> usize {
        self.kept.iter().map(|moment| moment.packed.len()).sum()
    }

    /// One in this many arrivals is stored.
    pub fn stride(&self) -> u64 {
        self.stride
    }

    /// The steps of all snapshots, ascending.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.kept.iter().map(|moment| moment.step)
    }

    /// The index of the latest snapshot at or before `step`, else of the first.
    pub fn at_step(&self, step: u64) -> usize {
        self.kept.partition_point(|moment| moment.step <= step).saturating_sub(1)
    }

    /// The maps of a snapshot.
    pub fn maps(&self, index: usize) -> Option<Maps> {
        let moment = self.kept.get(index)?;
        let (bytes, entropies) = (unpack(&moment.packed, &self.about), moment.entropies.clone());
        Some(Maps { step: moment.step, bytes, entropies, ..(*self.about).clone() })
    }
}

/// The unmasked cells (n, n) of every head.
fn pack(maps: &Maps) -> Rc<[u8]> {
    let n = maps.tokens.len();
    let mut packed = Vec::with_capacity(maps.bytes.len() / 2 + n * maps.n_layers * maps.n_heads);
    for head in maps.bytes.chunks_exact((n * n).max(1)) {
        for (query, row) in head.chunks_exact(n.max(1)).enumerate() {
            packed.extend_from_slice(&row[..maps.keys(query)]);
        }
    }
    packed.into()
}

fn unpack(packed: &[u8], about: &Maps) -> Rc<[u8]> {
    let n = about.n();
    let per_head: usize = (0..n).map(|query| about.keys(query)).sum();
    let mut bytes = vec![0; packed.len() / per_head.max(1) * n * n];
    let mut rest = packed;
    for (row, query) in bytes.chunks_exact_mut(n.max(1)).zip((0..n).cycle()) {
        let Some((kept, others)) = rest.split_at_checked(about.keys(query)) else { break };
        row[..kept.len()].copy_from_slice(kept);
        rest = others;
    }
    bytes.into()
}
