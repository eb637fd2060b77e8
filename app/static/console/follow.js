// A page whose work goes on in the background follows it, part by part, until that is over.
import { write } from "./write.js";

const EVERY = 2_000;
const fresh = document.getElementById("fresh");
let tag = null;

function show(text) {
  const next = new DOMParser().parseFromString(text, "text/html");
  for (const now of document.querySelectorAll("[data-part]")) {
    const then = next.getElementById(now.id);
    if (!then) continue;
    now.toggleAttribute("data-follow", then.hasAttribute("data-follow"));
    write(then);
    if (now.innerHTML === then.innerHTML) continue;
    const focused = now.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    now.replaceChildren(...then.childNodes);
    if (focused) now.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }
  return Boolean(next.querySelector("[data-follow]"));
}

async function look() {
  let goes = true;
  try {
    const answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    if (answer.status === 200) {
      tag = answer.headers.get("ETag");
      goes = show(await answer.text());
    }
    fresh.textContent = goes ? "This page follows what goes on." : "";
  } catch {
    fresh.textContent = "▲ The service does not answer. This is what was there before.";
  }
  if (goes) setTimeout(look, EVERY);
}

if (document.querySelector("[data-follow]")) setTimeout(look, EVERY);
