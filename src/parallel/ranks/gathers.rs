//! The parameters of a sharded rank: gathered before they are needed, dropped afterwards.

use super::RankError;
use crate::parallel::layout::{self, Vector};
use crate::parallel::replica::{Event, Replica};
use crate::parallel::wire::Wire;
use crate::systems::ring::{Collective, chunk, owned_chunk};

/// Gathers the parameters of units before they are needed, one in advance, and drops them afterwards.
pub(super) struct Gathers<'v> {
    on: bool,
    vectors: &'v [Vector],
    rank: usize,
    n: usize,
    /// The units that are in memory, in the order of their use.
    held: Vec<usize>,
    /// Posted gathers, in order.
    coming: Vec<(usize, usize)>,
}

impl<'v> Gathers<'v> {
    pub fn new(on: bool, vectors: &'v [Vector], rank: usize, n: usize) -> Self {
        Self { on, vectors, rank, n, held: Vec::new(), coming: Vec::new() }
    }

    /// Before a dispatch: waits for its units, drops the others, and posts the gather of the next ones.
    pub fn before(&mut self, replica: &mut Replica<'_>, wire: &mut Wire, event: &Event<'_>) -> Result<(), RankError> {
        if !self.on || event.needed.is_empty() {
            return Ok(());
        }
        for unit in self.held.iter().filter(|unit| !event.needed.contains(unit)) {
            self.drop_unit(replica, *unit);
        }
        self.held.retain(|unit| event.needed.contains(unit));
        for &unit in event.needed {
            if self.held.contains(&unit) {
                continue;
            }
            if !self.coming.iter().any(|(coming, _)| *coming == unit) {
                self.post(replica, wire, unit);
            }
            while let Some((arrived, job)) = self.coming.first().copied() {
                self.coming.remove(0);
                self.take(replica, wire, arrived, job)?;
                if arrived == unit {
                    break;
                }
            }
        }
        for &unit in event.next {
            if !self.held.contains(&unit) && !self.coming.iter().any(|(coming, _)| *coming == unit) {
                self.post(replica, wire, unit);
            }
        }
        Ok(())
    }

    fn post(&mut self, replica: &Replica<'_>, wire: &mut Wire, unit: usize) {
        let Some(vector) = self.vectors.iter().find(|vector| vector.after == unit) else { return };
        let mut values = vec![0.0; layout::len(&vector.ranges)];
        let own = chunk(values.len(), self.n, owned_chunk(self.rank, self.n));
        values[own.clone()].copy_from_slice(&layout::gather(replica.shard(), &layout::part(&vector.ranges, &own)));
        self.coming.push((unit, wire.post(Collective::AllGather, values)));
    }

    fn take(&mut self, replica: &mut Replica<'_>, wire: &mut Wire, unit: usize, job: usize) -> Result<(), RankError> {
        let Some(vector) = self.vectors.iter().find(|vector| vector.after == unit) else { return Ok(()) };
        let values = wire.wait(job)?;
        replica.place_parameters(&vector.ranges, &values);
        self.held.push(unit);
        let held = self.vectors.iter().filter(|vector| self.held.contains(&vector.after));
        replica.note_gathered(held.map(|vector| layout::len(&vector.ranges)).sum());
        Ok(())
    }

    fn drop_unit(&self, replica: &mut Replica<'_>, unit: usize) {
        if let Some(vector) = self.vectors.iter().find(|vector| vector.after == unit) {
            replica.drop_parameters(&vector.ranges);
        }
    }

    /// After the last dispatch: the rank's own chunks alone.
    pub fn finish(&mut self, replica: &mut Replica<'_>, wire: &mut Wire) -> Result<(), RankError> {
        for (_, job) in self.coming.drain(..) {
            wire.wait(job)?;
        }
        if self.on {
            replica.restore_shard();
        }
        self.held.clear();
        Ok(())
    }
}
