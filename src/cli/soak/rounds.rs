//! Starts, loads and drops runs repeatedly.

use serde_json::json;

use super::{Heard, PROBE, Soak, judge, resident_bytes};
use crate::config::Preset;
use crate::config::rules::Rules;
use crate::types::{CorpusChoice, FileInfo};
use crate::wire::Command;
use crate::wire::export::ExportCommand;
use crate::wire::runs::RunsCommand;

/// The number of parts for memory checks; the first part is a warm-up, as with steps.
const PARTS: u64 = 5;

impl Soak {
    /// Each round starts a small run, exports it, starts a larger run, and imports the small one.
    pub(super) async fn change_runs(&mut self, rounds: u64) -> Result<(), String> {
        let rules = RunsCommand::Rules(Rules::default());
        self.send(Command::Runs { command: rules }, None).await;
        let (mut run, mut settled) = (1, None);
        for round in 1..=rounds {
            self.start(run + 1, Preset::Nano).await;
            self.step().await?;
            let file = self.export().await?;
            self.start(run + 2, Preset::Tiny).await;
            self.step().await?;
            self.import(run + 3, file).await;
            self.step().await?;
            run += 3;
            if (round * PARTS) % rounds < PARTS {
                let memory = resident_bytes();
                settled = settled.or(memory.filter(|_| round * PARTS >= 2 * rounds));
                self.tell_round(round, memory);
            }
        }
        judge(settled, resident_bytes(), self.backend)
    }

    async fn step(&mut self) -> Result<(), String> {
        let goal = self.heard.borrow().steps + 1;
        self.send(Command::Step, None).await;
        self.work_until("a step", |heard| heard.steps >= goal).await
    }

    async fn export(&mut self) -> Result<Vec<u8>, String> {
        self.send(Command::Export(ExportCommand::Model { loose: false, training_state: true }), None).await;
        self.work_until("an export", |heard| heard.file.is_some()).await?;
        Ok(self.heard.borrow_mut().file.take().unwrap_or_default())
    }

    async fn work_until(&mut self, what: &str, done: impl Fn(&Heard) -> bool) -> Result<(), String> {
        let mut more = true;
        while !done(&self.heard.borrow()) {
            if !more {
                return Err(format!("the session has come to rest before {what} was done"));
            }
            more = self.work().await?;
        }
        Ok(())
    }

    async fn import(&mut self, run: u32, file: Vec<u8>) {
        let files = vec![FileInfo { name: "model.zip".into(), size: file.len(), fields: Vec::new() }];
        let (backend, probe, name) = (self.backend, PROBE.into(), "kept".into());
        let command = RunsCommand::Import { run, backend, probe, name, corpus: CorpusChoice::BuiltIn, files };
        self.send(Command::Runs { command }, Some(file)).await;
    }

    fn tell_round(&self, round: u64, memory: Option<u64>) {
        if self.json {
            return say!("{}", json!({ "round": round, "memory_bytes": memory }));
        }
        let memory = memory.map_or("memory unknown".into(), |bytes| format!("{:.1} MiB", bytes as f64 / 1048576.0));
        say!("round {round}: {memory}");
    }
}
