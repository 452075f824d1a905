//! Recordings for questions about the model: one block at a time, what each layer would predict, and the model without
//! some of its heads. None of them is part of a training step.

use super::{Activations, Transformer};
use crate::gpu::recording::Recording;

impl Transformer<'_> {
    /// Block `layer` of a probe alone, the first one behind the embedding. Run in order, they leave queries, keys,
    /// values and weights of the latest block in the buffers that all blocks share.
    pub fn probe_layer(&self, acts: &Activations, layer: usize) -> Recording {
        let mut recording = Recording::new("probe layer");
        if layer == 0 {
            self.embed(&mut recording, acts, acts.blocks[0].x);
        }
        self.block(&mut recording, acts, layer);
        recording
    }

    /// What the last norm and the head make of the stream behind block `layer`, into the probe's logits. Behind the last
    /// block these are the model's own.
    pub fn lens(&self, acts: &Activations, layer: usize) -> Recording {
        let mut recording = Recording::new("logit lens");
        let stream = acts.blocks.get(layer + 1).map_or(acts.x_final, |next| next.x);
        self.head(&mut recording, acts, stream);
        recording
    }

    /// The probe's logits with every head times its number in `head_scale`.
    pub fn scaled_probe(&self, acts: &Activations) -> Recording {
        let mut recording = Recording::new("probe with scaled heads");
        self.forward(&mut recording, &self.scaled(acts), |_, _, _| ());
        recording
    }

    /// [`Transformer::evaluation`] with every head times its number in `head_scale`.
    pub fn scaled_evaluation(&self) -> Recording {
        let mut recording = Recording::new("evaluation with scaled heads");
        self.evaluate(&mut recording, &self.scaled(&self.plan.batch));
        recording
    }

    fn scaled(&self, acts: &Activations) -> Activations {
        Activations { head_scale: Some(self.plan.head_scale), ..acts.clone() }
    }
}
