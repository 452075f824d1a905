//! Functions whose results have the same bits on every platform: `libm`'s, which compilers also use for a browser. A system's own
//! functions may differ in the last bit.

/// Defines functions as `libm`'s natively, and as the standard library's in a browser, where these are the same.
macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident($x:ident $(, $y:ident)?: $float:ty) = $libm:ident, $std:ident;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name($x: $float $(, $y: $float)?) -> $float {
            #[cfg(not(target_arch = "wasm32"))]
            return libm::$libm($x $(, $y)?);
            #[cfg(target_arch = "wasm32")]
            return <$float>::$std($x $(, $y)?);
        }
    )*};
}

functions! {
    /// ln x
    ln_f32(x: f32) = logf, ln;
    /// ln x
    ln(x: f64) = log, ln;
    /// cos x
    cos(x: f64) = cos, cos;
    /// sin x
    sin(x: f64) = sin, sin;
    /// xʸ
    pow(x, y: f64) = pow, powf;
}
