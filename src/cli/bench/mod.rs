//! `glasshead bench`: how fast this machine does things.

use clap::Subcommand;

mod bpe;
mod step;

#[derive(Subcommand)]
pub(super) enum BenchCommand {
    /// Train BPE vocabularies on generated stories, and encode with them.
    Bpe(bpe::BpeArgs),
    /// Train a model for a few steps and, with --profile, time every kernel.
    Step(step::StepArgs),
}

pub(super) fn bench(command: BenchCommand) -> Result<(), String> {
    match command {
        BenchCommand::Bpe(args) => bpe::bpe(&args),
        BenchCommand::Step(args) => pollster::block_on(step::step(args)),
    }
}
