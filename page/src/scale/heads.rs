//! What the heads of a model attend to, in numbers that can be compared across sizes. Pure.

use crate::state::Maps;

/// What a head can be strong at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The token before.
    Previous,
    /// The first token.
    First,
    /// The token after an earlier occurrence of the same one.
    Induction,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Previous, Self::First, Self::Induction];

    /// Its name.
    pub fn title(self) -> &'static str {
        match self {
            Self::Previous => "Token before",
            Self::First => "First token",
            Self::Induction => "After the same token",
        }
    }
}

/// The mean weight that a head puts on what a role asks for, over the rows in which it exists.
pub fn score(maps: &Maps, head: (usize, usize), role: Role) -> f64 {
    let tokens = &maps.tokens;
    let weight = |query: usize| -> Option<f64> {
        match role {
            Role::Previous => Some(maps.weight(head, query, query.checked_sub(1)?)),
            Role::First => (query > 0).then(|| maps.weight(head, query, 0)),
            Role::Induction => {
                let after = (0..query).filter(|&key| key > 0 && tokens[key - 1].id == tokens[query].id);
                let sum: Vec<f64> = after.map(|key| maps.weight(head, query, key)).collect();
                (!sum.is_empty()).then(|| sum.iter().sum())
            }
        }
    };
    let weights: Vec<f64> = (0..tokens.len()).filter_map(weight).collect();
    weights.iter().sum::<f64>() / weights.len().max(1) as f64
}

/// The head with the highest score for a role: layer, head, score.
pub fn best(maps: &Maps, role: Role) -> ((usize, usize), f64) {
    let heads = (0..maps.n_layers).flat_map(|layer| (0..maps.n_heads).map(move |head| (layer, head)));
    let scored = heads.map(|head| (head, score(maps, head, role)));
    scored.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or(((0, 0), 0.0))
}
