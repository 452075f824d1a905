//! Variants of kernels: what disagrees with the reference is not used, what is used stands in for its original.

use glasshead::gpu::backend::Backend;
use glasshead::gpu::compare::SideBySide;
use glasshead::gpu::kernel::Kernel;
use glasshead::gpu::recording::{Buffers, Recording};
use glasshead::gpu::variant::Variant;
use glasshead::ops::matmul::{self, Layout, MATMUL_NN_LANES, MATMUL_NT_LANES, MATMUL_NT_VEC4, Shape, VARIANTS};
use glasshead::ops::tuning::tune_among;
use pollster::block_on;

use crate::common::{context, numbers};

/// Computes a·b, but says that it computes a·bᵀ.
static WRONG_KERNEL: Kernel = Kernel {
    name: MATMUL_NN_LANES.name,
    wgsl: MATMUL_NN_LANES.wgsl,
    access: MATMUL_NN_LANES.access,
    params_bytes: MATMUL_NN_LANES.params_bytes,
    cpu: MATMUL_NT_LANES.cpu,
};

static WRONG: Variant = Variant {
    of: &MATMUL_NT_VEC4,
    kernel: &WRONG_KERNEL,
    workgroups: |params| {
        let matmul::Params { m, n, .. } = bytemuck::pod_read_unaligned(params);
        Some([n.div_ceil(64), m.div_ceil(32), 1])
    },
    subgroup_size: 8,
};

#[test]
fn a_wrong_variant_is_not_used_and_says_so() {
    let context = context();
    assert!(context.subgroup_size >= 8, "this test needs subgroups of 8, there are {}", context.subgroup_size);
    let sentences = block_on(tune_among(&context, &[(Layout::Nt, &WRONG)])).unwrap();
    assert_eq!(sentences.len(), 1);
    assert!(sentences[0].contains("wrongly"), "{}", sentences[0]);
    assert!(!context.uses(&WRONG));
}

#[test]
fn a_variant_stands_in_for_its_original_and_computes_the_same() {
    let context = context();
    VARIANTS.iter().for_each(|(_, variant)| context.use_variant(variant));
    let shape = Shape { m: 36, n: 68, k: 12 };
    let mut buffers = Buffers::default();
    let slices = [shape.m * shape.k, shape.n * shape.k, shape.m * shape.n].map(|len| buffers.add("test", len));
    let record = || {
        let mut recording = Recording::new("test");
        for (layout, _) in VARIANTS {
            matmul::matmul(&mut recording, layout, slices, shape, false);
        }
        recording
    };
    block_on(async {
        let mut sides = SideBySide::new(&context, &buffers).await.unwrap();
        for (seed, slice) in (1..).zip(slices) {
            sides.write(slice, bytemuck::cast_slice(&numbers(seed, slice.len)));
        }
        assert_eq!(sides.first_difference(&record(), 1e-5).await.unwrap(), None);
        let mut backend = Backend::gpu(&context, &buffers).await.unwrap();
        let program = backend.prepare(record());
        let names: Vec<_> = backend.profile(program).await.unwrap().iter().map(|timing| timing.kernel).collect();
        assert_eq!(names, ["matmul_nt_lanes", "matmul_nn_lanes", "matmul_tn_lanes"]);
    });
}
