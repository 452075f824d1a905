//! The Transformer of CS336's first assignment: its parameters as one table ([`params`]), the bytes it takes
//! ([`memory`]), and one training step written down once as recordings ([`transformer`]).

pub mod memory;
pub mod params;
pub mod transformer;
