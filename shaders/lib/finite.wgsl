// NaN and the infinities have all exponent bits set. Testing the bits is the only test that a compiler which assumes
// finite values cannot remove.
fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}
