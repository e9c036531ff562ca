// What every page needs: htmx, and small behaviours that a form works without.
import "@tabler/core/dist/css/tabler.min.css";
import "./main.css";
import htmx from "htmx.org";
import "./review.js";

window.htmx = htmx;

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = document.querySelector('meta[name="csrf-token"]').content;
});

// A refusal answers with a status of its own and a page part that belongs on the screen all the same.
document.addEventListener("htmx:beforeSwap", (event) => {
  if ([403, 404, 409, 422].includes(event.detail.xhr.status)) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-toggles]");
  if (opener) {
    const what = document.getElementById(opener.dataset.toggles);
    const shown = what.classList.toggle("show");
    opener.setAttribute("aria-expanded", String(shown));
    return;
  }
  const copier = event.target.closest("[data-copies]");
  if (copier) return copy(copier);
  if (event.target.closest("[data-closes-panel]")) closePanel();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closePanel();
});

async function copy(copier) {
  const field = document.getElementById(copier.dataset.copies);
  field.select();
  // Without TLS there is no clipboard, and the selection is left for the person to copy.
  await navigator.clipboard?.writeText(field.value);
  if (navigator.clipboard) copier.querySelector("[data-said]").textContent = copier.dataset.copied;
}

function closePanel() {
  const panel = document.getElementById("panel");
  if (!panel || !panel.childElementCount) return;
  panel.replaceChildren();
  panel.opened?.focus();
}

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id !== "panel") return;
  event.target.opened = event.detail.requestConfig?.elt;
  event.target.querySelector("[data-closes-panel]")?.focus();
});

// A form is sent once, unless its answer is a file, after which the page stays. A select that is a filter sends itself.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || "downloads" in form.dataset) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
});
window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));
document.addEventListener("htmx:afterRequest", (event) => event.detail.elt.closest?.("form")?.removeAttribute("data-sent"));
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});
