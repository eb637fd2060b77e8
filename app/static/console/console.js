import { write } from "./write.js";

// What every page has: a form is sent once.

document.addEventListener("submit", (event) => {
  if (event.target.method !== "post" || event.defaultPrevented) return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
  // After the form's fields are taken: a disabled button would not be among them.
  setTimeout(() => event.target.querySelectorAll("button").forEach((button) => (button.disabled = true)));
});
window.addEventListener("pageshow", (event) => {
  // A page that comes back from the browser's memory is an old one.
  if (event.persisted) location.reload();
});

write(document);
