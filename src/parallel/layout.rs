//! Which parameters belong together, and which vectors a strategy communicates.

use std::ops::Range;

use crate::gpu::kernel::Access;
use crate::gpu::recording::{Buffers, Recording, Role};
use crate::model::params::ParamTable;
use crate::systems::ring::{chunk, owned_chunk};
use crate::systems::simulate::Strategy;

/// Ranges of a buffer that is laid out by the parameter table, concatenated to one vector.
pub type Ranges = Vec<Range<usize>>;

/// Values in ranges.
pub fn len(ranges: &[Range<usize>]) -> usize {
    ranges.iter().map(Range::len).sum()
}

/// Copies ranges of a buffer into one vector.
pub fn gather(values: &[f32], ranges: &[Range<usize>]) -> Vec<f32> {
    ranges.iter().flat_map(|range| &values[range.clone()]).copied().collect()
}

/// Copies a vector to ranges of a buffer.
pub fn scatter(values: &mut [f32], ranges: &[Range<usize>], mut vector: &[f32]) {
    for range in ranges {
        let (part, rest) = vector.split_at(range.len());
        values[range.clone()].copy_from_slice(part);
        vector = rest;
    }
}

/// The part of a vector of ranges, again as ranges of the buffer.
pub fn part(ranges: &[Range<usize>], wanted: &Range<usize>) -> Ranges {
    let (mut start, mut found) = (0, Vec::new());
    for range in ranges {
        let (from, to) = (wanted.start.max(start), wanted.end.min(start + range.len()));
        if from < to {
            found.push(range.start + from - start..range.start + to - start);
        }
        start += range.len();
    }
    found
}

/// The units of a model: the embedding, every layer, and the head with the last norm. Padding between parameters belongs to
/// none.
pub fn units(table: &ParamTable) -> Vec<Ranges> {
    let n_layers = table.iter().filter_map(|param| param.layer).max().map_or(0, |last| last + 1);
    let mut units = vec![Vec::new(); n_layers + 2];
    for param in table.iter() {
        units[unit_of(param.layer, &param.name, n_layers)].push(param.start..param.start + param.len());
    }
    units.iter_mut().for_each(|ranges: &mut Ranges| ranges.sort_by_key(|range| range.start));
    units
}

fn unit_of(layer: Option<usize>, name: &str, n_layers: usize) -> usize {
    match layer {
        Some(layer) => layer + 1,
        None if name.contains("embeddings") => 0,
        None => n_layers + 1,
    }
}

/// A vector that is communicated as a whole, and the unit whose gradients complete it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    /// Its ranges.
    pub ranges: Ranges,
    /// The unit that is ready last; the vector can be sent after it.
    pub after: usize,
}

/// The vectors of gradients that a strategy reduces, in the order in which the backward pass completes them.
pub fn vectors(strategy: Strategy, table: &ParamTable, bucket_bytes: f64) -> Vec<Vector> {
    let units = units(table);
    let backward = (0..units.len()).rev().filter(|&unit| !units[unit].is_empty());
    match strategy {
        Strategy::Naive => {
            let of = |unit: usize| {
                units[unit].iter().rev().map(move |range| Vector { ranges: vec![range.clone()], after: 0 })
            };
            backward.flat_map(of).collect()
        }
        Strategy::Flat | Strategy::Sharded | Strategy::TensorParallel => {
            vec![Vector { ranges: std::iter::once(0..table.buffer_len()).collect(), after: 0 }]
        }
        Strategy::Overlapped | Strategy::Fsdp => {
            backward.map(|unit| Vector { ranges: units[unit].clone(), after: unit }).collect()
        }
        Strategy::Bucketed => {
            let (mut vectors, mut ranges): (Vec<Vector>, Ranges) = (Vec::new(), Vec::new());
            for after in backward {
                ranges.extend(units[after].iter().cloned());
                if 4.0 * len(&ranges) as f64 >= bucket_bytes || after == 0 {
                    vectors.push(Vector { ranges: std::mem::take(&mut ranges), after });
                }
            }
            vectors
        }
    }
}

/// What each rank's part of the gradient norm is computed from: with sharded gradients its own chunks, otherwise everything on
/// the first rank. Summed in this order on one rank, the norm is the same to the bit.
pub fn norm_parts(strategy: Strategy, vectors: &[Vector], n: usize) -> Vec<Ranges> {
    let shards = matches!(strategy, Strategy::Sharded | Strategy::Fsdp);
    if !shards {
        let mut whole: Ranges = vectors.iter().flat_map(|vector| vector.ranges.clone()).collect();
        whole.sort_by_key(|range| range.start);
        return vec![whole];
    }
    (0..n).map(|rank| own(vectors, rank, n)).collect()
}

/// The ranges of which a rank has the sums after reduce-scatters of all vectors.
pub fn own(vectors: &[Vector], rank: usize, n: usize) -> Ranges {
    let of = |vector: &Vector| part(&vector.ranges, &chunk(len(&vector.ranges), n, owned_chunk(rank, n)));
    vectors.iter().flat_map(of).collect()
}

/// For every dispatch, the units whose parameters it reads, and the units whose gradients it completes.
pub fn uses(recording: &Recording, buffers: &Buffers, table: &ParamTable) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
    let n_layers = table.iter().filter_map(|param| param.layer).max().map_or(0, |last| last + 1);
    let n = recording.dispatches.len();
    let (mut read, mut last_written) = (vec![Vec::new(); n], vec![None; n_layers + 2]);
    for (at, dispatch) in recording.dispatches.iter().enumerate() {
        for (slice, access) in dispatch.bindings.iter().zip(dispatch.kernel.access) {
            let Some(param) = table.at(slice.start) else { continue };
            let unit = unit_of(param.layer, &param.name, n_layers);
            match buffers.specs[slice.buffer.0].role {
                Role::Parameters => read[at].push(unit),
                Role::Gradients if *access == Access::ReadWrite => last_written[unit] = Some(at),
                _ => (),
            }
        }
    }
    let mut completed = vec![Vec::new(); n];
    for (unit, at) in last_written.into_iter().enumerate() {
        if let Some(at) = at {
            completed[at].push(unit);
        }
    }
    (read, completed)
}
