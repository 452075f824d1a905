// The page's worker, with its use of WebGPU counted. A channel tells the counts, because messages belong to the program.

import { submissions } from "./count.mjs";

const channel = new BroadcastChannel("submissions");
channel.onmessage = ({ data }) => data === "tell" && channel.postMessage(submissions);

// The program wants to get itself compiled, and says so to nobody: this looks whether it listens already.
const started = import(new URL(location.href).searchParams.get("boot"));
while (!globalThis.onmessage) await new Promise((resolve) => setTimeout(resolve, 1));
postMessage([JSON.stringify({ type: "waiting" })]);
await started;
