// The benchmark's data, and initial weights for the programs that have none of their own. All programs train on one text of
// uniformly drawn letters, one token each, so that their losses are comparable whatever batches they draw.

export const LETTERS = " abcdefghijklmnopqrstuvwxyz";

const TEXT_LENGTH = 40_000;

// Pseudorandom numbers in 0 … 1 from a seed (mulberry32).
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function text() {
  const draw = random(1);
  return Array.from({ length: TEXT_LENGTH }, () => LETTERS[Math.floor(draw() * LETTERS.length)]).join("");
}

// A byte-level vocabulary of `size` tokens that merges no letters of the text: 256 bytes, and pairs of capitals.
export function tokenizerJson(size) {
  const isPlain = (byte) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 0x100;
  const characters = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPlain(byte) ? byte : next++));
  const capitals = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
  const merges = capitals.flatMap((a) => capitals.map((b) => [a, b])).slice(0, size - 256);
  const vocab = Object.fromEntries([...characters, ...merges.map(([a, b]) => a + b)].map((token, id) => [token, id]));
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return JSON.stringify({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: { type: "BPE", vocab, merges, byte_fallback: false, ignore_merges: false },
  });
}

// Batches for programs without a sampler: ids and targets, (B, T) each.
export function batches({ model, train }, n) {
  const tokens = Int32Array.from(text(), (letter) => letter.charCodeAt(0));
  const draw = random(2);
  const [B, T] = [train.batch_size, model.context_length];
  return Array.from({ length: n }, () => {
    const [ids, targets] = [new Int32Array(B * T), new Int32Array(B * T)];
    for (let row = 0; row < B; row++) {
      const start = Math.floor(draw() * (tokens.length - T));
      ids.set(tokens.subarray(start, start + T), row * T);
      targets.set(tokens.subarray(start + 1, start + T + 1), row * T);
    }
    return { ids, targets };
  });
}

// Every parameter by name: shape (rows are inputs) and initial values. Matrices have the variance 2 / (in + out), truncated at
// three standard deviations; gains are 1.
export function parameters({ model }) {
  const { vocab_size: V, d_model: C, d_ff: F, n_layers: L } = model;
  const draw = random(3);
  const normal = () => {
    const x = Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
    return Math.abs(x) < 3 ? x : normal();
  };
  const filled = (shape, value) => ({ shape, values: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, value) });
  const linear = (rows, cols) => filled([rows, cols], () => normal() * Math.sqrt(2 / (rows + cols)));
  const gain = () => filled([C], () => 1);
  const three = (columns) => {
    // Three matrices next to each other, each with the variance for its own size.
    const parts = [0, 1, 2].map(() => linear(C, columns).values);
    const values = new Float32Array(C * 3 * columns);
    parts.forEach((part, i) => {
      for (let row = 0; row < C; row++) {
        values.set(part.subarray(row * columns, (row + 1) * columns), (row * 3 + i) * columns);
      }
    });
    return { shape: [C, 3 * columns], values };
  };
  const block = () => ({
    norm1: gain(),
    qkv: three(C),
    output: linear(C, C),
    norm2: gain(),
    w1: linear(C, F),
    w3: linear(C, F),
    w2: linear(F, C),
  });
  return {
    embedding: filled([V, C], normal),
    blocks: Array.from({ length: L }, block),
    norm: gain(),
    head: linear(C, V),
  };
}

// cos and sin, (T, D/2) each: the two halves of a head are rotated against each other.
export function rotations({ model }) {
  const [T, D] = [model.context_length, model.d_model / model.n_heads];
  const angle = (i) => Math.floor(i / (D / 2)) * model.rope_theta ** (((i % (D / 2)) * -2) / D);
  const table = (of) => Float32Array.from({ length: (T * D) / 2 }, (_, i) => of(angle(i)));
  return { shape: [T, D / 2], cos: table(Math.cos), sin: table(Math.sin) };
}

// AdamW's bias corrections at step t, counted from 1.
export function corrections({ train }, t) {
  return [1 - train.beta1 ** t, 1 - train.beta2 ** t];
}
