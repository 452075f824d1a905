//! Variants of kernels: those that disagree with the reference are not used, the others replace their original.

use glasshead::gpu::backend::Backend;
use glasshead::gpu::choices::Choices;
use glasshead::gpu::compare::SideBySide;
use glasshead::gpu::kernel::Kernel;
use glasshead::gpu::recording::{Buffers, Recording};
use glasshead::gpu::variant::Variant;
use glasshead::ops::linear_grad::linear_grad;
use glasshead::ops::matmul::{Layout, MATMUL_NN_VEC4, MATMUL_NT_VEC4, Shape, matmul};
use glasshead::ops::rmsnorm;
use glasshead::ops::tuning::{CANDIDATES, Candidates, choose, tune};
use pollster::block_on;

use crate::common::{context, numbers};

/// Computes a·b, but is declared as a·bᵀ.
static WRONG_KERNEL: Kernel = Kernel {
    name: MATMUL_NN_VEC4.name,
    wgsl: MATMUL_NN_VEC4.wgsl,
    access: MATMUL_NN_VEC4.access,
    params_bytes: MATMUL_NN_VEC4.params_bytes,
    loops: MATMUL_NN_VEC4.loops,
    cpu: MATMUL_NT_VEC4.cpu,
};

static WRONG: Variant = Variant {
    of: &MATMUL_NT_VEC4,
    kernel: &WRONG_KERNEL,
    workgroups: |_, _| Some([1, 1, 1]),
    subgroup_size: 0,
    int64: false,
    hardware: false,
};

static WRONG_ONES: [&Variant; 1] = [&WRONG];

#[test]
fn a_wrong_variant_is_not_used_and_says_so() {
    let context = context();
    let Candidates { gate, classes, .. } = CANDIDATES[0];
    let candidates = Candidates { of: &MATMUL_NT_VEC4, variants: &WRONG_ONES, gate, classes };
    let sentences = block_on(choose(&context, &candidates)).unwrap();
    assert_eq!(sentences.len(), 1);
    assert!(sentences[0].contains("wrongly"), "{}", sentences[0]);
    assert!(candidates.classes.iter().all(|class| !context.uses(&WRONG, class.key)));
}

#[test]
fn a_variant_stands_in_for_its_original_and_computes_the_same() {
    let context = context();
    for candidates in &CANDIDATES[..2] {
        let variant = candidates.variants[0];
        assert!(context.can_run(variant), "this test needs an adapter that can run {}", variant.kernel.name);
        context.use_variant(variant, "test", |_| true);
    }
    let shape = Shape { m: 36, n: 68, k: 12 };
    let mut buffers = Buffers::default();
    let slices = [36 * 12, 68 * 12, 36 * 68, 36 * 12, 68 * 12].map(|len| buffers.add("test", len));
    let record = || {
        let mut recording = Recording::new("test");
        matmul(&mut recording, Layout::Nt, [slices[0], slices[1], slices[2]], shape, None);
        linear_grad(&mut recording, slices, 36, false);
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
        assert_eq!(names, ["matmul_nt_lanes", "linear_grad_lanes"]);
    });
}

#[test]
fn what_is_told_or_known_of_a_device_is_taken_as_it_is() {
    let (mut buffers, mut recording) = (Buffers::default(), Recording::new("test"));
    let bindings = [8 * 64, 64, 8 * 64, 8].map(|len| buffers.add("test", len));
    let params = rmsnorm::Params { n_rows: 8, d_model: 64, eps: 1e-5, accumulate: 0 };
    rmsnorm::rmsnorm(&mut recording, bindings, params);
    let tuned = |told: &str, known: &str| {
        let context = context();
        *context.told.borrow_mut() = Choices::parse(told).unwrap();
        *context.known.borrow_mut() = Choices::parse(known).unwrap();
        let sentences = block_on(tune(&context, &recording)).unwrap();
        (context, sentences)
    };
    let of = CANDIDATES.iter().find(|candidates| candidates.of.name == "rmsnorm").unwrap();
    let variant = of.variants[0];
    let lanes = format!("rmsnorm={}", variant.kernel.name);

    let (context, sentences) = tuned("", "rmsnorm=rmsnorm");
    assert!(
        sentences.is_empty() && !context.uses(variant, "rmsnorm"),
        "nothing was better on this device: {sentences:?}"
    );
    let (context, sentences) = tuned(&lanes, "rmsnorm=rmsnorm");
    assert!(sentences.is_empty() && context.uses(variant, "rmsnorm"), "what a person tells counts: {sentences:?}");
    assert_eq!(context.known.borrow().get("rmsnorm"), Some("rmsnorm"), "it says nothing of the device");
    let (context, sentences) = tuned("", &lanes);
    assert!(sentences.is_empty() && context.uses(variant, "rmsnorm"), "it was the best on this device: {sentences:?}");
    let (context, sentences) = tuned("rmsnorm=quick", "");
    assert!(sentences[0].contains("cannot run quick") && !context.uses(variant, "rmsnorm"), "{sentences:?}");

    let (context, _) = tuned("", "");
    let used =
        of.variants.iter().find(|variant| context.uses(variant, "rmsnorm")).map_or("rmsnorm", |used| used.kernel.name);
    assert_eq!(context.known.borrow().get("rmsnorm"), Some(used), "what was measured is known from now on");
}

/// A generated token is one row; a batch has many.
#[test]
fn a_kernel_has_a_choice_for_each_class_of_shapes() {
    let mut buffers = Buffers::default();
    let mut product = |m: usize| {
        let slices = [m * 12, 68 * 12, m * 68].map(|len| buffers.add("test", len));
        let mut recording = Recording::new("test");
        matmul(&mut recording, Layout::Nt, slices, Shape { m, n: 68, k: 12 }, None);
        recording
    };
    let (one, many) = (product(1), product(36));
    let names = |told: &str, known: &str| {
        let context = context();
        *context.told.borrow_mut() = Choices::parse(told).unwrap();
        *context.known.borrow_mut() = Choices::parse(known).unwrap();
        for recording in [&many, &one] {
            assert_eq!(block_on(tune(&context, recording)).unwrap(), Vec::<String>::new());
        }
        let known = context.known.borrow().clone();
        ([&one, &many].map(|recording| context.runs(recording, 0).name), known)
    };
    let told = "matmul_nt_vec4=matmul_nt_lanes,matmul_nt_vec4.few_rows=matmul_nt_vec4";
    assert_eq!(names(told, "").0, ["matmul_nt_vec4", "matmul_nt_lanes"]);
    let other = "matmul_nt_vec4=matmul_nt_vec4,matmul_nt_vec4.few_rows=matmul_nt_lanes";
    assert_eq!(names("", other).0, ["matmul_nt_lanes", "matmul_nt_vec4"]);
    // After the measurement, whatever its result, the choice is cached under its own key.
    let ([one_name, many_name], known) = names("", "");
    assert_eq!(known.get("matmul_nt_vec4.few_rows"), Some(one_name));
    assert_eq!(known.get("matmul_nt_vec4"), Some(many_name));
}
