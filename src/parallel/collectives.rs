//! Collectives over a ring: the same messages as in [`crate::systems::ring`], sent over real links.

use super::transport::{Transport, TransportError};
use crate::systems::ring::{Collective, chunk, receive};

/// What a rank has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Messages.
    pub messages: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Takes part in a collective as rank `rank` of `n`; all ranks call it with the same collective and length.
///
/// # Errors
/// If a neighbor has ended or does something else.
pub fn run(
    transport: &mut dyn Transport,
    [rank, n]: [usize; 2],
    collective: Collective,
    values: &mut [f32],
) -> Result<Sent, TransportError> {
    let (len, mut sent) = (values.len(), Sent::default());
    for round in 0..collective.n_rounds(n) {
        let outgoing = collective.message(n, round, rank);
        let incoming = collective.message(n, round, (rank + n - 1) % n);
        let range = chunk(len, n, outgoing.chunk);
        sent = Sent { messages: sent.messages + 1, bytes: sent.bytes + 4 * range.len() as u64 };
        transport.send(&values[range])?;
        let range = chunk(len, n, incoming.chunk);
        let arrived = transport.receive(range.len())?;
        receive(&mut values[range], &arrived, incoming.add);
    }
    Ok(sent)
}
