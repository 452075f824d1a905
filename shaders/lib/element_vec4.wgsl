// Matmuls over vectors of four. Where bindings 1, 2 and 4 may be f16, the kernel's prelude declares their types.
alias Element = vec4<f32>;
alias Stored = vec4<f32>;
alias Stored1 = vec4<Number1>;
alias Stored2 = vec4<Number2>;
alias Stored4 = vec4<Number4>;
fn unpack(x: Stored) -> Element { return x; }
fn unpack1(x: Stored1) -> Element { return vec4<f32>(x); }
fn unpack2(x: Stored2) -> Element { return vec4<f32>(x); }
