import { launch } from "./harness.mjs";
const b = await launch({gpu:false}); const p = await b.newPage({serviceWorkers:"block"});
try { await p.goto("http://localhost:8177/",{timeout:25000, waitUntil:"commit"}); await new Promise(r=>setTimeout(r,4000)); console.log(await p.evaluate(()=>document.querySelector("[role=alert]")?.innerText)); } catch(e){console.log(String(e))}
await b.close(); process.exit(0)
