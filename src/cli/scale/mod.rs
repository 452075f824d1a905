//! `glasshead scale`: scaling laws of published runs and of sweeps on this machine.

use std::path::PathBuf;

use clap::{Args, Subcommand};

mod execute;
mod fit;
mod folder;
mod plan;
mod predict;
mod status;
mod work;

/// The commands of `glasshead scale`.
#[derive(Subcommand)]
pub(super) enum ScaleCommand {
    /// Fit a scaling law to a table of runs: model size, tokens or FLOPs, and loss.
    Fit(fit::FitArgs),
    /// Plan a sweep of budgets and sizes for a time on this device, or for a number of FLOPs.
    Plan(plan::PlanArgs),
    /// Execute the runs of a sweep; several processes can work on one folder, and a killed one can be started again.
    Run(work::RunArgs),
    /// Show the runs of a sweep, its time and its predictions.
    Status(StatusArgs),
    /// Predict the best size and its loss at a larger budget, and seal the prediction.
    Predict(predict::PredictArgs),
    /// Train the model of the sealed prediction and compare.
    Check(predict::CheckArgs),
}

#[derive(Args)]
pub(super) struct StatusArgs {
    /// The folder of a sweep.
    folder: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn scale(command: ScaleCommand) -> Result<(), String> {
    match command {
        ScaleCommand::Fit(args) => fit::fit(&args),
        ScaleCommand::Plan(args) => plan::plan(&args).await,
        ScaleCommand::Run(args) => work::run(&args).await,
        ScaleCommand::Status(args) => status::status(&args.folder, args.json),
        ScaleCommand::Predict(args) => predict::predict(&args),
        ScaleCommand::Check(args) => predict::check(&args).await,
    }
}
