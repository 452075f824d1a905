//! FlashAttention for GPUs: keys and values, in the backward pass also queries, pass through workgroup memory in blocks,
//! and several invocations share a row, so that the data of each fits the registers of every GPU.

use super::{
    FLASH_ATTENTION_32, FLASH_ATTENTION_64, FLASH_ATTENTION_GRAD_32, FLASH_ATTENTION_GRAD_64, Params, forward_loops,
    grad_loops, run_grad,
};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::Kernel;
use crate::gpu::variant::Variant;
use crate::ops::{KV_HEAD, cpu};

/// Adds an entry point of 64 invocations that calls a function of the shader files.
macro_rules! entry_of_64 {
    ($name:literal, $function:literal) => {
        concat!(
            "@compute @workgroup_size(64)\nfn ",
            $name,
            "(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) { ",
            $function,
            "(workgroup, local); }"
        )
    };
}

/// Defines the forward and backward kernels for heads up to one size.
macro_rules! group {
    ($forward:ident $forward_name:literal $half:literal, $backward:ident $backward_name:literal $share:literal, $doc:literal) => {
        #[doc = concat!("qkv → out, lse, ", $doc, ", with workgroup memory")]
        pub static $forward: Kernel = Kernel {
            name: $forward_name,
            wgsl: &[
                KV_HEAD,
                wgsl!(concat!("../../../shaders/lib/", $half, ".wgsl")),
                wgsl!("../../../shaders/flash_attention_group.wgsl"),
                entry_of_64!($forward_name, "attend_in_groups"),
            ],
            access: &[Read, ReadWrite, ReadWrite],
            params_bytes: size_of::<Params>(),
            loops: |params| forward_loops(&bytemuck::pod_read_unaligned(params)),
            cpu: |call| cpu::flash::forward(&call.f32(1), &mut call.f32_mut(2), &mut call.f32_mut(3), &call.params()),
        };
        #[doc = concat!("qkv, out, out_grad, lse, cos_sin → qkv_grad, ", $doc, ", with workgroup memory")]
        pub static $backward: Kernel = Kernel {
            name: $backward_name,
            wgsl: &[
                KV_HEAD,
                wgsl!(concat!("../../../shaders/lib/", $share, ".wgsl")),
                wgsl!("../../../shaders/flash_attention_grad_group.wgsl"),
                wgsl!("../../../shaders/flash_attention_grad_group_roles.wgsl"),
                entry_of_64!($backward_name, "attend_grad_in_groups"),
            ],
            access: &[Read, Read, Read, Read, Read, ReadWrite],
            params_bytes: size_of::<Params>(),
            // Two loops per row of a block, and a third over up to four parts.
            loops: |params| 4 * grad_loops(&bytemuck::pod_read_unaligned(params)),
            cpu: run_grad,
        };
    };
}

group!(
    FLASH_ATTENTION_32_GROUP "flash_attention_32_group" "half_16",
    FLASH_ATTENTION_GRAD_32_GROUP "flash_attention_grad_32_group" "share_2", "D ≤ 32"
);
group!(
    FLASH_ATTENTION_64_GROUP "flash_attention_64_group" "half_32",
    FLASH_ATTENTION_GRAD_64_GROUP "flash_attention_grad_64_group" "share_4", "D ≤ 64"
);

/// Hardware variants of [`FLASH_ATTENTION_32`], [`FLASH_ATTENTION_64`], and their gradients.
pub static GROUPS: [Variant; 4] = [
    rows::<32>(&FLASH_ATTENTION_32, &FLASH_ATTENTION_32_GROUP),
    rows::<32>(&FLASH_ATTENTION_64, &FLASH_ATTENTION_64_GROUP),
    rows::<32>(&FLASH_ATTENTION_GRAD_32, &FLASH_ATTENTION_GRAD_32_GROUP),
    rows::<16>(&FLASH_ATTENTION_GRAD_64, &FLASH_ATTENTION_GRAD_64_GROUP),
];

/// A variant whose workgroups own `ROWS` queries, or keys, each.
const fn rows<const ROWS: u32>(of: &'static Kernel, kernel: &'static Kernel) -> Variant {
    let workgroups = |params: &[u8], [_, y, z]: [u32; 3]| {
        let params: Params = bytemuck::pod_read_unaligned(params);
        Some([params.context_length.div_ceil(ROWS), y, z])
    };
    Variant { of, kernel, workgroups, subgroup_size: 0, int64: false, hardware: true }
}
