// Matmuls over single elements. Where bindings 1, 2 and 4 may be f16, the kernel's prelude declares their types.
alias Element = f32;
alias Stored = f32;
alias Stored1 = Number1;
alias Stored4 = Number4;
fn unpack(x: Stored) -> Element { return x; }
fn unpack1(x: Stored1) -> Element { return f32(x); }
