// Time until the page can train in Chromium, for a first and a second visit, with the CPU time of all of the browser's processes
// until then, as one JSON object. A busy machine makes the times longer, but not the CPU time.
//
//   node tests/bench/startup.mjs [--rounds N] [--address QUERY]
//
// `cargo xtask bench --browser` builds the page and runs this script.

import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { launchProfile, serve, waitForState } from "../browser/harness.mjs";

const TICKS_PER_SECOND = 100; // USER_HZ

// CPU seconds of the processes that this one has started, without those of the file server: all, and those that run the GPU.
async function cpuSeconds(server) {
  const parents = new Map();
  const ticks = new Map();
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number)) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
    if (!stat) continue;
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    parents.set(pid, Number(fields[1]));
    // Own time, and that of children that have ended.
    ticks.set(pid, fields.slice(11, 15).map(Number).reduce((sum, n) => sum + n, 0));
  }
  const isOurs = (pid) => {
    for (let at = parents.get(pid); at; at = parents.get(at)) if (at === process.pid) return pid !== server;
    return false;
  };
  const sums = { all: 0, gpu: 0 };
  for (const [pid, n] of [...ticks].filter(([pid]) => isOurs(pid))) {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    sums.all += n / TICKS_PER_SECOND;
    if (command.includes("--type=gpu-process")) sums.gpu += n / TICKS_PER_SECOND;
  }
  return sums;
}

// One visit, in a browser that has just started: milliseconds since the navigation until the maps, until training is possible,
// and until the first step after the click.
async function visit(profile, address, server) {
  const context = await launchProfile(profile);
  try {
    const page = context.pages()[0] ?? (await context.newPage());
    const idle = await cpuSeconds(server);
    const began = performance.now();
    const since = () => Math.round(performance.now() - began);
    await page.goto(address);
    await page.waitForFunction(() => document.querySelector('[data-testid="head-map"] canvas'), null, { timeout: 240_000 });
    const maps_ms = since();
    await waitForState(page, "ready", 240_000);
    const trainable_ms = since();
    const used = await cpuSeconds(server);
    const [cpu_s, gpu_process_cpu_s] = ["all", "gpu"].map((key) => Number((used[key] - idle[key]).toFixed(2)));
    const of = await Promise.all(page.workers().map((worker) => worker.evaluate(() => self.glassheadPipelineCounts?.created ?? 0)));
    const clicked = performance.now();
    await page.click('[data-testid="train"]');
    const step = () => Number.parseFloat(document.querySelector('[data-testid="step-count"]').textContent) >= 1;
    await page.waitForFunction(step, null, { timeout: 240_000 });
    return { maps_ms, trainable_ms, cpu_s, gpu_process_cpu_s, pipelines: Math.max(...of, 0), first_step_ms: Math.round(performance.now() - clicked) };
  } finally {
    await context.close();
  }
}

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "1" }, address: { type: "string", default: "" } },
});
const server = await serve();
try {
  for (let round = 0; round < Number.parseInt(options.rounds, 10); round += 1) {
    const profile = await mkdtemp(join(tmpdir(), "glasshead-startup-"));
    try {
      for (const which of ["first", "second"]) {
        const result = await visit(profile, server.address + options.address, server.pid);
        console.log(JSON.stringify({ program: "glasshead-startup", visit: which, ...result }));
      }
    } finally {
      await rm(profile, { recursive: true, force: true });
    }
  }
} finally {
  server.stop();
}
