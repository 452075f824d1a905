//! SwiGLU's gate and the activations without one.

use super::GRAIN;
use super::elementwise::map2;
use super::exp::sigmoid;
use crate::ops::activation::Activation;
use crate::threads;
use crate::unchecked::wide;

/// Twin of [`swiglu::reference`](crate::ops::swiglu::reference).
pub fn swiglu(gate: &[f32], up: &[f32], hidden: &mut [f32]) {
    map2(hidden, [gate, up], |gate, up| gate * sigmoid(gate) * up);
}

/// Twin of [`swiglu::reference_grad`](crate::ops::swiglu::reference_grad).
pub fn swiglu_grad([gate, up, hidden_grad]: [&[f32]; 3], [gate_grad, up_grad]: [&mut [f32]; 2]) {
    let inputs = gate.chunks(GRAIN).zip(up.chunks(GRAIN)).zip(hidden_grad.chunks(GRAIN));
    let outputs = gate_grad.chunks_mut(GRAIN).zip(up_grad.chunks_mut(GRAIN));
    threads::each(inputs.zip(outputs).collect(), |(((gate, up), hidden_grad), (gate_grad, up_grad))| {
        wide(|| {
            let inputs = gate.iter().zip(up).zip(hidden_grad);
            for (((&gate, &up), &grad), (gate_grad, up_grad)) in inputs.zip(gate_grad.iter_mut().zip(up_grad)) {
                let s = sigmoid(gate);
                *up_grad = grad * gate * s;
                *gate_grad = grad * up * s * (1.0 + gate * (1.0 - s));
            }
        });
    });
}

/// √(8/π), and the factor of the cube.
const GELU: [f32; 2] = [1.595_769, 0.044_715];

/// Twin of [`activation::reference`](crate::ops::activation::reference).
pub fn activation(which: Activation, x: &[f32], y: &mut [f32]) {
    match which {
        Activation::Silu => map2(y, [x, x], |x, _| x * sigmoid(x)),
        Activation::Gelu => map2(y, [x, x], |x, _| x * sigmoid(GELU[0] * (x + GELU[1] * x * x * x))),
    }
}

/// Twin of [`activation::reference_grad`](crate::ops::activation::reference_grad).
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
