// NaN and the infinities have all exponent bits set. Looking at the bits is the one test that a compiler which
// assumes finite numbers cannot remove.
fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}
