// Starts the one wasm file, in the page and in its workers alike. The build puts in the two names.
import init from "./GLUE";

const isPage = typeof document !== "undefined";
// A worker gets the program compiled, in its first message.
const compiled = isPage ? undefined : await new Promise((resolve) => (self.onmessage = ({ data }) => resolve(data)));

init({ module_or_path: compiled ?? new URL("./WASM", import.meta.url) }).catch((error) => {
  const message = `The program could not be loaded (${error}). Reload the page; if that does not help, use a current browser.`;
  if (isPage) {
    document.getElementById("app").innerHTML = "<p class='boot' role='alert'></p>";
    document.querySelector(".boot").textContent = message;
  } else {
    postMessage([JSON.stringify({ type: "failed", run: 0, message })]);
  }
});
