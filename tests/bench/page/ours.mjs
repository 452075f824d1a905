// Trains in the page's own worker, through its own protocol.

import { text, tokenizerJson } from "./workload.mjs";

// Starts a worker; its events are returned in order.
function start(boot) {
  const worker = new Worker(`/bench/worker.mjs?boot=${encodeURIComponent(boot)}`, { type: "module" });
  const [events, waiting] = [[], []];
  worker.onerror = (error) => worker.onmessage({ data: [JSON.stringify({ type: "failed", message: error.message })] });
  worker.onmessage = ({ data }) => {
    events.push({ at: performance.now(), ...JSON.parse(data[0]) });
    waiting.splice(0).forEach((wake) => wake());
  };
  const send = (command, bytes) => worker.postMessage(bytes ? [JSON.stringify(command), bytes] : [JSON.stringify(command)]);
  const until = async (wanted) => {
    for (let next = 0; ; ) {
      for (; next < events.length; next++) {
        const event = events[next];
        if (["failed", "diverged"].includes(event.type)) throw new Error(event.message);
        if (wanted(event)) return event;
      }
      await new Promise((wake) => waiting.push(wake));
    }
  };
  return { worker, events, send, until };
}

// The submissions of the worker's program so far.
function submissions() {
  const channel = new BroadcastChannel("submissions");
  return new Promise((done) => {
    channel.onmessage = ({ data }) => {
      channel.close();
      done(data);
    };
    channel.postMessage("tell");
  });
}

export async function train({ boot, wasm, backend, workload, warm, steps }) {
  const { worker, events, send, until } = start(boot);
  const module = WebAssembly.compileStreaming(fetch(wasm));
  await until(({ type }) => type === "waiting");
  worker.postMessage(await module);
  await until(({ type }) => type === "listening");
  const bytes = (string) => new TextEncoder().encode(string);
  const corpus = bytes(text());
  send({ type: "load_files", files: [{ name: "letters.txt", size: corpus.length }] }, corpus);
  send({ type: "load_vocabulary", name: "letters" }, bytes(tokenizerJson(workload.model.vocab_size)));
  // Held-out losses only at the end, so that only training is measured.
  const rules = { stop_steps: warm + steps, evaluate_every: 1_000_000 };
  send({ type: "runs", command: { rules } });
  const run = 1;
  send({ type: "start", run, config: workload, corpus: "file", vocabulary: "loaded", backend, probe: "some words" });
  const { device } = await until(({ type }) => type === "device");
  await until(({ type }) => type === "ready");
  const before = (await submissions()).length;
  send({ type: "train" });
  const began = await until(({ type, on }) => type === "training" && on);
  const ended = await until(({ type, on, at }) => type === "training" && !on && at > began.at);
  const seen = (await submissions()).slice(before);
  worker.terminate();
  const points = events.flatMap((event) => (event.type === "progress" ? event.points : []));
  // The submissions with the most dispatches are steps; those without any copy results. The others compute maps.
  const most = Math.max(0, ...seen);
  const whole = most > 0 ? seen.filter((n) => n === most) : [];
  const copies = seen.filter((n) => n === 0);
  return {
    adapter: device.name,
    seconds: points.map(({ seconds }, i) => seconds - (points[i - 1]?.seconds ?? 0)),
    losses: points.map(({ loss }) => loss),
    dispatches_per_step: (whole.length * most) / points.length,
    submits_per_step: (whole.length + copies.length) / points.length,
    wall_seconds: (ended.at - began.at) / 1000,
  };
}
