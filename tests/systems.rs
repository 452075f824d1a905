//! The Systems view: families of kernels, and the roofline of a profile.

use glasshead::ops::KERNELS;
use glasshead::types::profile::{KernelTime, Profile, TimedBy};
use glasshead_page::systems::state::{Family, Roofline};

fn kernel(name: &str, ns: f64, flops: f64, bytes: f64) -> KernelTime {
    KernelTime { kernel: name.into(), times: 1, ns, flops, bytes, least_ns: 0.0 }
}

fn profile(kernels: Vec<KernelTime>) -> Profile {
    Profile { step: 3, timed_by: TimedBy::Clock, kernels, peak_flops_per_s: 4e9, peak_bytes_per_s: 1e9 }
}

#[test]
fn kernels_have_families() {
    let family = |name: &str| Family::of(name);
    assert_eq!(family("flash_attention_grad_16"), Family::Attention);
    assert_eq!([family("matmul_nt"), family("linear_grad")], [Family::Matmul; 2]);
    assert_eq!([family("cross_entropy_grad"), family("embedding_grad"), family("gather_batch")], [Family::Loss; 3]);
    assert_eq!([family("adamw"), family("squared_sums")], [Family::Optimizer; 2]);
    assert_eq!([family("rmsnorm"), family("swiglu_grad"), family("rope")], [Family::Elementwise; 3]);
    // Every kind of kernel occurs, and none lacks a title or a color.
    let all: Vec<Family> = KERNELS.iter().map(|kernel| Family::of(kernel.name)).collect();
    assert!(Family::ALL.iter().all(|family| all.contains(family)));
    assert!(Family::ALL.iter().all(|family| !family.title().is_empty() && family.color().starts_with("--s")));
}

#[test]
fn a_roofline_has_a_ridge_and_points_below_it() {
    // 8 operations per byte at half the peak, 2 per byte at a quarter of what the bandwidth allows.
    let of = vec![
        kernel("matmul_nt", 1e6, 2e6, 0.25e6),
        kernel("linear_grad", 1e6, 5e5, 2.5e5),
        kernel("rmsnorm", 2e6, 0.0, 1e6),
    ];
    let roofline = Roofline::new(&profile(of)).unwrap();
    assert_eq!(roofline.ridge(), 4.0);
    assert_eq!([roofline.roof(2.0), roofline.roof(100.0)], [2e9, 4e9]);
    let [first, second] = &roofline.points[..] else { panic!("kernels without operations have no point") };
    assert_eq!((first.intensity, first.speed, first.share), (8.0, 2e9, 0.25));
    assert_eq!(second.speed / roofline.roof(second.intensity), 0.25);
    let [x0, x1, y0, y1] = roofline.range();
    assert!(x0 <= 0 && x1 >= 1 && y0 <= 8 && y1 >= 10, "{:?}", roofline.range());
    assert_eq!(Roofline::new(&profile(vec![kernel("rmsnorm", 1.0, 0.0, 1.0)])), None);
}
