// The city's charts from the JSON beside them: a week by hours, and fields by months. Each has its table as well.
import * as echarts from "echarts/core";
import { BarChart, HeatmapChart } from "echarts/charts";
import { GridComponent, LegendComponent, TooltipComponent, VisualMapComponent } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";
import { drawEverywhere, token } from "./charting.js";

echarts.use([BarChart, HeatmapChart, GridComponent, LegendComponent, TooltipComponent, VisualMapComponent, CanvasRenderer]);

const COLOURS = ["--tblr-blue", "--tblr-orange", "--tblr-green", "--tblr-purple", "--tblr-red", "--tblr-teal", "--tblr-yellow", "--tblr-pink"];
const span = (hour) => `${String(hour).padStart(2, "0")}:00–${String(hour + 1).padStart(2, "0")}:00`;

// data: {cells: [[hour, day, hours]], days: [word], hours: word}
function week({ cells, days, hours }) {
  const most = Math.max(...cells.map(([, , length]) => length));
  return {
    grid: { left: 8, right: 8, top: 8, bottom: 64, containLabel: true },
    xAxis: { type: "category", data: Array.from({ length: 24 }, (_, hour) => String(hour)), splitArea: { show: false } },
    yAxis: { type: "category", data: days, inverse: true },
    visualMap: {
      min: 0, max: most || 1, orient: "horizontal", left: "center", bottom: 0, precision: 1,
      text: [hours, ""], textStyle: { color: token("--tblr-secondary") },
      inRange: { color: ["rgba(128, 128, 128, .06)", token("--tblr-primary")] },
    },
    tooltip: { trigger: "item", formatter: ({ value: [hour, day, length] }) => `${days[day]} ${span(hour)}<br><b>${length.toFixed(1)} ${hours}</b>` },
    series: [{ type: "heatmap", data: cells, itemStyle: { borderWidth: 1, borderColor: "rgba(128, 128, 128, .2)" } }],
  };
}

// data: {fields: [{name, hours: [12 lengths]}], months: [1…12], hours: word}
function months({ fields, months: columns, hours }) {
  return {
    grid: { left: 8, right: 16, top: 56, bottom: 8, containLabel: true },
    legend: { type: "scroll", top: 0, textStyle: { color: token("--tblr-secondary") } },
    xAxis: { type: "category", data: columns.map(String) },
    yAxis: { type: "value", name: hours },
    tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: (length) => `${length.toFixed(1)} h` },
    series: fields.map((field, at) => ({
      name: field.name, type: "bar", stack: "all", barMaxWidth: 48, data: field.hours,
      itemStyle: { color: token(COLOURS[at % COLOURS.length]) },
    })),
  };
}

drawEverywhere(echarts, { week, months });
