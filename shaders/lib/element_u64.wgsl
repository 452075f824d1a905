// Vectors of four, read as two 64-bit integers: llvmpipe loads one of these as fast as a single f32.
alias Element = vec4<f32>;
alias Stored = vec2<u64>;
alias Stored1 = Stored;
alias Stored2 = Stored;
alias Stored4 = Element;
fn unpack(x: Stored) -> Element {
    return bitcast<vec4<f32>>(vec4<u32>(u32(x.x), u32(x.x >> 32u), u32(x.y), u32(x.y >> 32u)));
}
fn unpack1(x: Stored1) -> Element { return unpack(x); }
fn unpack2(x: Stored2) -> Element { return unpack(x); }
