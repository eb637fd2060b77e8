// Times and weekdays in the browser's language, and buttons that copy. Without effect when it is loaded: pages load it
// by more than one address.

const FORMS = {
  month: { month: "long" },
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
