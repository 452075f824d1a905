//! Whether the sizes of a run can be addressed at all, and what to lower where memory is short.

use super::{ConfigError, FeedForward, RunConfig};

/// Numbers of four bytes in one buffer: as many as shaders, or this program, can address.
const MAX_NUMBERS: f64 = if usize::BITS == 32 { (1u64 << 30) as f64 } else { (1u64 << 32) as f64 };

/// The shortest window that is recommended where memory is short.
const MIN_CONTEXT: usize = 16;

/// Sizes that are multiplied to something that has to be addressed: names, values, and how often each is a factor.
struct Product {
    sizes: Vec<(&'static str, usize, i32)>,
    times: f64,
}

impl Product {
    fn numbers(&self) -> f64 {
        self.sizes.iter().map(|&(_, size, power)| (size as f64).powi(power)).product::<f64>() * self.times
    }

    /// The first size whose lowering is enough, else the largest, and what it has to be at most.
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
    /// Whether everything that a run multiplies its sizes to can be addressed.
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
            // Maps have a byte for each weight.
            product(&[&[layers], &pairs[..]].concat(), 0.25),
            // The parameters: the embedding and the head, and the matrices of all layers.
            product(&[("vocab_size", model.vocab_size, 1), width], 4.0),
            product(&[layers, width, inner], 8.0),
            product(&[layers, ("d_model", model.d_model, 2)], 8.0),
        ]
    }

    /// The same with the setting lowered that costs least, where memory is short: its name, and what it becomes.
    pub fn smaller(&self) -> Option<(&'static str, Self)> {
        let mut smaller = self.clone();
        if self.train.batch_size > 1 {
            smaller.train.batch_size /= 2;
            return Some(("batch_size", smaller));
        }
        smaller.model.context_length = (self.model.context_length / 2).max(MIN_CONTEXT);
        (smaller.model.context_length < self.model.context_length).then_some(("context_length", smaller))
    }

    /// What to lower until the run fits, and to what, as the end of a sentence.
    pub fn advice(&self, fits: impl Fn(&Self) -> bool) -> String {
        let mut smaller = self.clone();
        while let Some((_, next)) = smaller.smaller() {
            if fits(&next) {
                return lowered(self, &next);
            }
            smaller = next;
        }
        "choose a smaller model, such as another preset".into()
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

    /// What wasm addresses.
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
            // Small enough alone, and too large with the others.
            config.set(field, &size.to_string()).unwrap();
            let said = refusal(&config, WASM).unwrap_or_default();
            assert!(said.contains(&format!("{field} {size}")), "{field}: {said}");
            // What the sentence asks for is enough.
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
        config.train.batch_size = 1;
        assert_eq!(config.advice(|_| true), "lower context_length from 128 to 64");
    }
}
