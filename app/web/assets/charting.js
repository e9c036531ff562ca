// What every page with charts needs: Tabler's colours, and drawing whatever is there and whatever comes later.
const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const property = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

// Tabler's colours may be written in ways that the chart library does not read: the canvas turns them into numbers.
export function token(name) {
  brush.clearRect(0, 0, 1, 1);
  brush.fillStyle = property(name);
  brush.fillRect(0, 0, 1, 1);
  const [red, green, blue] = brush.getImageData(0, 0, 1, 1).data;
  return `rgb(${red}, ${green}, ${blue})`;
}

function draw(echarts, element, kinds, afterwards) {
  const data = JSON.parse(element.querySelector("script").textContent);
  const canvas = element.querySelector(".chart-canvas");
  const text = { fontFamily: property("--tblr-font-sans-serif"), color: token("--tblr-secondary") };
  const chart = echarts.init(canvas);
  const drawing = kinds[element.dataset.chart](data, canvas.clientWidth < 560);
  for (const axis of [drawing.xAxis, drawing.yAxis]) {
    axis.axisLabel = { ...axis.axisLabel, color: text.color };
    axis.nameTextStyle = { color: text.color };
  }
  drawing.yAxis.splitLine = { lineStyle: { color: "rgba(128, 128, 128, .25)" } };
  chart.setOption({ textStyle: text, animation: false, ...drawing });
  afterwards(chart, data);
  new ResizeObserver(() => chart.resize()).observe(canvas);
}

export function drawEverywhere(echarts, kinds, afterwards = () => {}) {
  const drawAll = (root) => root.querySelectorAll("[data-chart]:not([data-drawn])").forEach((element) => {
    element.dataset.drawn = "1";
    draw(echarts, element, kinds, afterwards);
  });
  drawAll(document);
  document.addEventListener("htmx:afterSettle", () => drawAll(document));
}
