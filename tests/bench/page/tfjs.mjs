// The workload in TensorFlow.js on its WebGPU backend.

import { adapterName, perStep, submissions } from "./count.mjs";
import { batches, corrections, parameters, rotations } from "./workload.mjs";

function load(src) {
  return new Promise((done, failed) => {
    const script = Object.assign(document.createElement("script"), { src, onload: done });
    script.onerror = () => failed(new Error(`${src} cannot be loaded`));
    document.head.append(script);
  });
}

// The model's layers, defined once the library is loaded.
function layers(tf, [B, T, H, D]) {
  const norm = (x, gain) => tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-5))), gain);
  const rotate = (x, { cos, sin }) => {
    const [a, b] = tf.split(x, 2, -1);
    return tf.concat([tf.sub(tf.mul(a, cos), tf.mul(b, sin)), tf.add(tf.mul(a, sin), tf.mul(b, cos))], -1);
  };
  const block = (x, p, turns, masked) => {
    const parts = tf.split(tf.matMul(norm(x, p.norm1), p.qkv), 3, -1);
    const [q, k, v] = parts.map((part) => tf.transpose(tf.reshape(part, [B, T, H, D]), [0, 2, 1, 3]));
    const scores = tf.matMul(rotate(q, turns), rotate(k, turns), false, true);
    const weights = tf.softmax(tf.add(tf.mul(scores, 1 / Math.sqrt(D)), masked));
    const heads = tf.reshape(tf.transpose(tf.matMul(weights, v), [0, 2, 1, 3]), [B * T, H * D]);
    x = tf.add(x, tf.matMul(heads, p.output));
    const y = norm(x, p.norm2);
    const gate = tf.matMul(y, p.w1);
    return tf.add(x, tf.matMul(tf.mul(tf.mul(gate, tf.sigmoid(gate)), tf.matMul(y, p.w3)), p.w2));
  };
  return { norm, block };
}

// Updates parameters and moments in place.
function update(tf, rule, variables, grads, t, [correction1, correction2]) {
  tf.tidy(() => {
    // Added one by one: tf.addN binds all of them at once, which exceeds the limit of most devices and then computes nothing.
    const norm = tf.sqrt(Object.values(grads).map((g) => tf.sum(tf.square(g))).reduce((sum, part) => tf.add(sum, part)));
    const scale = tf.minimum(1, tf.div(rule.max_grad_norm, tf.add(norm, 1e-6)));
    for (const [name, { param, m, v }] of Object.entries(variables)) {
      const g = tf.mul(grads[name], scale);
      m.assign(tf.add(tf.mul(m, rule.beta1), tf.mul(g, 1 - rule.beta1)));
      v.assign(tf.add(tf.mul(v, rule.beta2), tf.mul(tf.square(g), 1 - rule.beta2)));
      const root = tf.add(tf.sqrt(tf.div(v, correction2)), rule.adam_eps);
      const step = tf.mul(tf.div(tf.div(m, correction1), root), rule.max_lr);
      const decay = param.rank > 1 ? 1 - rule.max_lr * rule.weight_decay : 1;
      param.assign(tf.sub(tf.mul(param, decay), step));
    }
  });
}

export async function train({ workload, warm, steps }) {
  await load("/peers/@tensorflow/tfjs/dist/tf.min.js");
  await load("/peers/@tensorflow/tfjs-backend-webgpu/dist/tf-backend-webgpu.min.js");
  const { tf } = globalThis;
  if (!(await tf.setBackend("webgpu"))) throw new Error("TensorFlow.js has no WebGPU here");
  await tf.ready();
  const { model, train: rule } = workload;
  const [B, T, H, V] = [rule.batch_size, model.context_length, model.n_heads, model.vocab_size];
  const { norm, block } = layers(tf, [B, T, H, model.d_model / H]);
  const variables = {};
  const variable = ({ shape, values }, name) => {
    const param = tf.variable(tf.tensor(values, shape), true, name);
    // The moments are not trainable variables: no gradients of them are needed.
    const moment = (of) => tf.variable(tf.zeros(shape), false, `${name}.${of}`);
    variables[name] = { param, m: moment("m"), v: moment("v") };
    return param;
  };
  const named = (of, name) =>
    of.shape ? variable(of, name) : Array.isArray(of) ? of.map((x, i) => named(x, `${name}.${i}`)) : Object.fromEntries(Object.entries(of).map(([key, x]) => [key, named(x, `${name}.${key}`)]));
  const p = named(parameters(workload), "model");
  const { shape, cos, sin } = rotations(workload);
  const turns = { cos: tf.tensor(cos, shape), sin: tf.tensor(sin, shape) };
  const masked = tf.tensor(Float32Array.from({ length: T * T }, (_, i) => (i % T > Math.floor(i / T) ? -1e9 : 0)), [T, T]);
  const lossOf = (ids, targets) => {
    let x = tf.gather(p.embedding, ids);
    for (const of of p.blocks) x = block(x, of, turns, masked);
    const logits = tf.logSoftmax(tf.matMul(norm(x, p.norm), p.head));
    return tf.mul(tf.sum(tf.mul(logits, tf.oneHot(targets, V))), -1 / (B * T));
  };
  const [losses, seconds, data] = [[], [], batches(workload, warm + steps)];
  let from = 0;
  for (let t = 1; t <= warm + steps; t++) {
    if (t === warm + 1) from = submissions.length;
    const began = performance.now();
    const [ids, targets] = [data[t - 1].ids, data[t - 1].targets].map((ids) => tf.tensor1d(ids, "int32"));
    const { value, grads } = tf.variableGrads(() => lossOf(ids, targets));
    update(tf, rule, variables, grads, t, corrections(workload, t));
    losses.push((await value.data())[0]);
    tf.dispose([ids, targets, value, grads]);
    seconds.push((performance.now() - began) / 1000);
  }
  return { adapter: await adapterName(), seconds, losses, ...perStep(from, steps) };
}
