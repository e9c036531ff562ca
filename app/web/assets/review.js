// A worked-through table: ↑ ↓ choose a row, A approves it, D declines or corrects it, E opens its evidence. Without script the buttons do.
const rows = () => [...document.querySelectorAll("[data-review] tr[data-row]")];

function choose(row) {
  if (!row) return;
  rows().forEach((other) => (other.tabIndex = other === row ? 0 : -1));
  row.focus();
}

document.addEventListener("keydown", (event) => {
  const row = event.target.closest?.("[data-review] tr[data-row]");
  if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!row) {
    if (event.key === "ArrowDown" && rows().length && document.activeElement === document.body) {
      event.preventDefault();
      choose(rows()[0]);
    }
    return;
  }
  const all = rows();
  const at = all.indexOf(row);
  const deeds = {
    ArrowDown: () => choose(all[at + 1]),
    ArrowUp: () => choose(all[at - 1]),
    a: () => row.querySelector("[data-approves]")?.click(),
    e: () => row.querySelector("[data-explains]")?.click(),
    d: () => row.querySelector("[data-declines]")?.focus() ?? row.querySelector("[data-disputes]")?.click(),
  };
  const deed = deeds[event.key] ?? deeds[event.key.toLowerCase()];
  if (deed && !(event.target !== row && event.key === "Enter")) {
    event.preventDefault();
    deed();
  }
});

document.addEventListener("htmx:afterSettle", (event) => {
  const next = document.querySelector("[data-review] tr[data-next]");
  if (next && event.target.closest?.("[data-review]")) choose(next);
});
