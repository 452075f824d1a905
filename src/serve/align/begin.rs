//! Adds a stage to the project.

use super::live::{named, plan};
use super::{BackendChoice, Examples, MAX_NODES, Node, NodeId, NodeInfo, ProjectError, Root, Session, StageSpec};
use super::{DeskError, StageStart, TrainingState, byte_model};
use crate::align::Rewards;
use crate::config::Preset;
use crate::run::stage::read_rows;
use crate::train::align::Stage;

/// Bytes of the old text whose tokens are kept.
const OLD_BYTES: usize = 16 << 10;

/// Maximum number of updates of a stage.
const MAX_STEPS: u64 = 1_000_000;

/// Maximum number of held-out prompts of an evaluation.
const MAX_PROMPTS: u32 = 10_000;

impl Session {
    /// Adds a stage and trains it.
    ///
    /// # Errors
    /// If the specification is invalid, or the run has no model.
    pub(super) async fn begin_stage(
        &mut self,
        start: StageStart,
        mut spec: StageSpec,
        backend: BackendChoice,
    ) -> Result<(), DeskError> {
        spec.steps = spec.steps.clamp(1, MAX_STEPS);
        spec.evaluation_prompts = spec.evaluation_prompts.clamp(1, MAX_PROMPTS);
        let now = self.clock.now();
        self.align.pause(now).await?;
        if self.align.project.nodes.len() + 2 > MAX_NODES {
            return Err(ProjectError::Full.into());
        }
        let root = match &start {
            StageStart::Run { name } => Some(self.run_model(name).await?),
            StageStart::Preset { name } => Some(untrained(name, &spec)?),
            StageStart::Node { .. } => None,
        };
        // Nothing is added before the specification is known to be valid.
        let desk = &mut self.align;
        let rows = desk.project.rows.as_ref().map(|(_, rows)| rows.as_str());
        if let Some(Node { root: Some(root), states, .. }) = &root
            && let Some(state) = states.first()
        {
            let Root { config, tokenizer, fresh, .. } = root.clone();
            let model = crate::run::stage::StageModel { config, tokenizer, state: state.clone(), fresh };
            plan(&spec, model, rows)?;
        }
        let parent = match (root, start) {
            (Some(root), _) => desk.add_root(root)?,
            (None, StageStart::Node { node, step }) => {
                let model = desk.project.model(node, step)?;
                plan(&spec, model, rows)?;
                (node, step)
            }
            (None, _) => return Err(DeskError::NoModel),
        };
        desk.add_stage(parent, spec)?;
        (desk.backend, desk.training, desk.changed, desk.losses) = (backend, true, true, 0);
        desk.report_project();
        desk.report_running();
        Ok(())
    }

    /// The present model of the run as a node.
    async fn run_model(&mut self, name: &str) -> Result<Node, DeskError> {
        let run = self.run.as_mut().ok_or(DeskError::NoRun)?;
        run.driver.pause();
        let state = run.driver.whole_state(false, &mut run.view).await?;
        run.view.flush();
        let mut config = run.driver.config();
        config.train.accumulation_steps = 1;
        let (tokenizer, record) = ((*run.driver.tokenizer).clone(), run.driver.record(name));
        self.tell_run();
        // Without its text, the loss on it is not shown.
        let corpus = record.map(|record| record.corpus);
        let text = corpus.and_then(|corpus| self.read_corpus(corpus.choice, &corpus.asked).ok());
        let end = text.as_ref().map_or("", |(_, text)| ending(text));
        let (step, seed) = (state.step, config.train.seed);
        let root = Root { old_text: tokenizer.encode(end), config, tokenizer, fresh: step == 0 };
        let states = vec![TrainingState::of(state.params, seed)];
        Ok(node(name, None, None, step, Some(root), states))
    }
}

/// The last part of a text, which is held out.
fn ending(text: &str) -> &str {
    let start = (text.len().saturating_sub(OLD_BYTES)..text.len()).find(|&at| text.is_char_boundary(at));
    &text[start.unwrap_or(0)..]
}

/// An untrained model as a node.
fn untrained(name: &str, spec: &StageSpec) -> Result<Node, DeskError> {
    let preset = Preset::from_name(name).ok_or_else(|| DeskError::UnknownModel(name.into()))?;
    let model = byte_model(preset, Some(spec.seed), &[])?;
    let text = crate::data::stories(spec.seed, OLD_BYTES);
    let old_text = model.tokenizer.encode(ending(&text));
    let root = Root { old_text, config: model.config, tokenizer: model.tokenizer, fresh: true };
    Ok(node("Untrained", None, None, 0, Some(root), vec![model.state]))
}

fn node(
    name: &str,
    parent: Option<(NodeId, u64)>,
    spec: Option<StageSpec>,
    step: u64,
    root: Option<Root>,
    states: Vec<TrainingState>,
) -> Node {
    let info = NodeInfo {
        id: 0,
        name: name.into(),
        parent,
        spec,
        step,
        points: Vec::new(),
        scores: Vec::new(),
        kept: Vec::new(),
    };
    Node { info, root, states }
}

impl super::AlignDesk {
    /// Adds a pretrained model, unless the project has it already.
    fn add_root(&mut self, root: Node) -> Result<(NodeId, u64), DeskError> {
        let params = |node: &Node| node.states.first().map(|state| state.params.clone());
        let known = self.project.nodes.iter().find(|known| known.root.is_some() && params(known) == params(&root));
        let step = root.info.step;
        let id = match known {
            Some(known) => known.info.id,
            None => self.project.add(root)?,
        };
        Ok((id, step))
    }

    /// Adds a stage to a node and makes it the present one.
    fn add_stage(&mut self, (parent, step): (NodeId, u64), spec: StageSpec) -> Result<(), DeskError> {
        let from = self.project.node(parent)?;
        let state = from.state_at(step).ok_or(DeskError::NoStateToBeginWith)?;
        let from_step = if from.root.is_some() { from.info.step } else { state.step };
        let states = vec![TrainingState::of(state.params.clone(), spec.seed)];
        let name = match named(&spec.stage)? {
            Stage::Sft => "SFT",
            Stage::Rft => "Expert iteration",
            Stage::Grpo => "GRPO",
            Stage::Dpo => "DPO",
        };
        self.unload();
        self.project.add(node(name, Some((parent, from_step)), Some(spec), 0, None, states))?;
        self.watch.begin();
        Ok(())
    }
}

/// Number of rows of a file for fine-tuning, for reinforcement learning, and for preferences.
///
/// # Errors
/// If no stage can use it.
pub(super) fn count_rows(text: &str) -> Result<[usize; 3], DeskError> {
    let any = Rewards::parse(&["format"])?;
    let read = |stage| read_rows(stage, &any, text.as_bytes());
    let tries = [read(Stage::Sft), read(Stage::Grpo), read(Stage::Dpo)];
    let count = |examples: &Examples| match examples {
        Examples::Task(_) => 0,
        Examples::Rows { train, held_out } => train.len() + held_out.len(),
        Examples::Pairs { train, held_out } => train.len() + held_out.len(),
    };
    let counts = [0, 1, 2].map(|at: usize| tries[at].as_ref().map_or(0, count));
    match (counts, tries) {
        ([0, 0, 0], [Err(error), ..]) => Err(DeskError::UselessRows(error)),
        _ => Ok(counts),
    }
}
