//! The gate of SwiGLU, and activations without a gate.

use crate::elementwise::map2;
use crate::exp::sigmoid;
use crate::rows_per_piece;
use crate::threads;
use crate::unchecked::wide;

/// CPU counterpart of `swiglu::reference` over rows of `width` gates.
pub fn swiglu(gate_up: &[f32], hidden: &mut [f32], width: usize) {
    let piece = rows_per_piece(width) * width;
    threads::each(gate_up.chunks(2 * piece).zip(hidden.chunks_mut(piece)).collect(), |(gate_up, hidden)| {
        wide(|| {
            for (row, hidden) in gate_up.chunks_exact(2 * width).zip(hidden.chunks_exact_mut(width)) {
                let (gate, up) = row.split_at(width);
                for ((hidden, &gate), &up) in hidden.iter_mut().zip(gate).zip(up) {
                    *hidden = gate * sigmoid(gate) * up;
                }
            }
        });
    });
}

/// CPU counterpart of `swiglu::reference_grad`, over rows of `width` gates.
pub fn swiglu_grad(gate_up: &[f32], hidden_grad: &[f32], gate_up_grad: &mut [f32], width: usize) {
    let piece = rows_per_piece(width) * width;
    let inputs = gate_up.chunks(2 * piece).zip(hidden_grad.chunks(piece));
    threads::each(inputs.zip(gate_up_grad.chunks_mut(2 * piece)).collect(), |((gate_up, hidden_grad), grads)| {
        wide(|| {
            let rows = gate_up.chunks_exact(2 * width).zip(hidden_grad.chunks_exact(width));
            for ((row, hidden_grad), grads) in rows.zip(grads.chunks_exact_mut(2 * width)) {
                let ((gate, up), (gate_grad, up_grad)) = (row.split_at(width), grads.split_at_mut(width));
                let inputs = gate.iter().zip(up).zip(hidden_grad);
                for (((&gate, &up), &grad), (gate_grad, up_grad)) in inputs.zip(gate_grad.iter_mut().zip(up_grad)) {
                    let s = sigmoid(gate);
                    *up_grad = grad * gate * s;
                    *gate_grad = grad * up * s * (1.0 + gate * (1.0 - s));
                }
            }
        });
    });
}

/// An activation without a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x · sigmoid(x)
    Silu,
    /// x · ½·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
    Gelu,
}

/// √(8/π), and the factor of the cubic term.
const GELU: [f32; 2] = [1.595_769, 0.044_715];

/// CPU counterpart of `activation::reference`.
pub fn activation(which: Activation, x: &[f32], y: &mut [f32]) {
    match which {
        Activation::Silu => map2(y, [x, x], |x, _| x * sigmoid(x)),
        Activation::Gelu => map2(y, [x, x], |x, _| x * sigmoid(GELU[0] * (x + GELU[1] * x * x * x))),
    }
}

/// CPU counterpart of `activation::reference_grad`.
pub fn activation_grad(which: Activation, x: &[f32], y_grad: &[f32], x_grad: &mut [f32]) {
    match which {
        Activation::Silu => map2(x_grad, [x, y_grad], |x, grad| {
            let s = sigmoid(x);
            grad * (s + x * s * (1.0 - s))
        }),
        Activation::Gelu => map2(x_grad, [x, y_grad], |x, grad| {
            let s = sigmoid(GELU[0] * (x + GELU[1] * x * x * x));
            let slope = GELU[0] * (1.0 + 3.0 * GELU[1] * x * x);
            grad * (s + x * s * (1.0 - s) * slope)
        }),
    }
}
