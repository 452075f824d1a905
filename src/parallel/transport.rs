//! Links between the ranks of a ring: shared memory between threads, and TCP over the loopback interface. Both can be slowed
//! down to a bandwidth and a latency.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::systems::link::Link;

/// Why a collective failed.
#[derive(Debug, Error)]
pub enum TransportError {
    /// The neighbor has ended.
    #[error("a neighbor in the ring has ended")]
    Gone,
    /// The neighbor sent a message of another size.
    #[error("a neighbor sent {received} values instead of {expected}")]
    Length {
        /// Values in the message.
        received: usize,
        /// Values of the chunk.
        expected: usize,
    },
    /// A socket failed.
    #[error("the loopback connection failed: {0}")]
    Socket(#[from] std::io::Error),
}

/// One rank's place in a ring: it sends to the next rank and receives from the previous one.
pub trait Transport: Send {
    /// Sends values to the next rank. Returns before they have arrived.
    ///
    /// # Errors
    /// If the next rank has ended.
    fn send(&mut self, values: &[f32]) -> Result<(), TransportError>;

    /// Receives values from the previous rank.
    ///
    /// # Errors
    /// If the previous rank has ended or sent another number of values.
    fn receive(&mut self, n: usize) -> Result<Vec<f32>, TransportError>;
}

/// The kind of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Shared memory.
    Threads,
    /// TCP over the loopback interface.
    Tcp,
}

/// A message and the time at which a slowed-down link delivers it.
struct Parcel {
    values: Vec<f32>,
    due: Option<Instant>,
}

/// Delays messages as a link does: one after the other.
struct Throttle {
    link: Option<Link>,
    free: Instant,
}

impl Throttle {
    fn new(link: Option<Link>) -> Self {
        Self { link, free: Instant::now() }
    }

    /// When a message that is sent now arrives.
    fn due(&mut self, n_values: usize) -> Option<Instant> {
        let link = self.link?;
        let seconds = Duration::try_from_secs_f64(link.message_s(4.0 * n_values as f64)).unwrap_or(Duration::MAX);
        self.free = self.free.max(Instant::now()).checked_add(seconds).unwrap_or(self.free);
        Some(self.free)
    }
}

fn wait_until(due: Option<Instant>) {
    if let Some(left) = due.and_then(|due| due.checked_duration_since(Instant::now())) {
        thread::sleep(left);
    }
}

struct Threads {
    next: Sender<Parcel>,
    previous: Receiver<Parcel>,
    throttle: Throttle,
}

impl Transport for Threads {
    fn send(&mut self, values: &[f32]) -> Result<(), TransportError> {
        let parcel = Parcel { due: self.throttle.due(values.len()), values: values.to_vec() };
        self.next.send(parcel).map_err(|_| TransportError::Gone)
    }

    fn receive(&mut self, n: usize) -> Result<Vec<f32>, TransportError> {
        let Parcel { values, due } = self.previous.recv().map_err(|_| TransportError::Gone)?;
        wait_until(due);
        if values.len() == n { Ok(values) } else { Err(TransportError::Length { received: values.len(), expected: n }) }
    }
}

struct Tcp {
    /// The thread that writes: a rank that waits until its message is read would wait for a rank that does the same.
    next: Sender<Vec<u8>>,
    previous: TcpStream,
    throttle: Throttle,
    /// Both ends of a connection are in this program, so that they share this beginning of time.
    epoch: Instant,
}

/// Nanoseconds since the epoch at which the message is due, 0 for at once; number of values.
const HEADER_BYTES: usize = 16;

impl Transport for Tcp {
    fn send(&mut self, values: &[f32]) -> Result<(), TransportError> {
        let due = self.throttle.due(values.len()).map_or(0, |due| (due - self.epoch).as_nanos() as u64);
        let mut bytes = Vec::with_capacity(HEADER_BYTES + 4 * values.len());
        bytes.extend(due.to_le_bytes());
        bytes.extend((values.len() as u64).to_le_bytes());
        bytes.extend_from_slice(bytemuck::cast_slice(values));
        self.next.send(bytes).map_err(|_| TransportError::Gone)
    }

    fn receive(&mut self, n: usize) -> Result<Vec<f32>, TransportError> {
        let mut header = [0; HEADER_BYTES];
        self.previous.read_exact(&mut header)?;
        let word = |at: usize| header[at..at + 8].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        let (due_ns, received) = (word(0), word(8) as usize);
        if received != n {
            return Err(TransportError::Length { received, expected: n });
        }
        let mut values = vec![0.0f32; n];
        self.previous.read_exact(bytemuck::cast_slice_mut(&mut values))?;
        wait_until((due_ns > 0).then(|| self.epoch + Duration::from_nanos(due_ns)));
        Ok(values)
    }
}

/// The places of `n` ranks in a ring. With a link, messages take as long as it needs, and never less than the real one.
///
/// # Errors
/// If the loopback interface refuses connections.
pub fn ring(kind: Kind, n: usize, link: Option<Link>) -> Result<Vec<Box<dyn Transport>>, TransportError> {
    match kind {
        Kind::Threads => {
            let (senders, receivers): (Vec<_>, Vec<_>) = (0..n).map(|_| channel()).unzip();
            let mut senders = senders;
            // The sender to rank 1 belongs to rank 0, and so on.
            senders.rotate_left(1 % n.max(1));
            let pairs = senders.into_iter().zip(receivers);
            let place = |(next, previous)| {
                Box::new(Threads { next, previous, throttle: Throttle::new(link) }) as Box<dyn Transport>
            };
            Ok(pairs.map(place).collect())
        }
        Kind::Tcp => tcp(n, link),
    }
}

fn tcp(n: usize, link: Option<Link>) -> Result<Vec<Box<dyn Transport>>, TransportError> {
    let epoch = Instant::now();
    let listeners: Vec<TcpListener> =
        (0..n).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    let mut ring: Vec<Box<dyn Transport>> = Vec::with_capacity(n);
    let mut writers: Vec<TcpStream> = Vec::with_capacity(n);
    for rank in 0..n {
        let stream = TcpStream::connect(listeners[(rank + 1) % n].local_addr()?)?;
        stream.set_nodelay(true)?;
        writers.push(stream);
    }
    for (listener, mut stream) in listeners.into_iter().zip(writers) {
        let (previous, _) = listener.accept()?;
        let (next, messages) = channel::<Vec<u8>>();
        // Ends when the rank ends, or when the connection fails, which the receiver reports.
        thread::spawn(move || messages.into_iter().try_for_each(|bytes| stream.write_all(&bytes)));
        ring.push(Box::new(Tcp { next, previous, throttle: Throttle::new(link), epoch }));
    }
    Ok(ring)
}
