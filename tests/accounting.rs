//! The computed cost of a model, compared with what is built.

use glasshead::accounting::Account;
use glasshead::config::{Preset, RunConfig, ValidConfig};
use glasshead::gpu::context::Budget;
use glasshead::gpu::recording::{BufferSpec, Role};
use glasshead::model::memory::MemoryPlan;
use glasshead::model::params::ParamTable;

/// All presets, and every switch changed from the preset, one at a time.
fn variants() -> Vec<RunConfig> {
    let mut variants: Vec<RunConfig> = Preset::ALL.into_iter().map(Preset::config).collect();
    let changes = [
        ("norm", "layernorm"),
        ("norm", "none"),
        ("norm_placement", "post"),
        ("positions", "learned"),
        ("positions", "none"),
        ("feed_forward", "silu"),
        ("feed_forward", "gelu"),
        ("bias", "true"),
        ("tied_embeddings", "true"),
        ("n_kv_heads", "2"),
        ("accumulation_steps", "3"),
        ("optimizer", "sgd"),
        ("activation_storage", "f16"),
        ("checkpoint_every", "1"),
        ("checkpoint_every", "2"),
    ];
    for (field, value) in changes {
        for bias in ["false", "true"] {
            let mut config = Preset::Nano.config();
            config.set("bias", bias).expect("a switch");
            config.set(field, value).expect("a switch");
            variants.push(config);
        }
    }
    variants
}

fn valid(config: &RunConfig) -> ValidConfig {
    ValidConfig::try_from(config.clone()).expect("a valid configuration")
}

#[test]
fn the_account_equals_what_is_built() {
    for config in variants() {
        let (account, table) = (Account::new(&valid(&config)), ParamTable::new(&config.model));
        let name = serde_json::to_string(&config).expect("JSON");
        let params: usize = table.iter().map(|param| param.len()).sum();
        assert_eq!(account.total(|part| part.params), params as u64, "parameters of {name}");
        let plan = MemoryPlan::within(Budget::WHOLE, &config, &table, 1000, 1000);
        let kept = |buffer: &&BufferSpec| matches!(buffer.role, Role::Activations | Role::Logits);
        let planned: u64 = plan.buffers.specs.iter().filter(kept).map(BufferSpec::size_bytes).sum();
        assert_eq!(account.total(|part| account.activation_bytes(part)), planned, "activations of {name}");
        assert_eq!(account.total(|part| account.weight_bytes(part)), 4 * params as u64);
    }
}

/// wasm sizes have 32 bits; the accounting must not overflow.
#[test]
fn the_account_of_activations_is_right_where_32_bits_are_not_enough() {
    let mut config = Preset::Nano.config();
    config.set("activation_storage", "f16").expect("a switch");
    let small = Account::new(&valid(&config));
    for times in [1u64 << 20, 1 << 62] {
        let large = Account { batch_tokens: small.batch_tokens.saturating_mul(times), ..small.clone() };
        for (part, of_small) in small.parts.iter().map(|part| (part, small.activation_bytes(part))) {
            let expected = u128::from(of_small) * u128::from(times);
            let (bytes, most) = (large.activation_bytes(part), u64::MAX / 4 * 4);
            let bounded = expected.min(most.into());
            assert!(u128::from(bytes) == bounded || expected > most.into() && bytes >= most, "{}: {bytes}", part.name);
        }
    }
    let total = Account { batch_tokens: u64::MAX, ..small.clone() };
    assert_eq!(total.total(|part| total.activation_bytes(part)), u64::MAX, "the largest number that there is");
}

/// By hand: 2·m·n·k for every matmul of one window, divided by its tokens.
#[test]
fn the_account_of_operations_is_that_of_the_products() {
    let config = Preset::Cs336.config();
    let (t, c, f, v, l) = (256u64, 512, 1344, 10_000, 4);
    let block = 4 * 2 * t * c * c + 2 * 2 * t * t * c + 3 * 2 * t * c * f;
    let account = Account::new(&valid(&config));
    let per_token = account.total(|part| part.forward_flops);
    assert_eq!(per_token * t, l * block + 2 * t * c * v);
    assert_eq!(account.total(|part| account.step_flops(part)), 3 * per_token * 32 * t);
}
