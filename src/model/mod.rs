//! The Transformer of CS336's first assignment: its parameters as one table ([`params`]), the bytes it takes
//! ([`memory`]), and its training step as recordings ([`transformer`]).

pub mod memory;
pub mod params;
pub mod transformer;
pub mod work;
