//! Alignment: entropies and log-probabilities of tokens, masked reductions, advantages, orthogonalization.

use super::Server;
use super::answer::Answer;
use super::job::Job;
use super::request::{Floats, OpError, Request, broadcast, elements, wrong};
use crate::align::{Advantages, Baseline, EPS, Normalizer, masked_mean as mean_of, masked_sum};
use crate::ops::cross_entropy::{self as loss, token_entropy};
use crate::ops::newton_schulz::{self as orthogonal, Buffers};

/// The maximum of `steps` in `newton_schulz`.
const MAX_ITERATIONS: u64 = 100;

pub(super) fn doubles(tensor: &Floats) -> Vec<f64> {
    tensor.values.iter().map(|&value| f64::from(value)).collect()
}

/// An F32 tensor with this name and shape.
pub(super) fn doubles_of(request: &Request<'_>, name: &str, shape: &[usize]) -> Result<Vec<f64>, OpError> {
    let tensor = request.floats(name)?;
    tensor.expect(shape)?;
    Ok(doubles(&tensor))
}

/// A BOOL tensor, broadcast to a shape.
pub(super) fn flags(request: &Request<'_>, name: &str, shape: &[usize]) -> Result<Vec<bool>, OpError> {
    let (flags, flags_shape) = request.flags(name)?;
    Ok(broadcast(name, &flags, &flags_shape, shape)?.into_iter().map(|flag| flag == 1).collect())
}

pub(super) fn answer(name: &str, shape: &[usize], values: &[f64]) -> Answer {
    Answer::default().and_doubles(name, shape, values)
}

/// Losses and entropies of all rows of logits.
fn rows_of_logits(
    server: &Server<'_>,
    logits: &Floats,
    labels: Vec<u32>,
    vocab_size: usize,
) -> Result<[Vec<f32>; 2], OpError> {
    let n_rows = labels.len();
    let mut job = Job::new();
    let (logits, labels) = (job.input(&logits.values), job.words(labels));
    let (losses, entropies) = (job.output(n_rows), job.output(n_rows));
    token_entropy(&mut job.recording, [logits, labels, losses, entropies], loss::Params::new(n_rows, vocab_size));
    let mut results = job.run(server, &[losses, entropies])?.into_iter();
    Ok([results.next().unwrap_or_default(), results.next().unwrap_or_default()])
}

/// The entropy of softmax(x) over the last dimension, in nats.
pub(super) fn entropy(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let x = request.floats("x")?;
    let (n_rows, [vocab_size]) = x.last("[…, V]")?;
    let [_, entropies] = rows_of_logits(server, &x, vec![0; n_rows], vocab_size)?;
    Ok(Answer::floats("out", &x.shape[..x.shape.len() - 1], &entropies))
}

/// The log-probability of every label, and the entropy of its distribution.
pub(super) fn token_log_probs(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let (x, labels) = (request.floats("x")?, request.ints("labels")?);
    let [b, t, vocab_size] = x.dims("[B, T, V]")?;
    labels.expect(&[b, t])?;
    let [losses, entropies] = rows_of_logits(server, &x, labels.below(vocab_size)?, vocab_size)?;
    let log_probs: Vec<f32> = losses.iter().map(|loss| -loss).collect();
    Ok(Answer::floats("log_probs", &[b, t], &log_probs).and("token_entropy", &[b, t], &entropies))
}

/// A tensor with its mask, seen as (outer, size, inner) around the reduced dimension, and the shape of the result.
struct Masked {
    values: Vec<f64>,
    mask: Vec<bool>,
    dims: [usize; 3],
    shape: Vec<usize>,
}

impl Masked {
    fn read(request: &Request<'_>) -> Result<Self, OpError> {
        let x = request.floats("x")?;
        let mask = flags(request, "m", &x.shape)?;
        let (values, n) = (doubles(&x), x.shape.len() as i64);
        if request.arg("dim").is_null() {
            return Ok(Self { dims: [1, values.len(), 1], values, mask, shape: Vec::new() });
        }
        let dim = request.int("dim")?;
        if !(-n..n).contains(&dim) {
            let expected = format!("null, or from {} to {} for x of shape {:?}", -n, n - 1, x.shape);
            return wrong("argument dim", dim.to_string(), expected);
        }
        let axis = dim.rem_euclid(n) as usize;
        let [outer, inner] = [&x.shape[..axis], &x.shape[axis + 1..]].map(|sizes| sizes.iter().product());
        let shape = [&x.shape[..axis], &x.shape[axis + 1..]].concat();
        Ok(Self { dims: [outer, x.shape[axis], inner], values, mask, shape })
    }
}

/// The mean of the elements that count, along one dimension or over all; NaN where none counts.
pub(super) fn masked_mean(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let Masked { values, mask, dims, shape } = Masked::read(request)?;
    Ok(answer("out", &shape, &mean_of(&values, &mask, dims)?))
}

/// The sum of the elements that count, divided by `c`.
pub(super) fn masked_normalize(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let Masked { values, mask, dims, shape } = Masked::read(request)?;
    let c = divisor(request)?;
    let sums: Vec<f64> = masked_sum(&values, &mask, dims)?.into_iter().map(|sum| sum / c).collect();
    Ok(answer("out", &shape, &sums))
}

/// The argument `c`, by default 1.
pub(super) fn divisor(request: &Request<'_>) -> Result<f64, OpError> {
    optional(request, "c", 1.0, "a number other than 0", |c| c != 0.0)
}

pub(super) fn optional(
    request: &Request<'_>,
    name: &str,
    default: f64,
    expected: &str,
    ok: impl Fn(f64) -> bool,
) -> Result<f64, OpError> {
    if request.arg(name).is_null() { Ok(default) } else { request.number(name, expected, ok) }
}

/// The argument `name`: one of the names in `table`.
pub(super) fn choice<T: Copy>(request: &Request<'_>, name: &str, table: &[(&str, T)]) -> Result<T, OpError> {
    let found = request.text(name)?;
    let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
    let value = table.iter().find(|(name, _)| *name == found).map(|(_, value)| *value);
    value.map_or_else(|| wrong(format!("argument {name}"), format!("{found:?}"), names.join(", ")), Ok)
}

pub(super) const BASELINES: [(&str, Baseline); 2] = [("mean", Baseline::Mean), ("none", Baseline::None)];
pub(super) const NORMALIZERS: [(&str, Normalizer); 3] =
    [("std", Normalizer::Std), ("mean", Normalizer::Mean), ("none", Normalizer::None)];

pub(super) fn eps(request: &Request<'_>) -> Result<f64, OpError> {
    optional(request, "eps", EPS, "a number from 0 on", |eps| eps >= 0.0)
}

fn advantages_of(request: &Request<'_>, name: &str, settings: Advantages) -> Result<Answer, OpError> {
    let r = request.floats(name)?;
    let [n] = r.dims("[N]")?;
    Ok(answer("out", &[n], &settings.compute(&doubles(&r), request.size("g")?)?))
}

/// Rewards minus the mean of their group, divided by its standard deviation if `std`.
pub(super) fn group_norm(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let normalizer = if request.flag("std")? { Normalizer::Std } else { Normalizer::None };
    advantages_of(request, "r", Advantages { baseline: Baseline::Mean, normalizer, eps: eps(request)? })
}

/// Advantages with any baseline and normalizer.
pub(super) fn advantages(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let baseline = choice(request, "baseline", &BASELINES)?;
    let normalizer = choice(request, "normalizer", &NORMALIZERS)?;
    advantages_of(request, "r", Advantages { baseline, normalizer, eps: eps(request)? })
}

/// Muon's orthogonalization of a matrix.
pub(super) fn newton_schulz(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let x = request.floats("x")?;
    let [m, n] = x.dims("[m, n]")?;
    let iterations = request.count("steps")?;
    if iterations > MAX_ITERATIONS {
        return wrong("argument steps", iterations.to_string(), format!("at most {MAX_ITERATIONS}"));
    }
    let (len, side) = (m * n, m.min(n));
    elements("a Gram matrix", &[side, side])?;
    let mut job = Job::new();
    let steps = orthogonal::steps().map(|step| job.words(bytemuck::cast_slice(&[step]).to_vec()));
    let (g, gain, inv_rms) = (job.input(&x.values), job.input(&vec![orthogonal::gain(len); len]), job.output(1));
    let (matrices, squares) = ([(); 3].map(|()| job.output(len)), [(); 3].map(|()| job.output(side * side)));
    let buffers = Buffers { steps, gain, inv_rms, x: matrices, squares };
    let out = orthogonal::newton_schulz(&mut job.recording, g, [m, n], iterations as u32, &buffers);
    let results = job.run(server, &[out])?;
    Ok(Answer::floats("out", &[m, n], &results[0]))
}
