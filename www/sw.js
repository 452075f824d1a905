// Keeps the page for times without a network. The build puts in the version and the files; a new version is another
// script, which the browser finds when it looks for one.
const VERSION = "BUILD";
const FILES = ["FILES"];
const CACHE = `glasshead ${VERSION}`;

self.addEventListener("install", (event) => {
  // All files or none. Those with hashes in their names the browser has just loaded; the page itself may be an older one.
  const request = (file) => new Request(file, { cache: file === "./" ? "no-cache" : "default" });
  const fetched = (cache) => cache.addAll(FILES.map(request));
  event.waitUntil(caches.open(CACHE).then(fetched).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const clean = async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith("glasshead ") && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
    for (const client of await self.clients.matchAll({ type: "window" })) client.postMessage({ version: VERSION });
  };
  event.waitUntil(clean());
});

// The page itself comes from the network where there is one, so nobody is left with an old one. All other files have the
// hash of their content in their names: what is kept is right.
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== self.location.origin) return;
  const page = request.mode === "navigate";
  const kept = () => caches.match(page ? "./" : request, { cacheName: CACHE });
  const answer = async () => {
    if (!page) {
      const response = await kept();
      if (response) return response;
    }
    try {
      const response = await fetch(request);
      // The vocabulary that only some want, and the like.
      if (response.ok && !page && /-[0-9a-f]{16}\.\w+$/.test(request.url)) {
        (await caches.open(CACHE)).put(request, response.clone());
      }
      return response;
    } catch (error) {
      const response = page && (await kept());
      if (response) return response;
      throw error;
    }
  };
  event.respondWith(answer());
});
