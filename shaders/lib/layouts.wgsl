// The layouts of a matmul, all row-major; the result is (m, n), sums run over k. A layout is always a literal, so that
// the compiler removes the code of the others.

struct Shape { m: u32, n: u32, k: u32 }

const NT = 0u; // a (m, k) · b (n, k)ᵀ
const NN = 1u; // a (m, k) · b (k, n)
const TN = 2u; // a (k, m)ᵀ · b (k, n)
