// The workload in jax-js: one jitted function per step, with gradients by jax-js's own transformation.

import { blockUntilReady, defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { adapterName, perStep, submissions } from "./count.mjs";
import { batches, corrections, parameters, rotations } from "./workload.mjs";

// Arrays are reference-counted: every use but the last is `.ref`.
function norm(x, gain) {
  const inverse = np.reciprocal(np.sqrt(np.mean(np.square(x.ref), -1, { keepdims: true }).add(1e-5)));
  return x.mul(inverse).mul(gain);
}

function rotate(x, { cos, sin }) {
  const [a, b] = np.split(x, 2, -1);
  const first = a.ref.mul(cos.ref).sub(b.ref.mul(sin.ref));
  return np.concatenate([first, a.mul(sin).add(b.mul(cos))], -1);
}

function block(x, p, turns, [B, T, H, D]) {
  const [q, k, v] = np.split(np.matmul(norm(x.ref, p.norm1), p.qkv), 3, -1).map((part) => part.reshape([B, T, H, D]));
  const turned = [rotate(q, tree.ref(turns)), rotate(k, turns)];
  const heads = nn.dotProductAttention(...turned, v, { isCausal: true }).reshape([B * T, H * D]);
  x = x.add(np.matmul(heads, p.output));
  const y = norm(x.ref, p.norm2);
  return x.add(np.matmul(nn.silu(np.matmul(y.ref, p.w1)).mul(np.matmul(y, p.w3)), p.w2));
}

export async function train({ backend, workload, warm, steps }) {
  const devices = await init(backend);
  if (!devices.includes(backend)) throw new Error(`jax-js has no ${backend} here`);
  defaultDevice(backend);
  const { model, train: rule } = workload;
  const [B, T, H, V] = [rule.batch_size, model.context_length, model.n_heads, model.vocab_size];
  const sizes = [B, T, H, model.d_model / H];

  const lossOf = (p, ids, targets, turns) => {
    let x = np.matmul(nn.oneHot(ids, V), p.embedding);
    p.blocks.forEach((of, i) => {
      x = block(x, of, i + 1 < p.blocks.length ? tree.ref(turns) : turns, sizes);
    });
    const logits = np.matmul(norm(x, p.norm), p.head);
    return nn.logSoftmax(logits, -1).mul(nn.oneHot(targets, V)).sum().mul(-1 / (B * T));
  };

  const step = jit((p, m, v, ids, targets, turns, [correction1, correction2]) => {
    const [loss, grads] = valueAndGrad(lossOf)(tree.ref(p), ids, targets, turns);
    const squares = tree.leaves(tree.ref(grads)).map((g) => np.square(g).sum());
    const total = np.sqrt(squares.reduce((a, b) => a.add(b)));
    const scale = np.minimum(1, np.reciprocal(total.add(1e-6)).mul(rule.max_grad_norm));
    const parts = [p, m, v, grads].map((part) => tree.flatten(part));
    const shape = parts[0][1];
    const next = parts[0][0].map((param, i) => {
      const g = parts[3][0][i].mul(scale.ref);
      const m = parts[1][0][i].mul(rule.beta1).add(g.ref.mul(1 - rule.beta1));
      const v = parts[2][0][i].mul(rule.beta2).add(np.square(g).mul(1 - rule.beta2));
      const decay = param.ndim > 1 ? 1 - rule.max_lr * rule.weight_decay : 1;
      const root = np.sqrt(v.ref.div(correction2.ref)).add(rule.adam_eps);
      const update = m.ref.div(correction1.ref).div(root).mul(rule.max_lr);
      return [param.mul(decay).sub(update), m, v];
    });
    [scale, correction1, correction2].forEach((array) => array.dispose());
    return [...[0, 1, 2].map((i) => tree.unflatten(shape, next.map((of) => of[i]))), loss];
  });

  const array = ({ shape, values }) => np.array(values).reshape(shape);
  const each = (of, make) =>
    of.shape ? make(of) : Array.isArray(of) ? of.map((x) => each(x, make)) : Object.fromEntries(Object.entries(of).map(([name, x]) => [name, each(x, make)]));
  const first = parameters(workload);
  let [p, m, v] = [each(first, array), each(first, ({ shape }) => np.zeros(shape)), each(first, ({ shape }) => np.zeros(shape))];
  const { shape, cos, sin } = rotations(workload);
  const over = [1, shape[0], 1, shape[1]];
  const turns = { cos: np.array(cos).reshape(over), sin: np.array(sin).reshape(over) };
  const [losses, seconds, data] = [[], [], batches(workload, warm + steps)];
  let from = 0;
  for (let t = 1; t <= warm + steps; t++) {
    if (t === warm + 1) from = submissions.length;
    const began = performance.now();
    const factors = corrections(workload, t).map((factor) => np.array(factor));
    let loss;
    const [ids, targets] = [data[t - 1].ids, data[t - 1].targets].map((ids) => np.array(ids, { dtype: np.int32 }));
    [p, m, v, loss] = step(p, m, v, ids, targets, tree.ref(turns), factors);
    losses.push((await loss.data())[0]);
    await blockUntilReady(p);
    seconds.push((performance.now() - began) / 1000);
  }
  const adapter = backend === "webgpu" ? await adapterName() : `CPU, ${navigator.hardwareConcurrency} threads`;
  return { adapter, seconds, losses, ...perStep(from, steps) };
}
