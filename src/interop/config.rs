//! `config.json`: hyperparameters with the names used by `transformers`.

use serde_json::{Map, Value, json};

use super::{Architecture, InteropError, files};
use crate::config::{FeedForward, ModelConfig, Norm, Positions};

/// The maximum number of characters that an error message quotes from a setting.
const MAX_SHOWN: usize = 80;

/// The linear layers that have a bias in the file. In this program all or none have one; biases missing from the file
/// are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Biases {
    None,
    OfQkv,
    OfAttention,
    OfAll,
}

impl Biases {
    /// Whether the file contains the tensor with this name.
    pub fn have(self, name: &str) -> bool {
        let ends = |parts: &[&str]| parts.iter().any(|part| name.ends_with(&format!("{part}_proj.bias")));
        match self {
            _ if !name.ends_with("_proj.bias") => true,
            Self::None => false,
            Self::OfQkv => ends(&["q", "k", "v"]),
            Self::OfAttention => ends(&["q", "k", "v", "o"]),
            Self::OfAll => true,
        }
    }
}

/// The `config.json` for `config`; `end` is the id of the end-of-text token.
pub(super) fn write(architecture: Architecture, config: &ModelConfig, end: Option<u32>) -> Value {
    let mut value = match architecture {
        Architecture::Llama => json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": config.d_model,
            "intermediate_size": config.d_ff,
            "num_hidden_layers": config.n_layers,
            "num_attention_heads": config.n_heads,
            "num_key_value_heads": config.n_kv_heads,
            "head_dim": config.d_head(),
            "max_position_embeddings": config.context_length,
            "hidden_act": "silu",
            "rms_norm_eps": config.norm_eps,
            "rope_theta": config.rope_theta,
            "rope_scaling": null,
            "attention_bias": config.bias,
            "mlp_bias": config.bias,
            "attention_dropout": 0.0,
        }),
        Architecture::Gpt2 => json!({
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "n_embd": config.d_model,
            "n_inner": config.d_ff,
            "n_layer": config.n_layers,
            "n_head": config.n_heads,
            "n_positions": config.context_length,
            "activation_function": "gelu_new",
            "layer_norm_epsilon": config.norm_eps,
            "attn_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "resid_pdrop": 0.0,
        }),
    };
    for (field, entry) in [
        ("vocab_size", json!(config.vocab_size)),
        ("tie_word_embeddings", json!(config.tied_embeddings)),
        ("bos_token_id", json!(end)),
        ("eos_token_id", json!(end)),
        ("torch_dtype", json!("float32")),
    ] {
        value[field] = entry;
    }
    value
}

/// The contents of a `config.json`.
pub(super) struct Description {
    pub architecture: Architecture,
    pub model: ModelConfig,
    pub biases: Biases,
    /// Warnings about settings that are ignored or changed.
    pub notes: Vec<String>,
}

/// Reads a `config.json`.
///
/// # Errors
/// When the file is malformed, or has an unsupported architecture or setting.
pub(super) fn read(bytes: &[u8]) -> Result<Description, InteropError> {
    let wrong = |detail: String| InteropError::File { name: files::CONFIG.into(), detail };
    let value: Value = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    let fields = Fields(value.as_object().ok_or_else(|| wrong("it is no object of settings".into()))?);
    fields.only("quantization_config", &[Value::Null], "save the weights unquantised first")?;
    let mut notes = Vec::new();
    let (architecture, model, biases) = match fields.0.get("model_type").and_then(Value::as_str) {
        Some("llama") => (Architecture::Llama, llama(&fields, LLAMA, &mut notes)?, fields.llamas_biases()?),
        Some("mistral") => (Architecture::Llama, mistral(&fields, &mut notes)?, Biases::None),
        Some("qwen2") => (Architecture::Llama, qwen2(&fields, &mut notes)?, Biases::OfQkv),
        Some("gpt2") => (Architecture::Gpt2, gpt2(&fields)?, Biases::OfAll),
        _ => return Err(fields.refused("model_type", "llama, mistral, qwen2 and gpt2 can be read")),
    };
    let model = ModelConfig { bias: biases != Biases::None, ..model };
    model.validate()?;
    Ok(Description { architecture, model, biases, notes })
}

/// The defaults of a model family's class for missing settings.
#[derive(Clone, Copy)]
struct Defaults {
    max_position_embeddings: usize,
    /// `None`: the number of heads.
    num_key_value_heads: Option<usize>,
}

const LLAMA: Defaults = Defaults { max_position_embeddings: 2048, num_key_value_heads: None };
const MISTRAL: Defaults = Defaults { max_position_embeddings: 131_072, num_key_value_heads: Some(8) };
const QWEN2: Defaults = Defaults { max_position_embeddings: 32_768, num_key_value_heads: Some(32) };

/// The default window of Mistral's class.
const MISTRAL_WINDOW: usize = 4096;

/// Llama with sliding-window attention. Within the window, it is identical to Llama.
fn mistral(fields: &Fields, notes: &mut Vec<String>) -> Result<ModelConfig, InteropError> {
    let mut model = llama(fields, MISTRAL, notes)?;
    let window = match fields.0.get("sliding_window") {
        None => MISTRAL_WINDOW,
        Some(_) => fields.size_or("sliding_window", model.context_length)?,
    };
    if window < model.context_length {
        notes.push(format!(
            "config.json: sliding_window is {window}, and max_position_embeddings {}; windows of {window} tokens are \
             computed as there, longer ones are not.",
            model.context_length
        ));
        model.context_length = window;
    }
    Ok(model)
}

/// Llama with biases for queries, keys and values.
fn qwen2(fields: &Fields, notes: &mut Vec<String>) -> Result<ModelConfig, InteropError> {
    fields.only("use_sliding_window", &[Value::Null, json!(false)], "false can be read")?;
    llama(fields, QWEN2, notes)
}

fn llama(fields: &Fields, defaults: Defaults, notes: &mut Vec<String>) -> Result<ModelConfig, InteropError> {
    fields.only("hidden_act", &[Value::Null, json!("silu"), json!("swish")], "SwiGLU needs silu")?;
    let d_model = fields.size("hidden_size")?;
    let n_heads = fields.size("num_attention_heads")?;
    let mut config = ModelConfig::cs336(
        [fields.size("vocab_size")?, fields.size_or("max_position_embeddings", defaults.max_position_embeddings)?],
        [d_model, fields.size("num_hidden_layers")?, n_heads, fields.size("intermediate_size")?],
    );
    config.n_kv_heads = match fields.0.get("num_key_value_heads") {
        None => defaults.num_key_value_heads.unwrap_or(n_heads),
        Some(_) => fields.size_or("num_key_value_heads", n_heads)?,
    };
    let d_head = d_model.checked_div(n_heads).unwrap_or(0);
    fields.only("head_dim", &[Value::Null, json!(d_head)], "heads of hidden_size / num_attention_heads can be read")?;
    config.norm_eps = fields.number_or("rms_norm_eps", 1e-6)?;
    config.rope_theta = fields.rope_theta(notes)?;
    config.tied_embeddings = fields.flag("tie_word_embeddings", false)?;
    Ok(config)
}

fn gpt2(fields: &Fields) -> Result<ModelConfig, InteropError> {
    let gelu = ["gelu_new", "gelu_pytorch_tanh", "gelu_fast"].map(|name| json!(name));
    fields.only(
        "activation_function",
        &[&[Value::Null], &gelu[..]].concat(),
        "GELU in its form with tanh can be read",
    )?;
    fields.only("scale_attn_weights", &[Value::Null, json!(true)], "scores have to be divided by √d")?;
    for unusual in ["scale_attn_by_inverse_layer_idx", "add_cross_attention"] {
        fields.only(unusual, &[Value::Null, json!(false)], "false can be read")?;
    }
    let d_model = fields.size("n_embd")?;
    let mut config = ModelConfig::cs336(
        [fields.size("vocab_size")?, fields.size_or("n_positions", 1024)?],
        [
            d_model,
            fields.size("n_layer")?,
            fields.size("n_head")?,
            fields.size_or("n_inner", d_model.saturating_mul(4))?,
        ],
    );
    config.norm = Norm::Layernorm;
    config.norm_eps = fields.number_or("layer_norm_epsilon", 1e-5)?;
    config.positions = Positions::Learned;
    config.feed_forward = FeedForward::Gelu;
    config.tied_embeddings = fields.flag("tie_word_embeddings", true)?;
    Ok(config)
}

/// The settings of a file.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn get(&self, field: &str) -> &Value {
        self.0.get(field).unwrap_or(&Value::Null)
    }

    fn refused(&self, field: &'static str, wanted: &str) -> InteropError {
        let mut value = self.get(field).to_string();
        if let Some((end, _)) = value.char_indices().nth(MAX_SHOWN) {
            value.replace_range(end.., "…");
        }
        InteropError::Setting { field, value, wanted: wanted.into() }
    }

    /// Rejects all values but `accepted`; a missing value is null.
    fn only(&self, field: &'static str, accepted: &[Value], wanted: &str) -> Result<(), InteropError> {
        if accepted.contains(self.get(field)) { Ok(()) } else { Err(self.refused(field, wanted)) }
    }

    fn size(&self, field: &'static str) -> Result<usize, InteropError> {
        let size = self.get(field).as_u64().and_then(|size| usize::try_from(size).ok());
        size.ok_or_else(|| self.refused(field, "it has to be a whole number"))
    }

    fn size_or(&self, field: &'static str, default: usize) -> Result<usize, InteropError> {
        if self.get(field).is_null() { Ok(default) } else { self.size(field) }
    }

    fn flag(&self, field: &'static str, default: bool) -> Result<bool, InteropError> {
        match self.get(field) {
            Value::Null => Ok(default),
            Value::Bool(flag) => Ok(*flag),
            _ => Err(self.refused(field, "it has to be true or false")),
        }
    }

    fn number_or(&self, field: &'static str, default: f64) -> Result<f64, InteropError> {
        match self.get(field) {
            Value::Null => Ok(default),
            number => number.as_f64().ok_or_else(|| self.refused(field, "it has to be a number")),
        }
    }

    /// Older files lack `mlp_bias`, which is then false.
    fn llamas_biases(&self) -> Result<Biases, InteropError> {
        match (self.flag("attention_bias", false)?, self.flag("mlp_bias", false)?) {
            (true, true) => Ok(Biases::OfAll),
            (true, false) => Ok(Biases::OfAttention),
            (false, false) => Ok(Biases::None),
            (false, true) => Err(self.refused("mlp_bias", "it can be read with an attention_bias of true")),
        }
    }

    /// Θ. As in transformers, `rope_scaling` replaces `rope_parameters`, and the top-level `rope_theta` is the
    /// fallback.
    fn rope_theta(&self, notes: &mut Vec<String>) -> Result<f64, InteropError> {
        let is_set = |field: &&str| match self.get(field) {
            Value::Null => false,
            Value::Object(map) => !map.is_empty(),
            _ => true,
        };
        let parameters = ["rope_scaling", "rope_parameters"].into_iter().find(is_set);
        if let Some(field) = parameters {
            let kind = match self.get(field) {
                Value::Object(map) => map.get("rope_type").or(map.get("type")).unwrap_or(&Value::Null),
                other => other,
            };
            if !kind.is_null() && kind != "default" {
                return Err(self.refused(field, "only plain RoPE can be read"));
            }
        }
        let of = |field: &str| &self.get(field)["rope_theta"];
        let top = self.get("rope_theta");
        let first = parameters.map_or(&Value::Null, of);
        let chosen = match [first, top].into_iter().find(|theta| !theta.is_null()) {
            None => 10_000.0,
            Some(theta) => theta.as_f64().ok_or_else(|| self.refused("rope_theta", "it has to be a number"))?,
        };
        let all = [top, of("rope_scaling"), of("rope_parameters")];
        if let Some(other) = all.into_iter().find(|theta| !theta.is_null() && theta.as_f64() != Some(chosen)) {
            notes.push(format!(
                "config.json gives rope_theta more than once: {chosen} is used, as in transformers, and {other} is not."
            ));
        }
        Ok(chosen)
    }
}
