// What a product counts: single numbers. Where bindings 1, 2 and 4 may be stored in 16 bits, the kernel's prelude says as what.
alias Element = f32;
alias Stored = f32;
alias Stored1 = Number1;
alias Stored4 = Number4;
fn unpack(x: Stored) -> Element { return x; }
fn unpack1(x: Stored1) -> Element { return f32(x); }
