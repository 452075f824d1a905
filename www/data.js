// The worker of the data view: the filters are a wasm module of their own. The build inserts file names.
import init, { Filters } from "./FILTER_GLUE";

const waiting = [];
let filters;
let awake = false;
self.onmessage = ({ data }) => {
  waiting.push(data);
  run();
};

// A message channel, unlike a timer, lets messages in between units of work without a delay of its own.
const { port1, port2 } = new MessageChannel();
let resume;
port1.onmessage = () => resume();
const pause = () =>
  new Promise((resolve) => {
    resume = resolve;
    port2.postMessage(0);
  });

async function run() {
  if (!filters || awake) return;
  awake = true;
  for (let more = true; more || waiting.length > 0; ) {
    while (waiting.length > 0) {
      const [request, ...files] = waiting.shift();
      filters.handle(request, files);
      send();
    }
    const until = performance.now() + 30;
    do more = filters.work();
    while (more && performance.now() < until);
    send();
    await pause();
  }
  awake = false;
}

function send() {
  for (const message of filters.replies()) postMessage(message, message.slice(1).map((bytes) => bytes.buffer));
}

await init({ module_or_path: new URL("./FILTER_WASM", import.meta.url) });
filters = new Filters(() => performance.now());
run();
