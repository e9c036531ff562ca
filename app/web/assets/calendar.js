// The timeline of a platform: rows are equipment, bars are reservations, a thin bar below is what the meter saw.
import "@event-calendar/core/index.css";
import "./calendar.css";
import { createCalendar, Interaction, ResourceTimeline } from "@event-calendar/core";

const element = document.getElementById("calendar");
const settings = JSON.parse(document.getElementById("calendar-settings").textContent);
const zone = settings.offset_minutes * 60000;

// The calendar draws wall-clock time; the facility's zone has no summer time, so a fixed shift is exact.
const shown = (iso) => new Date(new Date(iso).getTime() + (zone + new Date(iso).getTimezoneOffset() * 60000));
const meant = (date) => new Date(date.getTime() - (zone + date.getTimezoneOffset() * 60000)).toISOString();
const field = (date) => {
  const two = (number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;
};

let live = {};
const LABELS = 216;
const fitting = (slots) => Math.max(28, Math.floor((element.clientWidth - LABELS) / slots));

function label({ resource }) {
  const state = live[resource.id];
  const box = document.createElement("a");
  box.className = "calendar-row";
  box.href = resource.extendedProps.href;
  box.append(Object.assign(document.createElement("span"), { textContent: resource.title, className: "calendar-name" }));
  if (state) {
    const dot = Object.assign(document.createElement("span"), { className: `state state-${state.tone}`, textContent: `● ${state.word}` });
    box.append(dot);
  }
  return { domNodes: [box] };
}

async function events({ start, end }) {
  const answer = await fetch(`${settings.feed}?from=${encodeURIComponent(meant(start))}&to=${encodeURIComponent(meant(end))}`, {
    headers: { Accept: "application/json" },
  });
  if (!answer.ok) throw new Error(settings.words.failed);
  const feed = await answer.json();
  live = feed.live;
  calendar?.setOption("resources", settings.resources);
  return feed.events.map((event) => ({
    ...event, start: shown(event.start), end: shown(event.end),
    editable: Boolean(event.move), durationEditable: Boolean(event.move), startEditable: Boolean(event.move),
    classNames: [`calendar-${event.kind}`],
    extendedProps: { href: event.href, move: event.move },
  }));
}

function book({ start, end, resource }) {
  if (!settings.book) return;
  const query = new URLSearchParams({ equipment_id: resource.id, starts_at: field(start), ends_at: field(end) });
  location.assign(`${settings.book}?${query}`);
}

function say(sentence) {
  const place = document.getElementById("calendar-says");
  place.textContent = sentence;
  place.hidden = false;
}

async function move({ event, revert }) {
  const body = new FormData();
  body.set("starts_at", field(event.start));
  body.set("ends_at", field(event.end));
  const answer = await fetch(event.extendedProps.move, {
    method: "POST", body,
    headers: { "X-CSRFToken": document.querySelector('meta[name="csrf-token"]').content, Accept: "application/json" },
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) revert();
  say(told.detail ?? settings.words.failed);
}

const calendar = createCalendar(element, [ResourceTimeline, Interaction], {
  view: settings.view,
  date: shown(settings.date),
  resources: settings.resources,
  eventSources: [{ events }],
  resourceLabelContent: label,
  selectable: Boolean(settings.book),
  select: book,
  eventDrop: move,
  eventResize: move,
  eventClick: ({ event }) => event.extendedProps.href && location.assign(event.extendedProps.href),
  eventStartEditable: true,
  headerToolbar: { start: "prev,today,next", center: "title", end: "resourceTimelineDay,resourceTimelineWeek" },
  buttonText: settings.words.buttons,
  locale: document.documentElement.lang,
  firstDay: 1,
  slotDuration: "01:00",
  slotLabelFormat: (date) => String(date.getHours()),
  snapDuration: settings.step,
  slotWidth: fitting(24),
  slotEventOverlap: true,
  scrollTime: settings.scroll,
  nowIndicator: true,
  height: "auto",
  views: { resourceTimelineWeek: { slotDuration: "06:00", slotWidth: fitting(28), scrollTime: "00:00:00" } },
});
setInterval(() => document.visibilityState === "visible" && calendar.refetchEvents(), 15000);
