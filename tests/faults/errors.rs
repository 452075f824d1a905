//! Device errors are reported to everything that computes on the device.

use glasshead::gpu::backend::{Backend, ExecuteError};
use glasshead::gpu::kernel::Kernel;
use glasshead::gpu::recording::{Buffers, Recording};
use glasshead::ops::peak;
use glasshead::ops::residual::RESIDUAL;
use pollster::block_on;

use crate::common::context;

/// A kernel whose shader is not valid WGSL.
static BROKEN: Kernel = Kernel {
    name: "broken",
    wgsl: &["fn broken("],
    access: RESIDUAL.access,
    params_bytes: RESIDUAL.params_bytes,
    loops: RESIDUAL.loops,
    cpu: RESIDUAL.cpu,
};

fn buffers() -> (Buffers, Recording) {
    let mut buffers = Buffers::default();
    let slices = [(); 3].map(|()| buffers.add("test", 64));
    let mut recording = Recording::new("test");
    recording.dispatch(&BROKEN, 64u32, &slices, [1, 1, 1]);
    (buffers, recording)
}

#[test]
fn a_run_learns_of_a_refusal_after_others_have_used_its_device() {
    let (context, (buffers, _)) = (context(), buffers());
    block_on(async {
        let mut run = Backend::gpu(&context, &buffers).await.unwrap();
        // The Profile view measures on the same device.
        peak::measure(Some(&context)).await.unwrap();
        let whole = buffers.specs[0].len;
        let slice =
            glasshead::gpu::recording::Slice { buffer: glasshead::gpu::recording::BufferId(0), start: 0, len: whole };
        assert!(run.read(slice).await.is_ok());
        let _impossible = context.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("impossible"),
            size: 64,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        assert!(matches!(run.read(slice).await, Err(ExecuteError::Refused(_))), "the refusal was lost");
    });
}

#[test]
fn a_kernel_that_does_not_compile_is_named_and_not_kept() {
    let (context, (buffers, recording)) = (context(), buffers());
    // Before a backend exists.
    recording.dispatches.iter().for_each(|dispatch| context.compile(dispatch.kernel, Default::default()));
    for attempt in 1..3 {
        let (_, recording) = self::buffers();
        let error = block_on(async {
            let mut backend = Backend::gpu(&context, &buffers).await.unwrap();
            backend.prepare(recording);
            backend.ready().await.unwrap_err()
        });
        let sentence = error.to_string();
        assert!(matches!(error, ExecuteError::Refused(_)), "attempt {attempt}: {sentence}");
        assert!(sentence.contains("kernel broken does not compile"), "attempt {attempt}: {sentence}");
    }
    // The device itself still works.
    let mut buffers = Buffers::default();
    let word = buffers.add("word", 1);
    assert!(block_on(async { Backend::gpu(&context, &buffers).await.unwrap().read(word).await }).is_ok());
}
