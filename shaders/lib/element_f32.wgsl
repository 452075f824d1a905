// What a product counts: single numbers.
alias Element = f32;
alias Stored = f32;
fn unpack(x: Stored) -> Element { return x; }
