//! The mapping between a file's tensors and the parameters, including their order.

use std::collections::HashMap;

use super::Architecture;
use crate::config::ModelConfig;
use crate::model::params::{Param, ParamTable};

/// Parts of names: CS336's, Llama's, GPT-2's.
const NAMES: [[&str; 3]; 13] = [
    ["token_embeddings", "model.embed_tokens", "transformer.wte"],
    ["position_embeddings", "", "transformer.wpe"],
    ["ln_final", "model.norm", "transformer.ln_f"],
    ["lm_head", "lm_head", "lm_head"],
    ["attn.q_proj", "self_attn.q_proj", "attn.c_attn"],
    ["attn.k_proj", "self_attn.k_proj", "attn.c_attn"],
    ["attn.v_proj", "self_attn.v_proj", "attn.c_attn"],
    ["attn.output_proj", "self_attn.o_proj", "attn.c_proj"],
    ["ffn.w1", "mlp.gate_proj", "mlp.c_fc"],
    ["ffn.w2", "mlp.down_proj", "mlp.c_proj"],
    ["ffn.w3", "mlp.up_proj", ""],
    ["ln1", "input_layernorm", "ln_1"],
    ["ln2", "post_attention_layernorm", "ln_2"],
];

/// The order of a tensor's values in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Row-major, `[out, in]`, as in this program.
    Same,
    /// `[in, out]`, as in GPT-2's `Conv1D`.
    Transposed,
    /// A different order of the rows within every head: RoPE rotates row 2i with row 2i + 1 in this program, and row i
    /// with row i + D/2 in Llama's files.
    Halves {
        /// D: the head size.
        d_head: usize,
    },
}

/// One tensor of a file.
pub(super) struct Entry {
    /// The tensor's name.
    pub name: String,
    /// The parameters in it, stacked by rows.
    params: Vec<Param>,
    order: Order,
}

/// All tensors of a model's file.
pub(super) fn entries(architecture: Architecture, config: &ModelConfig) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for param in ParamTable::new(config).iter() {
        let name = name(architecture, &param.name);
        match places.get(&name) {
            Some(&at) => entries[at].params.push(param.clone()),
            None => {
                let order = order(architecture, config, param);
                places.insert(name.clone(), entries.len());
                entries.push(Entry { name, params: vec![param.clone()], order });
            }
        }
    }
    entries
}

fn name(architecture: Architecture, ours: &str) -> String {
    let column = match architecture {
        Architecture::Llama => 1,
        Architecture::Gpt2 => 2,
    };
    let (block, rest) = match ours.strip_prefix("layers.").and_then(|rest| rest.split_once('.')) {
        Some((layer, rest)) => (format!("{}.{layer}.", ["model.layers", "transformer.h"][column - 1]), rest),
        None => (String::new(), ours),
    };
    let (part, kind) = rest.rsplit_once('.').unwrap_or((rest, ""));
    let theirs = NAMES.iter().find(|names| names[0] == part).map_or(part, |names| names[column]);
    format!("{block}{theirs}.{kind}")
}

fn order(architecture: Architecture, config: &ModelConfig, param: &Param) -> Order {
    let rotated = param.name.contains("attn.q_proj") || param.name.contains("attn.k_proj");
    match architecture {
        Architecture::Llama if rotated => Order::Halves { d_head: config.d_head() },
        Architecture::Gpt2 if param.name.starts_with("layers.") && param.shape.len() == 2 => Order::Transposed,
        _ => Order::Same,
    }
}

impl Entry {
    /// Whether it contains the parameter with this name.
    pub fn holds(&self, param: &str) -> bool {
        self.params.iter().any(|known| known.name == param)
    }

    /// The shape in the file.
    pub fn shape(&self) -> Vec<usize> {
        let [rows, columns] = self.matrix();
        match (self.order, self.params[0].shape.len()) {
            (Order::Transposed, _) => vec![columns, rows],
            (_, 1) => vec![rows],
            _ => vec![rows, columns],
        }
    }

    /// The number of values.
    pub fn len(&self) -> u64 {
        self.shape().iter().map(|&size| size as u64).product()
    }

    /// `[rows, columns]` in this program; a vector is a matrix with one column.
    fn matrix(&self) -> [usize; 2] {
        let rows = self.params.iter().map(|param| param.shape[0]).sum();
        [rows, self.params[0].shape.get(1).copied().unwrap_or(1)]
    }

    /// For every value in file order, its index in a buffer laid out by [`ParamTable`].
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        let [rows, columns] = self.matrix();
        let starts: Vec<usize> =
            self.params.iter().flat_map(|param| (0..param.shape[0]).map(|row| param.start + row * columns)).collect();
        (0..rows * columns).map(move |at| match self.order {
            Order::Same => starts[at / columns] + at % columns,
            Order::Transposed => starts[at % rows] + at / rows,
            Order::Halves { d_head } => starts[neighbour(at / columns, d_head)] + at % columns,
        })
    }

    /// The tensor's values in file order, from a buffer laid out by [`ParamTable`].
    pub fn gather(&self, buffer: &[f32]) -> Vec<f32> {
        self.places().map(|place| buffer[place]).collect()
    }

    /// Writes the tensor's values, given in file order, into a buffer laid out by [`ParamTable`].
    pub fn scatter(&self, numbers: impl Iterator<Item = f32>, buffer: &mut [f32]) {
        for (place, number) in self.places().zip(numbers) {
            buffer[place] = number;
        }
    }
}

/// The row in this program for a row of a file whose heads are split into halves.
fn neighbour(row: usize, d_head: usize) -> usize {
    let (head, at, half) = (row / d_head, row % d_head, d_head / 2);
    head * d_head + if at < half { 2 * at } else { 2 * (at - half) + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_become_neighbours() {
        let rows: Vec<usize> = (0..12).map(|row| neighbour(row, 6)).collect();
        assert_eq!(rows, [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]);
    }
}
