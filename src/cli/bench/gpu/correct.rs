//! Every kernel and every variant against the CPU, on the device.

use serde_json::{Value, json};

use super::open;
use crate::cli::bench::reference_workload;
use crate::cli::sentence;
use crate::config::RunConfig;
use crate::gpu::context::Context;
use crate::ops::tuning::{self, CANDIDATES, FUSIONS};
use crate::train::trainer::Trainer;

pub(super) async fn correctness() -> Result<Value, String> {
    let context = open().await?;
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for candidates in &CANDIDATES {
        for variant in std::iter::once(None).chain(candidates.variants.iter().copied().map(Some)) {
            let name = variant.map_or(candidates.of.name, |variant| variant.kernel.name);
            let result = match variant.is_none_or(|variant| context.can_run(variant)) {
                false => "needs a feature that the device does not have".to_string(),
                true => match tuning::difference(&context, candidates, variant).await {
                    Ok(None) => "right".into(),
                    Ok(Some(difference)) => failure(&mut failed, name, &difference),
                    Err(error) => failure(&mut failed, name, &sentence(error)),
                },
            };
            rows.push(json!({ "kernel": name, "result": result }));
        }
    }
    for (of, fusion) in FUSIONS.iter().flat_map(|of| of.fusions.iter().map(move |fusion| (of, fusion))) {
        let name = fusion.kernel.name;
        let result = match tuning::fusion_difference(&context, of, fusion).await {
            Ok(None) => "right".into(),
            Ok(Some(difference)) => failure(&mut failed, name, &difference),
            Err(error) => failure(&mut failed, name, &sentence(error)),
        };
        rows.push(json!({ "kernel": name, "result": result }));
    }
    for (name, config) in models(&context) {
        let result = match Trainer::first_wrong_dispatch(&config, &context).await {
            Ok(None) => "right".into(),
            Ok(Some(difference)) => failure(&mut failed, name, &difference.to_string()),
            Err(error) => failure(&mut failed, name, &sentence(error)),
        };
        rows.push(json!({ "model": name, "result": result }));
    }
    Ok(json!({ "rows": rows, "failed": failed }))
}

fn failure(failed: &mut Vec<String>, name: &str, difference: &str) -> String {
    failed.push(format!("{name}: {difference}"));
    difference.into()
}

/// Models whose steps together run every kernel of training, inspection and generation.
fn models(context: &Context) -> Vec<(&'static str, RunConfig)> {
    let model = |changes: &[(&str, &str)]| {
        let mut config = reference_workload();
        for (field, value) in changes {
            // All are valid values; a test runs them.
            let _ = config.set(field, value);
        }
        config
    };
    let mut models = vec![
        ("reference", model(&[])),
        ("heads of 16", model(&[("d_model", "64"), ("n_kv_heads", "2")])),
        ("heads of 64", model(&[("d_model", "256")])),
        ("heads of 128", model(&[("d_model", "512")])),
        ("heads of 10", model(&[("d_model", "40")])),
        (
            "GPT-2",
            model(&[("norm", "layernorm"), ("positions", "learned"), ("feed_forward", "gelu"), ("bias", "true")]),
        ),
        (
            "post-norm, SiLU, SGD, tied",
            model(&[
                ("norm_placement", "post"),
                ("feed_forward", "silu"),
                ("optimizer", "sgd"),
                ("tied_embeddings", "true"),
            ]),
        ),
    ];
    if context.f16 {
        models.push(("f16 activations", model(&[("activation_storage", "f16")])));
    }
    models
}
