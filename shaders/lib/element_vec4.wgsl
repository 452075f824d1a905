// What a product counts: vectors of four numbers.
alias Element = vec4<f32>;
alias Stored = vec4<f32>;
fn unpack(x: Stored) -> Element { return x; }
