//! A tensor-parallel feed-forward network: every rank has a part of the inner width, and the ranks add up their outputs.

use super::collectives;
use super::transport::{Kind, TransportError, ring};
use crate::gpu::interpret::CpuBackend;
use crate::gpu::recording::{Buffers, Recording};
use crate::ops::linear_grad::linear_grad_onto;
use crate::ops::matmul::{Layout, Shape, matmul};
use crate::ops::swiglu::{swiglu, swiglu_grad};
use crate::systems::ring::{Collective, chunk};

/// A feed-forward network y = W2·(SiLU(W1·x) ⊙ W3·x) and one batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// N rows, C, F.
    pub sizes: [usize; 3],
    /// W1 (F, C).
    pub w1: Vec<f32>,
    /// W3 (F, C).
    pub w3: Vec<f32>,
    /// W2 (C, F).
    pub w2: Vec<f32>,
    /// x (N, C).
    pub x: Vec<f32>,
    /// The gradient of y (N, C).
    pub y_grad: Vec<f32>,
}

/// Output and gradients of a network, or of a rank's part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// y (N, C).
    pub y: Vec<f32>,
    /// The gradient of x (N, C).
    pub x_grad: Vec<f32>,
    /// The gradients of W1 and W3 (2F, C).
    pub gate_up_grad: Vec<f32>,
    /// The gradient of W2 (C, F).
    pub w2_grad: Vec<f32>,
    /// Bytes of the rank's weights.
    pub weight_bytes: usize,
}

impl Network {
    /// The rows of W1 and W3, and the columns of W2, of a rank.
    fn part(&self, rank: usize, n: usize) -> Self {
        let [rows, c, f] = self.sizes;
        let own = chunk(f, n, rank);
        let rows_of = |w: &[f32]| w[own.start * c..own.end * c].to_vec();
        let w2 = self.w2.chunks_exact(f).flat_map(|row| &row[own.clone()]).copied().collect();
        Self { sizes: [rows, c, own.len()], w1: rows_of(&self.w1), w3: rows_of(&self.w3), w2, ..self.clone() }
    }

    /// Forward and backward on one rank, with the kernels of training.
    pub fn alone(&self) -> Outcome {
        let [rows, c, f] = self.sizes;
        let mut buffers = Buffers::default();
        let mut add = |len: usize| buffers.add("tensor parallel", len);
        let [x, y, y_grad, x_grad] = [(); 4].map(|()| add(rows * c));
        let [gate_up, gate_up_grad] = [(); 2].map(|()| add(rows * 2 * f));
        let [hidden, hidden_grad] = [(); 2].map(|()| add(rows * f));
        let [w13, w13_grad] = [(); 2].map(|()| add(2 * f * c));
        let [w2, w2_grad] = [(); 2].map(|()| add(c * f));
        let mut recording = Recording::new("tensor parallel");
        matmul(&mut recording, Layout::Nt, [x, w13, gate_up], Shape { m: rows, n: 2 * f, k: c }, None);
        swiglu(&mut recording, [gate_up, hidden], rows);
        matmul(&mut recording, Layout::Nt, [hidden, w2, y], Shape { m: rows, n: c, k: f }, None);
        linear_grad_onto(&mut recording, [hidden, w2, y_grad, hidden_grad, w2_grad], rows, [false, false]);
        swiglu_grad(&mut recording, [gate_up, hidden_grad, gate_up_grad], rows);
        linear_grad_onto(&mut recording, [x, w13, gate_up_grad, x_grad, w13_grad], rows, [false, false]);
        let backend = CpuBackend::new(&buffers);
        for (slice, values) in [(x, &self.x), (y_grad, &self.y_grad), (w2, &self.w2)] {
            backend.write(slice, bytemuck::cast_slice(values));
        }
        backend.write(w13, bytemuck::cast_slice(&[&self.w1[..], &self.w3].concat()));
        (0..recording.dispatches.len()).for_each(|at| backend.run_dispatch(&recording, at));
        let read = |slice| bytemuck::cast_vec(backend.read(slice));
        Outcome {
            y: read(y),
            x_grad: read(x_grad),
            gate_up_grad: read(w13_grad),
            w2_grad: read(w2_grad),
            weight_bytes: 4 * 3 * f * c,
        }
    }

    /// The same on `n` ranks: an all-reduce of the output, and one of the input's gradient. The gradients of the weights are those
    /// of each rank's part.
    ///
    /// # Errors
    /// If a link fails.
    pub fn parallel(&self, n: usize, kind: Kind) -> Result<Vec<Outcome>, TransportError> {
        let places = ring(kind, n, None)?;
        std::thread::scope(|scope| {
            let spawn = |(rank, mut place): (usize, Box<dyn super::transport::Transport>)| {
                let part = self.part(rank, n);
                scope.spawn(move || {
                    let mut own = part.alone();
                    for values in [&mut own.y, &mut own.x_grad] {
                        collectives::run(&mut *place, [rank, n], Collective::AllReduce, values)?;
                    }
                    Ok(own)
                })
            };
            let ranks: Vec<_> = places.into_iter().enumerate().map(spawn).collect();
            ranks.into_iter().map(|rank| rank.join().unwrap_or(Err(TransportError::Gone))).collect()
        })
    }
}
