//! The link of a rank as a queue of collectives, which a thread works off in order while the rank computes.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use super::collectives::{self, Sent};
use super::transport::{Transport, TransportError};
use crate::systems::ring::Collective;

/// A collective to carry out, with its number.
pub struct Job {
    id: usize,
    collective: Collective,
    values: Vec<f32>,
}

/// A result with its number.
type Done = (usize, Vec<f32>);

/// The rank's side of the queue.
pub struct Wire {
    jobs: Sender<Job>,
    done: Receiver<Done>,
    arrived: HashMap<usize, Vec<f32>>,
    next: usize,
    /// Seconds spent in [`Wire::wait`].
    pub waited_s: f64,
}

impl Wire {
    /// A queue, and the ends for [`carry`].
    pub fn new() -> (Self, Receiver<Job>, Sender<Done>) {
        let ((jobs, taken), (sender, done)) = (channel(), channel());
        (Self { jobs, done, arrived: HashMap::new(), next: 0, waited_s: 0.0 }, taken, sender)
    }

    /// Queues a collective and returns its number. All ranks queue the same ones in the same order.
    pub fn post(&mut self, collective: Collective, values: Vec<f32>) -> usize {
        let id = self.next;
        self.next += 1;
        // A link that has failed is reported by `wait`.
        let _ = self.jobs.send(Job { id, collective, values });
        id
    }

    /// Waits for the result of a collective.
    ///
    /// # Errors
    /// If the link has failed.
    pub fn wait(&mut self, id: usize) -> Result<Vec<f32>, TransportError> {
        let began = Instant::now();
        while !self.arrived.contains_key(&id) {
            let (arrived, values) = self.done.recv().map_err(|_| TransportError::Gone)?;
            self.arrived.insert(arrived, values);
        }
        self.waited_s += began.elapsed().as_secs_f64();
        self.arrived.remove(&id).ok_or(TransportError::Gone)
    }
}

/// Works off the queue of rank `at[0]` of `at[1]` until the rank drops it.
///
/// # Errors
/// If a neighbor has ended.
pub fn carry(
    mut transport: Box<dyn Transport>,
    at: [usize; 2],
    jobs: &Receiver<Job>,
    done: &Sender<Done>,
) -> Result<Sent, TransportError> {
    let mut sent = Sent::default();
    for Job { id, collective, mut values } in jobs {
        let more = collectives::run(&mut *transport, at, collective, &mut values)?;
        sent = Sent { messages: sent.messages + more.messages, bytes: sent.bytes + more.bytes };
        if done.send((id, values)).is_err() {
            break;
        }
    }
    Ok(sent)
}
