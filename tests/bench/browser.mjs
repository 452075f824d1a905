// Trains the reference workload in Chromium, through the page's worker, and prints one JSON object per program; with --peers
// also in jax-js and TensorFlow.js, alternating, each in a fresh browser, followed by a table.
//
//   node tests/bench/browser.mjs [--peers] [--only NAME,NAME] [--steps N]
//
// `cargo xtask bench --browser` and `cargo xtask bench --peers` build the page, install the peers and run this script.

import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { parseArgs } from "node:util";
import { launch, required } from "../browser/harness.mjs";

const HERE = import.meta.dirname;

// The page that measures each program; `backend` is the program's own name for it. TensorFlow.js needs half a minute per step.
const PROGRAMS = [
  { name: "glasshead-webgpu", module: "ours", backend: "gpu" },
  { name: "jax-js-webgpu", module: "jax", backend: "webgpu", peer: true },
  { name: "tfjs-webgpu", module: "tfjs", backend: "webgpu", peer: true, warm: 1, steps: 1 },
  { name: "glasshead-cpu", module: "ours", backend: "cpu" },
  { name: "jax-js-wasm", module: "jax", backend: "wasm", peer: true },
];

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };

// Shared memory, which jax-js needs for its threads, is only available in cross-origin isolated pages.
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

const PAGE = `<!doctype html><meta charset="utf-8"><title>bench</title><link rel="icon" href="data:,">
<script type="importmap">{"imports": {"@jax-js/jax": "/peers/@jax-js/jax/dist/index.js"}}</script>`;

// Serves the built page under /dist/, the peers under /peers/ and the benchmark scripts under /bench/.
async function serve(folders) {
  const server = createServer(async (request, response) => {
    const [, first, ...rest] = new URL(request.url, "http://localhost").pathname.split("/");
    if (!first) return response.writeHead(200, { "Content-Type": "text/html", ...ISOLATED }).end(PAGE);
    const path = join(folders[first] ?? "", normalize(`/${rest.join("/")}`));
    const found = folders[first] && (await stat(path).catch(() => null))?.isFile();
    if (!found) return response.writeHead(404).end();
    const type = TYPES[extname(path)] ?? "application/octet-stream";
    response.writeHead(200, { "Content-Type": type, ...ISOLATED });
    createReadStream(path).pipe(response);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { address: `http://localhost:${server.address().port}/`, stop: () => server.close() };
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function measure(program, address, job) {
  const browser = await launch({ gpu: true });
  try {
    const page = await browser.newPage();
    await page.goto(address);
    const result = await page.evaluate(
      async (job) => (await import(`/bench/${job.module}.mjs`)).train(job),
      { ...job, ...program, steps: Math.min(job.steps, program.steps ?? job.steps) },
    );
    const { model, train } = job.workload;
    // On the CPU, the last step is already complete when the time of the second-last one ends, so its time would be 0.
    const timed = result.seconds.slice(program.warm ?? job.warm).filter((seconds) => seconds > 0.001);
    const runs = timed.map((seconds) => (train.batch_size * model.context_length) / seconds);
    return {
      program: program.name,
      adapter: result.adapter,
      backend: program.backend,
      tokens_per_s: median(runs),
      tokens_per_s_runs: runs,
      dispatches_per_step: result.dispatches_per_step,
      submits_per_step: result.submits_per_step,
      gflops: (median(runs) * job.flopsPerToken) / 1e9,
      loss_first: result.losses[0],
      loss_last: result.losses.at(-1),
      losses: result.losses,
      chromium: browser.version(),
    };
  } finally {
    await browser.close();
  }
}

// Operations of a step's matmuls per token: forward once, backward twice as many.
function flopsPerToken({ vocab_size: V, context_length: T, d_model: C, n_layers: L, d_ff: F }) {
  return 3 * (L * (2 * 4 * C * C + 4 * T * C + 2 * 3 * C * F) + 2 * V * C);
}

// Programs that train on the same text must reach the same losses, apart from their random numbers.
function disagreement(results) {
  const [ours] = results.filter(({ program }) => program.startsWith("glasshead"));
  for (const { program, losses } of ours ? results : []) {
    const last = Math.min(losses.length, ours.losses.length) - 1;
    for (const step of [0, last]) {
      const [a, b] = [losses[step], ours.losses[step]];
      if (!(Math.abs(a - b) < 0.04 * b)) return `${program} has loss ${a} at step ${step + 1}, ${ours.program} ${b}`;
    }
  }
  return null;
}

function table(results) {
  const speed = (name) => results.find(({ program }) => program === name)?.tokens_per_s;
  const header = ["program", "adapter", "tokens/s", "dispatches", "submits", "first loss", "last loss", "ours / theirs"];
  const rows = results.map((result) => {
    const ours = speed(result.backend === "wasm" || result.backend === "cpu" ? "glasshead-cpu" : "glasshead-webgpu");
    const ratio = ours ? (ours / result.tokens_per_s).toFixed(2) : "";
    const counts = [result.dispatches_per_step, result.submits_per_step].map((n) => n.toFixed(0));
    const losses = [result.loss_first, result.loss_last].map((loss) => loss.toFixed(3));
    return [result.program, result.adapter, result.tokens_per_s.toFixed(0), ...counts, ...losses, ratio];
  });
  const lines = [header, header.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`);
  return lines.join("\n");
}

const { values: options } = parseArgs({
  options: { peers: { type: "boolean" }, only: { type: "string" }, steps: { type: "string", default: "5" } },
});
const [steps, only] = [Number.parseInt(options.steps, 10), options.only?.split(",")];
const unknown = only?.filter((name) => !PROGRAMS.some((program) => program.name === name)) ?? [];
if (!(steps > 0) || unknown.length > 0) {
  console.error(`--steps takes a number from 1, --only some of ${PROGRAMS.map(({ name }) => name).join(", ")}`);
  process.exit(1);
}
const chosen = PROGRAMS.filter(({ name, peer }) => (only ? only.includes(name) : options.peers || !peer));
const workload = JSON.parse(await readFile(join(HERE, "workload.json"), "utf8"));
const dist = required("GLASSHEAD_DIST");
const files = await readdir(dist);
const [boot, wasm] = [/^boot-.*\.js$/, /\.wasm$/].map((pattern) => files.find((name) => pattern.test(name)));
const peers = chosen.some(({ peer }) => peer) ? required("GLASSHEAD_PEERS") : undefined;
const server = await serve({ dist, bench: join(HERE, "page"), peers });
const job = { workload, boot: `/dist/${boot}`, wasm: `/dist/${wasm}`, warm: 2, steps, flopsPerToken: flopsPerToken(workload.model) };
const results = [];
try {
  for (const program of chosen) {
    const result = await measure(program, server.address, job);
    console.log(JSON.stringify(result));
    results.push(result);
  }
} finally {
  server.stop();
}
if (options.peers) console.log(table(results));
const wrong = disagreement(results);
if (wrong) {
  console.error(`the programs do not learn the same: ${wrong}`);
  process.exitCode = 1;
}
