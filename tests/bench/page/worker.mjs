// The page's worker, with its use of WebGPU counted. A channel tells the counts, because messages belong to the program.

import { submissions } from "./count.mjs";

const channel = new BroadcastChannel("submissions");
channel.onmessage = ({ data }) => data === "tell" && channel.postMessage(submissions);

await import(new URL(location.href).searchParams.get("boot"));
