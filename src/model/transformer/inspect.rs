//! Recordings that inspect the model: one block at a time, each layer's prediction (logit lens), and the model with
//! scaled heads. None of them is part of a training step.

use super::{Activations, Transformer};
use crate::gpu::recording::Recording;

impl Transformer<'_> {
    /// Block `layer` of a probe, the first one after the embedding. Run in order, they leave queries, keys, values and
    /// weights of the latest block in the buffers that all blocks share.
    pub fn probe_layer(&self, acts: &Activations, layer: usize) -> Recording {
        let mut recording = Recording::new("probe layer");
        if layer == 0 {
            self.embed(&mut recording, acts, acts.blocks[0].x);
        }
        self.block(&mut recording, acts, layer);
        recording
    }

    /// Applies the last norm and the head to the residual stream after block `layer`, into the probe's logits. After the
    /// last block these are the model's own.
    pub fn lens(&self, acts: &Activations, layer: usize) -> Recording {
        let mut recording = Recording::new("logit lens");
        let stream = acts.blocks.get(layer + 1).map_or(acts.x_final, |next| next.x);
        self.head(&mut recording, acts, stream);
        recording
    }

    /// The probe's logits with every head's output multiplied by its factor in `head_scale`.
    pub fn scaled_probe(&self, acts: &Activations) -> Recording {
        let mut recording = Recording::new("probe with scaled heads");
        self.forward(&mut recording, &self.scaled(acts), |_, _, _| ());
        recording
    }

    /// [`Transformer::evaluation`] with every head's output multiplied by its factor in `head_scale`.
    pub fn scaled_evaluation(&self) -> Recording {
        let mut recording = Recording::new("evaluation with scaled heads");
        self.evaluate(&mut recording, &self.scaled(&self.plan.batch));
        recording
    }

    fn scaled(&self, acts: &Activations) -> Activations {
        Activations { head_scale: Some(self.plan.head_scale), ..acts.clone() }
    }
}
