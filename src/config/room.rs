//! Checks whether a run's sizes can be addressed, and recommends which setting to lower when memory is insufficient.

use std::iter::successors;

use super::{ConfigError, FeedForward, RunConfig};

/// The largest number of 4-byte elements in one buffer that shaders, or this program, can address.
const MAX_NUMBERS: f64 = if usize::BITS == 32 { (1u64 << 30) as f64 } else { (1u64 << 32) as f64 };

/// The shortest context length that is recommended when memory is insufficient.
const MIN_CONTEXT: usize = 16;

/// A product of sizes that has to be addressable: names, values, and each factor's exponent.
struct Product {
    sizes: Vec<(&'static str, usize, i32)>,
    times: f64,
}

impl Product {
    fn numbers(&self) -> f64 {
        self.sizes.iter().map(|&(_, size, power)| (size as f64).powi(power)).product::<f64>() * self.times
    }

    /// The first size that can be lowered enough, else the largest one, with the highest value that fits.
    fn lower(&self, most: f64) -> (&'static str, usize) {
        let fitting = |&(name, size, power): &(&'static str, usize, i32)| {
            let others = self.numbers() / (size as f64).powi(power);
            (name, (most / others).powf(1.0 / f64::from(power)).floor() as usize)
        };
        let enough = self.sizes.iter().map(fitting).find(|&(_, fitting)| fitting > 0);
        let largest = || self.sizes.iter().max_by_key(|(_, size, _)| size).map_or(("", 1), |&(name, ..)| (name, 1));
        enough.unwrap_or_else(largest)
    }

    fn check(&self, most: f64) -> Result<(), ConfigError> {
        let numbers = self.numbers();
        if numbers <= most {
            return Ok(());
        }
        let named = self.sizes.iter().map(|(name, size, power)| match power {
            1 => format!("{name} {size}"),
            _ => format!("{name} {size} squared"),
        });
        let (field, fitting) = self.lower(most);
        Err(ConfigError::Together { sizes: named.collect::<Vec<_>>().join(" × "), numbers, most, field, fitting })
    }
}

impl RunConfig {
    /// Checks that every product of sizes in a run is addressable.
    pub(super) fn check_products(&self) -> Result<(), ConfigError> {
        self.products().iter().try_for_each(|product| product.check(MAX_NUMBERS))
    }

    fn products(&self) -> Vec<Product> {
        let (model, train) = (&self.model, &self.train);
        let batch = ("batch_size", train.batch_size, 1);
        let window = ("context_length", model.context_length, 1);
        let pairs = [("n_heads", model.n_heads, 1), ("context_length", model.context_length, 2)];
        let layers = ("n_layers", model.n_layers, 1);
        let (width, inner) = (("d_model", model.d_model, 1), ("d_ff", model.d_ff, 1));
        let gates = if model.feed_forward == FeedForward::Swiglu { 2.0 } else { 1.0 };
        let product = |sizes: &[(&'static str, usize, i32)], times| Product { sizes: sizes.into(), times };
        vec![
            product(&[batch, window, ("accumulation_steps", train.accumulation_steps, 1)], 1.0),
            product(&[batch, window, ("vocab_size", model.vocab_size, 1)], 1.0),
            product(&[batch, window, inner], gates),
            // Queries, keys and values.
            product(&[batch, window, width], 3.0),
            product(&pairs, 1.0),
            // Attention maps take one byte per weight.
            product(&[&[layers], &pairs[..]].concat(), 0.25),
            // Parameters: embedding, output head, and the matrices of all layers.
            product(&[("vocab_size", model.vocab_size, 1), width], 4.0),
            product(&[layers, width, inner], 8.0),
            product(&[layers, ("d_model", model.d_model, 2)], 8.0),
        ]
    }

    /// This configuration with `batch_size` halved, or else `context_length`; `None` if neither can be lowered.
    fn smaller(&self) -> Option<Self> {
        self.halved_batch().or_else(|| self.halved_context())
    }

    /// The blocks between two checkpoints that need least memory for about the same time: the whole part of √L.
    pub fn usual_checkpoints(&self) -> usize {
        self.model.n_layers.isqrt().max(1)
    }

    /// The same run with checkpoints, if it has none and more than one layer: its losses stay the same.
    fn checkpointed(&self) -> Option<Self> {
        let mut other = self.clone();
        other.train.checkpoint_every = self.usual_checkpoints();
        (self.train.checkpoint_every == 0 && self.model.n_layers > 1).then_some(other)
    }

    /// Which setting to change, and to what value, until the run fits; the end of a sentence. Checkpointing comes first, because
    /// it changes no result.
    pub fn advice(&self, fits: impl Fn(&Self) -> bool) -> String {
        if let Some(other) = self.checkpointed().filter(|other| fits(other)) {
            let every = other.train.checkpoint_every;
            return format!(
                "set checkpoint_every to {every}, which computes activations again instead of storing them"
            );
        }
        self.lowering(fits)
    }

    /// The same without checkpointing.
    pub fn lowering(&self, fits: impl Fn(&Self) -> bool) -> String {
        let batches = successors(self.halved_batch(), Self::halved_batch);
        // Where `batch_size` alone is not enough, it may not matter at all.
        let contexts = successors(self.halved_context(), Self::halved_context);
        let both = successors(self.smaller(), Self::smaller);
        match batches.chain(contexts).chain(both).find(fits) {
            Some(smaller) => lowered(self, &smaller),
            None => "choose a smaller model, such as another preset".into(),
        }
    }

    fn halved_batch(&self) -> Option<Self> {
        let mut smaller = self.clone();
        smaller.train.batch_size /= 2;
        (smaller.train.batch_size > 0).then_some(smaller)
    }

    fn halved_context(&self) -> Option<Self> {
        let mut smaller = self.clone();
        smaller.model.context_length = (self.model.context_length / 2).max(MIN_CONTEXT);
        (smaller.model.context_length < self.model.context_length).then_some(smaller)
    }
}

fn lowered(before: &RunConfig, after: &RunConfig) -> String {
    let changed = |name: &str, before, after| (before != after).then(|| format!("{name} from {before} to {after}"));
    let changes = [
        changed("batch_size", before.train.batch_size, after.train.batch_size),
        changed("context_length", before.model.context_length, after.model.context_length),
    ];
    format!("lower {}", changes.into_iter().flatten().collect::<Vec<_>>().join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    /// Number of elements that wasm can address.
    const WASM: f64 = (1u64 << 30) as f64;

    fn refusal(config: &RunConfig, most: f64) -> Option<String> {
        let refused = config.products().iter().find_map(|product| product.check(most).err());
        refused.map(|error| error.to_string())
    }

    #[test]
    fn products_that_32_bits_do_not_hold_are_refused_by_name() {
        for preset in Preset::ALL {
            assert_eq!(refusal(&preset.config(), WASM), None, "{}", preset.name());
        }
        let sizes = [
            ("batch_size", 1 << 20),
            ("context_length", 1 << 20),
            ("accumulation_steps", 1 << 20),
            ("vocab_size", 1 << 20),
            ("d_ff", 1 << 20),
            ("n_layers", 1 << 10),
        ];
        for (field, size) in sizes {
            let mut config = Preset::Cs336.config();
            // Valid on its own, but too large in combination with the others.
            config.set(field, &size.to_string()).unwrap();
            let said = refusal(&config, WASM).unwrap_or_default();
            assert!(said.contains(&format!("{field} {size}")), "{field}: {said}");
            // Following the advice is sufficient.
            let mut tries = 0;
            while let Some(said) = refusal(&config, WASM) {
                let (_, advice) = said.split_once("lower ").expect("it says what to lower");
                let (field, fitting) = advice.split_once(" to ").expect("and to what");
                let fitting = fitting.split_whitespace().next().expect("it is a number");
                config.set(field, fitting).unwrap();
                tries += 1;
                assert!(tries < 9, "{said}");
            }
        }
    }

    #[test]
    fn advice_names_what_to_lower_and_to_what() {
        let mut config = Preset::Tiny.config();
        let rows = |config: &RunConfig| config.train.batch_size * config.model.context_length;
        assert_eq!(config.advice(|smaller| rows(smaller) <= 512), "lower batch_size from 16 to 4");
        let both = "lower batch_size from 16 to 1 and context_length from 128 to 32";
        assert_eq!(config.advice(|smaller| rows(smaller) <= 40), both);
        assert!(config.advice(|_| false).contains("smaller model"));
        // What changes no result comes first, unless it is in use already.
        let advice = config.advice(|other| rows(other) <= 512 || other.train.checkpoint_every > 0);
        assert_eq!(advice, "set checkpoint_every to 2, which computes activations again instead of storing them");
        (config.train.batch_size, config.train.checkpoint_every) = (1, 2);
        assert_eq!(config.advice(|_| true), "lower context_length from 128 to 64");
    }
}
