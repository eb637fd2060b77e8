// Brings a page up to date by one conditional request each so many seconds; keeps what it shows when no answer comes.
//
//   <div data-live="day">                        a part that is written anew when it has changed
//   <p id="fresh" data-every="15" data-version>  says how old the page is; without it, the page stays as it is
import { write } from "./write.js";

const PATIENCE = 10_000;
let fresh = document.getElementById("fresh");
let shown = new Date();
let timer;

const clock = (moment) => moment.toLocaleTimeString(navigator.language, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

// What is being pressed stays where it is, and so does the page once a form is on its way.
let pressed = false;
let sent = false;
addEventListener("pointerdown", () => (pressed = true));
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(() => (pressed = false), 1000));
addEventListener("submit", () => (sent = true));

async function look() {
  if (!fresh || document.hidden || pressed || sent) return;
  try {
    const headers = { "If-None-Match": `"${fresh.dataset.version}"` };
    const answer = await fetch(location.href, { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (answer.redirected) {
      tell("You are not signed in any more: load this page anew.");
      return;
    }
    if (answer.status === 200) {
      const text = await answer.text();
      if (pressed || sent) return;
      show(new DOMParser().parseFromString(text, "text/html"));
    } else if (answer.status !== 304) {
      throw new Error(answer.status);
    }
    shown = new Date();
    isFresh();
  } catch {
    const minutes = Math.floor((Date.now() - shown) / 60_000);
    tell(`▲ The service does not answer. This is what was there at ${clock(shown)}, ${minutes ? `${minutes} min` : "less than a minute"} ago.`);
  }
}

function isFresh() {
  if (!fresh) return;
  fresh.setAttribute("aria-live", "off"); // nobody wants to hear the time every 15 seconds
  fresh.textContent = `Up to date at ${clock(shown)}.`;
  document.body.classList.remove("old");
}

function tell(what) {
  fresh.setAttribute("aria-live", "polite");
  fresh.textContent = what;
  document.body.classList.add("old");
}

function show(next) {
  for (const now of document.querySelectorAll("[data-live]")) {
    const then = next.querySelector(`[data-live="${now.dataset.live}"]`);
    if (then) replace(now, then);
  }
  const told = next.getElementById("fresh");
  if (told) {
    fresh.dataset.version = told.dataset.version;
  } else {
    clearInterval(timer);
    fresh.remove();
    fresh = null;
  }
}

function replace(now, next) {
  write(next);
  for (const one of now.querySelectorAll("details[open][id]")) next.querySelector(`#${one.id}`)?.setAttribute("open", "");
  if (now.innerHTML === next.innerHTML) return;
  const place = now.querySelector(".axis");
  const [left, top] = [place?.scrollLeft, place?.scrollTop];
  const focused = now.contains(document.activeElement) ? selector(document.activeElement) : null;
  now.replaceChildren(...next.childNodes);
  const axis = now.querySelector(".axis");
  if (axis && place) [axis.scrollLeft, axis.scrollTop] = [left, top];
  if (focused) now.querySelector(focused)?.focus({ preventScroll: true });
}

function selector(element) {
  if (element.id) return `#${element.id}`;
  return element.hasAttribute("href") ? `[href="${CSS.escape(element.getAttribute("href"))}"]` : null;
}

// On a narrow screen the day begins at now, not at the morning.
const line = document.querySelector(".axis .line");
if (line) {
  const axis = line.closest(".axis");
  axis.scrollLeft = Math.max(0, line.offsetLeft - axis.clientWidth / 2);
}
if (fresh) {
  isFresh();
  timer = setInterval(look, Number(fresh.dataset.every) * 1000);
  document.addEventListener("visibilitychange", look);
}
