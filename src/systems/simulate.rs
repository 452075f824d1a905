//! One training step on N ranks, simulated: a timeline of computation and of the link, and the memory of a rank.
//!
//! All ranks do the same at the same time, so one of them stands for all. A rank has two resources, its processor and its link;
//! each does one thing at a time, in the order of requests.

use serde::{Deserialize, Serialize};

use super::job::{Block, Job};
use super::link::Link;
use super::ring::Collective;

/// How the ranks share a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Data parallel; every parameter's gradient is all-reduced after the backward pass, one by one.
    Naive,
    /// Data parallel; all gradients are all-reduced as one vector after the backward pass.
    Flat,
    /// Data parallel; a block's gradients are all-reduced as soon as they are ready.
    Overlapped,
    /// As overlapped, but gradients wait until a bucket is full.
    Bucketed,
    /// Optimizer state sharding (ZeRO-1): reduce-scatter, each rank updates its part, all-gather of the parameters.
    Sharded,
    /// Parameters, gradients and moments sharded; each block's parameters are gathered before use, one block in advance.
    Fsdp,
    /// Every rank has a part of each feed-forward network; outputs are all-reduced. The batch is not shared.
    TensorParallel,
}

impl Strategy {
    /// All strategies.
    pub const ALL: [Self; 7] =
        [Self::Naive, Self::Flat, Self::Overlapped, Self::Bucketed, Self::Sharded, Self::Fsdp, Self::TensorParallel];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Flat => "flat",
            Self::Overlapped => "overlapped",
            Self::Bucketed => "bucketed",
            Self::Sharded => "sharded",
            Self::Fsdp => "fsdp",
            Self::TensorParallel => "tensor",
        }
    }

    /// The name on the page.
    pub fn title(self) -> &'static str {
        match self {
            Self::Naive => "Naive",
            Self::Flat => "One bucket",
            Self::Overlapped => "Overlapped",
            Self::Bucketed => "Buckets",
            Self::Sharded => "Sharded optimizer",
            Self::Fsdp => "FSDP",
            Self::TensorParallel => "Tensor",
        }
    }
}

/// The ranks and their links.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// N: number of ranks.
    pub ranks: usize,
    /// The link of each rank.
    pub link: Link,
    /// Bytes of a bucket, for [`Strategy::Bucketed`].
    pub bucket_bytes: f64,
    /// Seconds that each call of a collective costs besides its messages.
    pub overhead_s: f64,
}

/// What a rank does in a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Computes forward.
    Forward,
    /// Computes backward.
    Backward,
    /// Updates parameters.
    Update,
    /// Communicates; the second lane.
    Communicate(Collective),
}

/// A span of a rank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankSpan {
    /// What it does.
    pub activity: Activity,
    /// Of which block or bucket.
    pub name: String,
    /// Beginning in seconds.
    pub start_s: f64,
    /// End in seconds.
    pub end_s: f64,
}

/// Bytes on each rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RankMemory {
    /// Parameters, including those gathered for use.
    pub parameters: f64,
    /// Gradients.
    pub gradients: f64,
    /// Moments of AdamW.
    pub moments: f64,
    /// Activations.
    pub activations: f64,
    /// Buckets.
    pub buffers: f64,
}

impl RankMemory {
    /// All of it.
    pub fn total(&self) -> f64 {
        self.parameters + self.gradients + self.moments + self.activations + self.buffers
    }
}

/// A simulated step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Simulation {
    /// The strategy.
    pub strategy: Strategy,
    /// N: number of ranks.
    pub ranks: usize,
    /// What every rank does.
    pub spans: Vec<RankSpan>,
    /// Seconds of the step.
    pub step_s: f64,
    /// Seconds during which the link is busy.
    pub link_s: f64,
    /// Seconds during which the processor waits.
    pub exposed_s: f64,
    /// Seconds of the same step on one rank.
    pub alone_s: f64,
    /// Bytes on each rank.
    pub memory: RankMemory,
}

impl Simulation {
    /// The fraction of communication behind computation; 1 without communication.
    pub fn hidden(&self) -> f64 {
        if self.link_s > 0.0 { (1.0 - self.exposed_s / self.link_s).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// How many times as fast as one rank.
    pub fn speedup(&self) -> f64 {
        if self.step_s > 0.0 { self.alone_s / self.step_s } else { 1.0 }
    }
}

/// The two lanes of a rank.
struct Lanes {
    setting: Setting,
    processor_s: f64,
    link_s: f64,
    busy_s: f64,
    spans: Vec<RankSpan>,
}

impl Lanes {
    /// Computes for `seconds`, not before `ready_s`; returns the end.
    fn compute(&mut self, activity: Activity, name: &str, ready_s: f64, seconds: f64) -> f64 {
        let start_s = self.processor_s.max(ready_s);
        self.processor_s = start_s + seconds;
        self.span(activity, name, start_s, self.processor_s);
        self.processor_s
    }

    /// Runs a collective, not before `ready_s`; returns the end.
    fn communicate(&mut self, collective: Collective, name: &str, ready_s: f64, bytes: f64) -> f64 {
        let Setting { ranks, link, overhead_s, .. } = self.setting;
        if ranks < 2 || bytes <= 0.0 {
            return ready_s;
        }
        let start_s = self.link_s.max(ready_s);
        self.link_s = start_s + overhead_s + link.collective_s(collective, ranks, bytes);
        self.busy_s += self.link_s - start_s;
        self.span(Activity::Communicate(collective), name, start_s, self.link_s);
        self.link_s
    }

    fn span(&mut self, activity: Activity, name: &str, start_s: f64, end_s: f64) {
        if end_s > start_s {
            self.spans.push(RankSpan { activity, name: name.into(), start_s, end_s });
        }
    }

    fn forward(&mut self, job: &Job) {
        job.blocks.iter().for_each(|block| {
            self.compute(Activity::Forward, &block.name, 0.0, block.forward_s);
        });
    }

    /// The backward pass; `after` gets every block with the time at which its gradients are ready.
    fn backward(&mut self, job: &Job, mut after: impl FnMut(&mut Self, &Block, f64)) {
        for block in job.blocks.iter().rev() {
            let ready_s = self.compute(Activity::Backward, &block.name, 0.0, block.backward_s);
            after(self, block, ready_s);
        }
    }
}

/// Simulates one step of `job`, the work of one rank with the whole batch.
pub fn simulate(job: &Job, strategy: Strategy, setting: Setting) -> Simulation {
    let mut lanes = Lanes { setting, processor_s: 0.0, link_s: 0.0, busy_s: 0.0, spans: Vec::new() };
    let n = setting.ranks.max(1);
    let own = if strategy == Strategy::TensorParallel { job.clone() } else { job.shared(n) };
    match strategy {
        Strategy::Naive | Strategy::Flat | Strategy::Overlapped | Strategy::Bucketed => {
            data_parallel(&mut lanes, &own, strategy)
        }
        Strategy::Sharded => sharded(&mut lanes, &own),
        Strategy::Fsdp => fsdp(&mut lanes, &own),
        Strategy::TensorParallel => tensor_parallel(&mut lanes, &own),
    }
    let step_s = lanes.processor_s.max(lanes.link_s);
    let computed: f64 = lanes
        .spans
        .iter()
        .filter(|span| !matches!(span.activity, Activity::Communicate(_)))
        .map(|span| span.end_s - span.start_s)
        .sum();
    Simulation {
        strategy,
        ranks: n,
        step_s,
        link_s: lanes.busy_s,
        exposed_s: (step_s - computed).max(0.0),
        alone_s: job.step_s(),
        memory: memory(&own, strategy, n as f64, setting.bucket_bytes),
        spans: lanes.spans,
    }
}

fn data_parallel(lanes: &mut Lanes, job: &Job, strategy: Strategy) {
    lanes.forward(job);
    let bucket_bytes = lanes.setting.bucket_bytes.max(1.0);
    let (mut bucket, mut n_buckets) = (0.0, 0);
    lanes.backward(job, |lanes, block, ready_s| match strategy {
        Strategy::Overlapped => {
            lanes.communicate(Collective::AllReduce, &block.name, ready_s, block.param_bytes);
        }
        Strategy::Bucketed => {
            bucket += block.param_bytes;
            while bucket >= bucket_bytes {
                n_buckets += 1;
                lanes.communicate(Collective::AllReduce, &format!("bucket {n_buckets}"), ready_s, bucket_bytes);
                bucket -= bucket_bytes;
            }
        }
        _ => (),
    });
    let done_s = lanes.processor_s;
    match strategy {
        Strategy::Naive => {
            for block in job.blocks.iter().rev() {
                let n_tensors = block.n_tensors.max(1);
                for _ in 0..n_tensors {
                    let bytes = block.param_bytes / n_tensors as f64;
                    lanes.communicate(Collective::AllReduce, &block.name, done_s, bytes);
                }
            }
        }
        Strategy::Flat => {
            lanes.communicate(Collective::AllReduce, "all gradients", done_s, job.param_bytes());
        }
        _ => {
            lanes.communicate(Collective::AllReduce, "last bucket", done_s, bucket);
        }
    }
    let ready_s = lanes.link_s;
    lanes.compute(Activity::Update, "all", ready_s, job.update_s);
}

fn sharded(lanes: &mut Lanes, job: &Job) {
    lanes.forward(job);
    lanes.backward(job, |lanes, block, ready_s| {
        lanes.communicate(Collective::ReduceScatter, &block.name, ready_s, block.param_bytes);
    });
    let ready_s = lanes.link_s;
    let part_s = job.update_s / lanes.setting.ranks.max(1) as f64;
    let done_s = lanes.compute(Activity::Update, "own part", ready_s, part_s);
    lanes.communicate(Collective::AllGather, "parameters", done_s, job.param_bytes());
}

fn fsdp(lanes: &mut Lanes, job: &Job) {
    // Each block is gathered while the block before it computes.
    let mut gathered = job.blocks.first().map_or(0.0, |first| gather(lanes, first, 0.0));
    for (index, block) in job.blocks.iter().enumerate() {
        let start_s = lanes.processor_s.max(gathered);
        let next = job.blocks.get(index + 1).map(|next| gather(lanes, next, start_s));
        lanes.compute(Activity::Forward, &block.name, start_s, block.forward_s);
        gathered = next.unwrap_or(0.0);
    }
    // The last block is still there.
    gathered = lanes.processor_s;
    for index in (0..job.blocks.len()).rev() {
        let block = &job.blocks[index];
        let start_s = lanes.processor_s.max(gathered);
        let next = index.checked_sub(1).map(|before| gather(lanes, &job.blocks[before], start_s));
        let ready_s = lanes.compute(Activity::Backward, &block.name, start_s, block.backward_s);
        lanes.communicate(Collective::ReduceScatter, &block.name, ready_s, block.param_bytes);
        gathered = next.unwrap_or(0.0);
    }
    let (ready_s, part_s) = (lanes.link_s, job.update_s / lanes.setting.ranks.max(1) as f64);
    lanes.compute(Activity::Update, "own part", ready_s, part_s);
}

fn gather(lanes: &mut Lanes, block: &Block, ready_s: f64) -> f64 {
    lanes.communicate(Collective::AllGather, &block.name, ready_s, block.param_bytes)
}

fn tensor_parallel(lanes: &mut Lanes, job: &Job) {
    let n = lanes.setting.ranks.max(1) as f64;
    let share = |block: &Block| 1.0 - block.feed_forward + block.feed_forward / n;
    for block in &job.blocks {
        let done_s = lanes.compute(Activity::Forward, &block.name, 0.0, share(block) * block.forward_s);
        lanes.processor_s = lanes.communicate(Collective::AllReduce, &block.name, done_s, block.output_bytes);
    }
    for block in job.blocks.iter().rev() {
        let done_s = lanes.compute(Activity::Backward, &block.name, 0.0, share(block) * block.backward_s);
        lanes.processor_s = lanes.communicate(Collective::AllReduce, &block.name, done_s, block.output_bytes);
    }
    lanes.compute(Activity::Update, "own part", 0.0, job.update_s * params(job, n) / job.param_bytes().max(1.0));
}

/// Bytes of the parameters of one of `n` tensor-parallel ranks.
fn params(job: &Job, n: f64) -> f64 {
    job.blocks.iter().map(|block| block.param_bytes * (1.0 - block.feed_forward + block.feed_forward / n)).sum()
}

/// `job` is the work of one rank.
fn memory(job: &Job, strategy: Strategy, n: f64, bucket_bytes: f64) -> RankMemory {
    let all = job.param_bytes();
    let mut memory = RankMemory {
        parameters: all,
        gradients: all,
        moments: 2.0 * all,
        activations: job.activation_bytes,
        buffers: 0.0,
    };
    match strategy {
        Strategy::Naive | Strategy::Overlapped => (),
        Strategy::Flat => memory.buffers = if n > 1.0 { all } else { 0.0 },
        Strategy::Bucketed => memory.buffers = bucket_bytes.min(all),
        Strategy::Sharded => memory.moments = 2.0 * all / n,
        Strategy::Fsdp => {
            // The shard, the block in use and the block gathered in advance; gradients of one block before they are scattered.
            let pair = job.blocks.windows(2).map(|pair| pair[0].param_bytes + pair[1].param_bytes).fold(0.0, f64::max);
            let largest = job.blocks.iter().map(|block| block.param_bytes).fold(0.0, f64::max);
            let others = if n > 1.0 { (n - 1.0) / n } else { 0.0 };
            memory.parameters = all / n + others * pair;
            memory.gradients = all / n + others * largest;
            memory.moments = 2.0 * all / n;
        }
        Strategy::TensorParallel => {
            let own = params(job, n);
            (memory.parameters, memory.gradients, memory.moments) = (own, own, 2.0 * own);
        }
    }
    memory
}
