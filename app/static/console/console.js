// What every page has: a form is sent once, times are written in the browser's language, texts can be copied.

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

const FORMS = {
  date: { weekday: "short", day: "numeric", month: "short", year: "numeric" },
  day: { weekday: "short", day: "numeric", month: "short", year: "numeric" },
  moment: { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" },
};

export function write(root) {
  for (const time of root.querySelectorAll("time[data-form]")) {
    const zone = time.dataset.zone || "UTC";
    const shown = new Intl.DateTimeFormat(navigator.language, { ...FORMS[time.dataset.form], timeZone: zone });
    time.textContent = shown.format(new Date(time.dateTime));
  }
  for (const day of root.querySelectorAll("[data-weekday]")) {
    const known = new Date(Date.UTC(2024, 0, 1 + Number(day.dataset.weekday))); // a Monday, and on from there
    day.textContent = new Intl.DateTimeFormat(navigator.language, { weekday: "short", timeZone: "UTC" }).format(known);
  }
  for (const button of root.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.onclick = async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
    };
  }
}

write(document);
