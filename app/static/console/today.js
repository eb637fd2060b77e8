// Brings the day up to date by one conditional request each 15 seconds; keeps what it shows when no answer comes.
import { write } from "./write.js";

const EVERY = 15_000;
const fresh = document.getElementById("fresh");
let tag = null;
let shown = new Date();

const clock = (moment) => moment.toLocaleTimeString(navigator.language, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

// What is being pressed stays where it is, and so does the page once a form is on its way.
let busy = false;
addEventListener("pointerdown", () => (busy = true));
addEventListener("pointerup", () => setTimeout(() => (busy = false), 1000));
addEventListener("submit", () => (busy = true));

async function look() {
  if (document.hidden || busy) return;
  try {
    const answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    if (busy) return;
    if (answer.redirected) {
      fresh.textContent = "You are not signed in any more: load this page anew.";
      return;
    }
    if (answer.status === 200) {
      tag = answer.headers.get("ETag");
      show(await answer.text());
    } else if (answer.status !== 304) {
      throw new Error(answer.status);
    }
    shown = new Date();
    fresh.textContent = `Up to date at ${clock(shown)}.`;
    document.body.classList.remove("old");
  } catch {
    const minutes = Math.floor((Date.now() - shown) / 60_000);
    fresh.textContent = `▲ The service does not answer. This is what was there at ${clock(shown)}, ${minutes ? `${minutes} min` : "less than a minute"} ago.`;
    document.body.classList.add("old");
  }
}

function show(text) {
  const now = document.getElementById("live");
  const next = new DOMParser().parseFromString(text, "text/html").getElementById("live");
  if (!next) return;
  write(next);
  if (now.innerHTML === next.innerHTML) return;
  const left = now.querySelector(".axis")?.scrollLeft;
  const focused = now.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  now.replaceChildren(...next.childNodes);
  const axis = now.querySelector(".axis");
  if (axis && left !== undefined) axis.scrollLeft = left;
  if (focused) now.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

// On a narrow screen the day begins at now, not at the morning.
const line = document.querySelector(".axis .line");
if (line) {
  const axis = line.closest(".axis");
  axis.scrollLeft = Math.max(0, line.offsetLeft - axis.clientWidth / 2);
}
setInterval(look, EVERY);
document.addEventListener("visibilitychange", look);
look();
