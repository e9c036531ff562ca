// Thresholds that can be moved: the lines in the chart, the sliders and the number fields say the same at any time.
// Fields: input[name=run_on_w], input[data-slides=run_on_w] and likewise run_off_w, in [data-thresholds].
// What the server makes of the values comes as JSON in [data-runs]: {running: [[iso, iso]], present: [[iso, iso]]}.
const REACH = 8;
const LINES = { on_w: "run_on_w", off_w: "run_off_w" };

export function adjust(chart, data, redraw) {
  const fields = document.querySelector("[data-thresholds]");
  const number = (name) => fields.querySelector(`input[name="${name}"]`);
  const slider = (name) => fields.querySelector(`input[data-slides="${name}"]`);
  const show = (line, watts) => {
    data[line] = watts;
    number(LINES[line]).value = slider(LINES[line]).value = watts;
    slider(LINES[line]).setAttribute("aria-valuetext", `${watts} W`);
  };

  // The lines never pass each other: whichever moves takes the other along.
  function move(line, watts) {
    show(line, Math.max(line === "on_w" ? 1 : 0, watts));
    if (data.off_w > data.on_w) line === "on_w" ? show("off_w", data.on_w) : show("on_w", data.off_w);
    redraw();
  }
  const announce = (line) => number(LINES[line]).dispatchEvent(new Event("input", { bubbles: true }));

  fields.addEventListener("input", ({ target, isTrusted }) => {
    const line = Object.keys(LINES).find((key) => LINES[key] === (target.dataset.slides ?? target.name));
    if (!line || !isTrusted || target.value === "") return;
    if (target.dataset.slides) return move(line, Number(target.value));
    // A number that is being typed is left as it is; the server says what is wrong with it.
    data[line] = Number(target.value);
    slider(target.name).value = target.value;
    redraw();
  });

  const pointer = chart.getZr();
  let held = null;
  const height = (watts) => chart.convertToPixel({ yAxisIndex: 0 }, watts);
  const under = ({ offsetX, offsetY }) => {
    if (!chart.containPixel("grid", [offsetX, offsetY])) return null;
    const near = Object.keys(LINES).map((line) => [Math.abs(height(data[line]) - offsetY), line]).filter(([far]) => far <= REACH);
    return near.sort(([one], [other]) => one - other)[0]?.[1] ?? null;
  };
  pointer.on("mousedown", (event) => (held = under(event)));
  pointer.on("mousemove", (event) => {
    if (held) {
      move(held, Math.round(chart.convertFromPixel({ yAxisIndex: 0 }, event.offsetY)));
      announce(held);
    }
    pointer.setCursorStyle(held || under(event) ? "ns-resize" : "default");
  });
  for (const end of ["mouseup", "globalout"]) pointer.on(end, () => (held = null));

  document.addEventListener("htmx:afterSettle", () => {
    const runs = document.querySelector("[data-runs]");
    if (runs) redraw(JSON.parse(runs.textContent));
  });
}
