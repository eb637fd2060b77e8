// The preview follows what is typed.
import { write } from "./write.js";

const form = document.getElementById("new");
const place = document.getElementById("preview");
let asked = 0;
let timer;

async function preview() {
  const number = ++asked;
  const said = new URLSearchParams(new FormData(form));
  said.set("act", "preview");
  try {
    const answer = await fetch(form.action, { method: "POST", body: said });
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("preview");
    if (number !== asked || !next) return;
    write(next);
    document.getElementById("refused")?.remove();
    place.replaceChildren(...next.childNodes);
  } catch {
    if (number === asked) place.textContent = "▲ The service does not answer. What you have typed is still here.";
  }
}

form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(preview, 400);
});
