// The page's worker, with its WebGPU calls counted. A channel reports the counts, because messages belong to the program.

import { submissions } from "./count.mjs";

const channel = new BroadcastChannel("submissions");
channel.onmessage = ({ data }) => data === "tell" && channel.postMessage(submissions);

// The program waits for its compiled module without announcing it, so this polls until it listens.
const started = import(new URL(location.href).searchParams.get("boot"));
while (!globalThis.onmessage) await new Promise((resolve) => setTimeout(resolve, 1));
postMessage([JSON.stringify({ type: "waiting" })]);
await started;
