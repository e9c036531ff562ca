// The timeline of a platform: rows are equipment, bars are reservations, a thin bar below is what the meter saw,
// hatched is where nobody can book, with the reason.
import "@event-calendar/core/index.css";
import "./calendar.css";
import { createCalendar, Interaction, List, ResourceTimeline } from "@event-calendar/core";

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
let drawn = [];
let refusedFor = null;
const LABELS = 216;
const fitting = (slots) => Math.max(28, Math.floor((element.clientWidth - LABELS) / slots));
const made = (tag, content) => Object.assign(document.createElement(tag), content);

function label({ resource }) {
  const state = live[resource.id];
  const box = made("div", { className: "calendar-row" });
  box.append(made("a", { textContent: resource.title, className: "calendar-name", href: resource.extendedProps.href }));
  if (state) box.append(made("span", { className: `state state-${state.tone}`, textContent: `● ${state.word}` }));
  if (resource.extendedProps.book) {
    const book = made("a", { className: "calendar-book", href: resource.extendedProps.book, textContent: settings.words.book });
    book.setAttribute("aria-label", `${settings.words.book} ${resource.title}`);
    box.append(book);
  }
  return { domNodes: [box] };
}

async function events({ start, end }) {
  const address = new URL(settings.feed, location.href);
  address.searchParams.set("from", meant(start));
  address.searchParams.set("to", meant(end));
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(settings.words.failed);
  const feed = await answer.json();
  // New labels draw every row again, so they are set only when a state is another one.
  if (JSON.stringify(live) !== JSON.stringify(feed.live)) {
    live = feed.live;
    calendar?.setOption("resources", settings.resources);
  }
  const listing = calendar?.getOption("view").startsWith("list");
  drawn = feed.events.map(({ href, move, why, label: said, kind, ...event }) => ({
    ...event, start: shown(event.start), end: shown(event.end),
    editable: Boolean(move), durationEditable: Boolean(move), startEditable: Boolean(move),
    classNames: [`calendar-${kind}`, ...(why ? [`calendar-${why}`] : [])],
    extendedProps: { href, move, why, said: said ?? event.title },
  }));
  if (!listing) return drawn;
  const machine = (event) => settings.resources.find(({ id }) => event.resourceIds.includes(id))?.title ?? "";
  return drawn.filter((event) => !event.extendedProps.why).map((event) => ({ ...event, title: `${machine(event)} · ${event.title}` }));
}

// What forbids a stretch of a row, while it is dragged over; the slot that moves is not in its own way.
function hindrance(event, row) {
  const own = event.extendedProps?.move ? event.id : null;
  if (event.start < shown(new Date().toISOString()) && event.end) return settings.words.past;
  const met = drawn.find((other) =>
    other.id !== own && other.extendedProps.why && !(own && other.extendedProps.why === "taken") &&
    other.resourceIds.includes(row) && other.start < event.end && event.start < other.end);
  return met?.title;
}

function allowed({ event, start, end, resource }) {
  const wish = event ?? { start, end };
  const row = resource?.id ?? event?.resourceIds[0];
  const why = hindrance(wish, row);
  refusedFor = why ? { why, start: wish.start, end: wish.end, row } : null;
  return !why;
}

function book({ start, end, resource }) {
  if (!settings.book) return;
  const query = new URLSearchParams({ equipment_id: resource.id, starts_at: field(start), ends_at: field(end) });
  location.assign(`${settings.book}?${query}`);
}

function say(sentence, ways = []) {
  const place = document.getElementById("calendar-says");
  place.replaceChildren(made("span", { textContent: sentence }));
  for (const { text, href } of ways) place.append(" ", made("a", { textContent: text, href, className: "alert-link" }));
  place.hidden = false;
}

function waysOn({ start, end, row }, alternatives = []) {
  const hours = String((end - start) / 3600000);
  const slot = (from, to) => new URLSearchParams({ equipment_id: row, starts_at: from, ends_at: to });
  const free = settings.book ? alternatives.map((one) => ({ text: one.text, href: `${settings.book}?${slot(one.starts_at, one.ends_at)}` })) : [];
  const waiting = settings.wait ? [{ text: settings.words.wait, href: `${settings.wait}?${slot(field(start), field(end))}` }] : [];
  const day = field(start).slice(0, 10);
  const elsewhere = new URLSearchParams({ hours, when: "days", first: day, last: day });
  return [...free, { text: settings.words.elsewhere, href: `${settings.find}?${elsewhere}` }, ...waiting];
}

async function move({ event, newResource, revert }) {
  if (newResource) return revert(); // another machine is another reservation
  const body = new FormData();
  body.set("starts_at", field(event.start));
  body.set("ends_at", field(event.end));
  const answer = await fetch(event.extendedProps.move, {
    method: "POST", body,
    headers: { "X-CSRFToken": document.querySelector('meta[name="csrf-token"]').content, Accept: "application/json" },
  });
  const told = await answer.json().catch(() => ({}));
  const wish = { start: event.start, end: event.end, row: event.resourceIds[0] };
  if (!answer.ok) revert();
  say(told.detail ?? settings.words.failed, answer.ok ? [] : waysOn(wish, told.alternatives));
  calendar.refetchEvents();
}

function named({ el, event }) {
  const { said, href } = event.extendedProps;
  el.title = said;
  if (!href) return;
  el.tabIndex = 0;
  el.setAttribute("role", "link");
  el.setAttribute("aria-label", said);
}

const open = (event) => event.extendedProps.href && location.assign(event.extendedProps.href);
const calendar = createCalendar(element, [ResourceTimeline, List, Interaction], {
  view: settings.view,
  date: shown(settings.date),
  resources: settings.resources,
  eventSources: [{ events }],
  resourceLabelContent: label,
  selectable: Boolean(settings.book),
  select: book,
  selectConstraint: allowed,
  dragConstraint: allowed,
  resizeConstraint: allowed,
  eventDrop: move,
  eventResize: move,
  eventClick: ({ event }) => open(event),
  eventDidMount: named,
  eventStartEditable: true,
  headerToolbar: { start: "prev,today,next", center: "title", end: "resourceTimelineDay,resourceTimelineWeek,resourceTimelineMonth,listWeek" },
  buttonText: settings.words.buttons,
  noEventsContent: settings.words.none,
  locale: document.documentElement.lang.replace(/^en$/, "en-GB"), // the day before the month, as on every page
  firstDay: 1,
  slotDuration: "01:00",
  slotLabelFormat: (date) => String(date.getHours()),
  snapDuration: settings.step,
  slotWidth: fitting(24),
  slotEventOverlap: true,
  scrollTime: settings.scroll,
  nowIndicator: true,
  height: settings.resources.length > 12 ? "75vh" : "auto",
  views: {
    resourceTimelineWeek: { slotDuration: "06:00", slotWidth: fitting(28), scrollTime: "00:00:00" },
    resourceTimelineMonth: { slotDuration: { days: 1 }, slotLabelFormat: (date) => String(date.getDate()), slotWidth: fitting(31), scrollTime: "00:00:00" },
  },
});

// A drag that ends where it was refused says why, and where to go instead.
document.addEventListener("pointerup", () => {
  if (refusedFor) say(refusedFor.why, waysOn(refusedFor));
  refusedFor = null;
});

// ← → walk along the bars in time, ↑ ↓ from row to row; Enter opens.
element.addEventListener("keydown", (press) => {
  const bar = press.target.closest(".ec-event[role=link]");
  if (!bar) return;
  if (press.key === "Enter") return bar.click();
  const place = (one) => one.getBoundingClientRect();
  const [x, y] = [place(bar).left, place(bar).top];
  const near = {
    ArrowRight: (at) => Math.abs(at.top - y) < 12 && at.left > x, ArrowLeft: (at) => Math.abs(at.top - y) < 12 && at.left < x,
    ArrowDown: (at) => at.top >= y + 12, ArrowUp: (at) => at.top <= y - 12,
  }[press.key];
  if (!near) return;
  press.preventDefault();
  const distance = (one) => Math.abs(place(one).top - y) * 1000 + Math.abs(place(one).left - x);
  const others = [...element.querySelectorAll(".ec-event[role=link]")].filter((one) => one !== bar && near(place(one)));
  others.sort((one, other) => distance(one) - distance(other))[0]?.focus();
});

setInterval(() => document.visibilityState === "visible" && calendar.refetchEvents(), 15000);
