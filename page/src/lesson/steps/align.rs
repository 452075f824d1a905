//! Alignment: learning from responses and from rewards.

use super::{Control, Picture, Step, row_of};
use glasshead::types::lesson::Exercise;

/// The loss of the response alone.
pub const RESPONSE_MASK: Step = Step {
    name: "response-mask",
    title: "The response mask: learn the answer, not the question",
    text: "In fine-tuning, the prompt is given and only the response has to be learned. A mask m marks the labels that \
           belong to the response; every other token gets the coefficient 0, so its row of the gradient is 0. The loss is \
           the mean over the tokens that count. The label at a position is the token after it, so the mask begins one \
           position before the response.",
    equation: "c_t = m_t / \\sum m , L = \\sum_t c_t L_t , \\frac{∂ L}{∂ z_t} = c_t (p_t - y_t)",
    control: Control::Slider { label: "tokens of the prompt", range: [1.0, 5.0, 1.0], base: None, first: 4.0 },
    picture: Picture::Matrices,
    try_this: "With a prompt of one token this is ordinary pretraining: every label counts.",
    question: "How long is the prompt when a single row of the gradient is left?",
    numpy: "m = np.arange(1, 6) >= prompt_len\nc = m / m.sum()\nloss = (c * each).sum()\ngrad = c[:, None] * (p - np.eye(6)[target])",
    sources: "Loss on the response alone: “Training language models to follow instructions with human feedback”, Ouyang et \
              al. 2022 (arXiv 2203.02155); the mask as CS336, assignment 5, has it. The kernel is the one that fine-tunes models.",
    exercise: |state| Exercise::ResponseMask { seed: state.seed, prompt_len: state.control() as usize },
    reached: |_, sheet| row_of(sheet, "m").iter().sum::<f32>() == 1.0,
};

/// One policy-gradient step on one token.
pub const POLICY_STEP: Step = Step {
    name: "policy-step",
    title: "One policy-gradient step: from a reward to a new probability",
    text: "The model drew “step”, and a judge graded it with a reward r. Three other responses to the same prompt got 0, 1 \
           and 0.5. The advantage A says how much better this one is than the mean of its group, in standard deviations. \
           A is the coefficient of the token's gradient: a positive one pulls the token's logit up and pushes the others \
           down, a negative one does the opposite. Here a single step with a learning rate of 1 is taken.",
    equation: "A = \\frac{r - μ}{s + ε} , \\frac{∂ L}{∂ z} = A (p - y) , z_{new} = z - lr \\frac{∂ L}{∂ z}",
    control: Control::Slider { label: "reward of this response", range: [-1.0, 2.0, 0.1], base: None, first: 1.0 },
    picture: Picture::Matrices,
    try_this: "Follow the four lines from left to right; hover a number to see how it was computed.",
    question: "Find a reward at which the probability of “step” stays as it is.",
    numpy: "A = (r - r.mean()) / (r.std(ddof=1) + 1e-6)\ngrad = A[0] * (softmax(z) - np.eye(5)[0])\np_new = softmax(z - 1.0 * grad)",
    sources: "REINFORCE: Williams 1992; advantages of a group: “DeepSeekMath”, Shao et al. 2024 (arXiv 2402.03300). Advantage, \
              gradient and update are computed by the functions and kernels that train models.",
    exercise: |state| Exercise::PolicyStep { reward: state.control() as f32 },
    reached: |_, sheet| match (row_of(sheet, "p").first(), row_of(sheet, "p_{new}").first()) {
        (Some(before), Some(after)) => (before - after).abs() < 1e-6,
        _ => false,
    },
};

/// A group with equal rewards.
pub const EQUAL_REWARDS: Step = Step {
    name: "equal-rewards",
    title: "Equal rewards: a group that teaches nothing",
    text: "Eight responses to one prompt, each a single token; “step” is right and gets 1, all others get 0. An advantage \
           compares a response with its group. If all eight get the same reward, every advantage is 0, and so is the \
           gradient. With a success rate p, a group of G responses is mixed with probability 1 − p^G − (1 − p)^G: 34 % of \
           the groups for p = 0.05 and G = 8, so most of that work is lost.",
    equation: "A_i = \\frac{r_i - μ}{s + ε} , g_i = A_i (p - y_i) , \\frac{∂ L}{∂ z} = \\sum_i g_i",
    control: Control::Slider { label: "right responses of 8", range: [0.0, 8.0, 1.0], base: None, first: 1.0 },
    picture: Picture::Matrices,
    try_this: "Compare one right response with seven: the rare kind gets the larger advantage.",
    question: "Every response can be right and still nothing is learned. Find that group.",
    numpy: "A = (r - r.mean()) / (r.std(ddof=1) + 1e-6)\ng = A[:, None] * (p - np.eye(5)[drawn])\ntotal = g.sum(axis=0)",
    sources: "Groups without signal and how to sample around them: “DAPO”, Yu et al. 2025 (arXiv 2503.14476). While a model is \
              aligned, the share of such groups is reported.",
    exercise: |state| Exercise::EqualRewards { right: state.control() as usize },
    reached: |_, sheet| {
        let (rewards, total) = (row_of(sheet, "r"), row_of(sheet, "\\sum g"));
        !rewards.is_empty() && rewards.iter().all(|&reward| reward == 1.0) && total.iter().all(|&sum| sum == 0.0)
    },
};
