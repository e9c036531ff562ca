// Charts from the JSON beside them: a power curve, and a waterfall of money. Each has its table for who cannot see it.
import * as echarts from "echarts/core";
import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { LabelLayout } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";
import { drawEverywhere, token } from "./charting.js";
import { adjust } from "./thresholds.js";

echarts.use([BarChart, LineChart, GridComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent, LabelLayout, CanvasRenderer]);

const zone = { timeZone: "Asia/Shanghai" };
const language = document.documentElement.lang;
const clock = new Intl.DateTimeFormat(language, { ...zone, hour: "2-digit", minute: "2-digit", hour12: false });
const moment = new Intl.DateTimeFormat(language, {
  ...zone, month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false,
});
const yuan = (fen) => `${fen < 0 ? "−" : ""}¥${(Math.abs(fen) / 100).toLocaleString("en", { minimumFractionDigits: 2 })}`;

// data: {points: [[iso, watts|null, lowest, highest]], running: [[iso, iso]], gaps: [[iso, iso]], reserved: [iso, iso]|null,
//        on_w, off_w, words: {power, on, off, reserved, running, gap}}
// Where the thresholds can be moved also: {adjustable: true, present: [[iso, iso]]}
function powerCurve({ points, running, present, gaps, reserved, on_w, off_w, words }) {
  const area = (spans, colour, label) =>
    spans.map(([start, end], at) => [
      { xAxis: start, itemStyle: { color: colour }, name: at ? "" : label },
      { xAxis: end },
    ]);
  const below = (present ?? []).map(([start, end]) => [
    { xAxis: start, y: "88%", itemStyle: { color: token("--tblr-blue") } },
    { xAxis: end, y: "90%" },
  ]);
  const areas = [...below, ...area(running, "rgba(47, 179, 68, .18)", words.running), ...area(gaps, "rgba(247, 103, 7, .15)", words.gap)];
  const bracket = reserved ? reserved.map((at) => ({ xAxis: at, lineStyle: { color: token("--tblr-blue"), type: "solid", width: 2 }, label: { formatter: words.reserved, color: token("--tblr-blue") } })) : [];
  const threshold = (watts, word) => ({ yAxis: watts, label: { formatter: `${word}\n${watts} W`, position: "end", align: "left", verticalAlign: word === words.on ? "bottom" : "top" } });
  return {
    grid: { left: 56, right: 104, top: 28, bottom: 28 },
    xAxis: { type: "time", axisLabel: { formatter: (at) => clock.format(at), hideOverlap: true } },
    yAxis: { type: "value", name: "W", min: 0, max: present && (({ max }) => Math.max(max, Math.ceil(on_w * 1.1))) },
    tooltip: {
      trigger: "axis",
      formatter: ([one]) => one && `${moment.format(new Date(one.value[0]))}<br>${words.power} <b>${one.value[1] ?? "—"} W</b>`,
    },
    series: [{
      type: "line", step: "end", showSymbol: false, connectNulls: false, data: points.map(([at, watts]) => [at, watts]),
      lineStyle: { width: 1.5, color: token("--tblr-primary") }, itemStyle: { color: token("--tblr-primary") },
      markArea: { silent: true, label: { position: "insideTop", color: token("--tblr-secondary") }, data: areas },
      markLine: {
        silent: true, symbol: "none", lineStyle: { type: "dashed", color: token("--tblr-secondary") },
        label: { color: token("--tblr-secondary") },
        data: [threshold(on_w, words.on), ...(off_w === on_w ? [] : [threshold(off_w, words.off)]), ...bracket],
      },
    }],
  };
}

// data: {bars: [{label, from_fen, to_fen, tone, href}]}
function waterfall({ bars }, narrow) {
  const colours = { total: "--tblr-primary", less: "--tblr-secondary", grant: "--tblr-green", lost: "--tblr-red" };
  return {
    grid: { left: 8, right: 16, top: 28, bottom: 8, containLabel: true },
    xAxis: { type: "category", data: bars.map((bar) => bar.label), axisLabel: { interval: 0, width: 84, overflow: "break", rotate: narrow ? 40 : 0 } },
    yAxis: { type: "value", axisLabel: { formatter: (fen) => `¥${(fen / 100).toLocaleString("en")}` } },
    tooltip: { trigger: "item", formatter: ({ dataIndex: at }) => `${bars[at].label}<br><b>${yuan(bars[at].amount_fen)}</b>` },
    series: [
      { type: "bar", stack: "all", silent: true, itemStyle: { color: "transparent" }, data: bars.map((bar) => Math.min(bar.from_fen, bar.to_fen)) },
      {
        type: "bar", stack: "all", barMaxWidth: 64, cursor: "pointer",
        data: bars.map((bar) => ({ value: Math.abs(bar.to_fen - bar.from_fen), itemStyle: { color: token(colours[bar.tone]) } })),
        label: { show: !narrow, position: "top", color: getComputedStyle(document.body).color, formatter: ({ dataIndex: at }) => yuan(bars[at].amount_fen) },
      },
    ],
  };
}

// data: {years: [text], lines: [{name, main, points: [number|null]}]}; points are out of a hundred
function years({ years: labels, lines }, narrow) {
  const colours = ["--tblr-primary", "--tblr-green", "--tblr-orange", "--tblr-purple", "--tblr-secondary"];
  return {
    grid: { left: 40, right: narrow ? 84 : 120, top: 16, bottom: 28 },
    xAxis: { type: "category", data: labels },
    yAxis: { type: "value", min: 0, max: 100 },
    tooltip: { trigger: "axis" },
    series: lines.map(({ name, main, points }, at) => ({
      type: "line", name, data: points, symbolSize: main ? 9 : 6,
      lineStyle: { width: main ? 3 : 1.5, color: token(colours[at % colours.length]) },
      itemStyle: { color: token(colours[at % colours.length]) },
      endLabel: { show: true, formatter: name, color: token(colours[at % colours.length]) },
      labelLayout: { moveOverlap: "shiftY" },
    })),
  };
}

const KINDS = { power: powerCurve, waterfall, years };

drawEverywhere(echarts, KINDS, (chart, data) => {
  if (data.bars) chart.on("click", ({ dataIndex: at }) => data.bars[at].href && location.assign(data.bars[at].href));
  if (data.adjustable) {
    adjust(chart, data, (changes) => {
      const { series, yAxis } = powerCurve(Object.assign(data, changes));
      chart.setOption({ series, yAxis: { max: yAxis.max } });
    });
  }
});
