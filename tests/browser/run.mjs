// Runs the browser tests: those that measure time or memory one after the other, with nothing beside them, and the others
// two at a time. File names as arguments choose some of them.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

/** What these measure depends on what else the machine does. */
const ALONE = ["attention", "faults", "hidden", "profile", "soak", "training", "workers"];

const all = process.argv.length > 2 ? process.argv.slice(2) : readdirSync(".").filter((name) => name.endsWith(".test.mjs"));
const isAlone = (file) => ALONE.some((name) => file.endsWith(`${name}.test.mjs`));

function run(files, concurrency) {
  if (files.length === 0) return true;
  const { status } = spawnSync("node", ["--test", `--test-concurrency=${concurrency}`, ...files], { stdio: "inherit" });
  return status === 0;
}

const passed = [run(all.filter((file) => !isAlone(file)), 2), run(all.filter(isAlone), 1)];
process.exitCode = passed.every(Boolean) ? 0 : 1;
