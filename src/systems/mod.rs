//! Time, memory, precision and parallelism as pure functions, for the page as for the command line: the timeline of a training
//! step and its export, the memory over its dispatches, rounding to 16 bits, collectives over a ring, and the simulation of
//! parallel training. Nothing here computes a model; `train::profile` measures, `parallel` executes.

pub mod bounds;
pub mod chrome;
pub mod cluster;
pub mod compare;
pub mod job;
pub mod link;
pub mod memory;
pub mod precision;
pub mod ring;
pub mod simulate;
pub mod trace;
