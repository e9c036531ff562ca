// Reads a calendar on standard input as calendar programs do, and says what a person in the zone argv[2] would see.
import { readFileSync } from "node:fs";
import ICAL from "ical.js";

const calendar = new ICAL.Component(ICAL.parse(readFileSync(0, "utf8")));
const shown = new Intl.DateTimeFormat("sv-SE", {
  timeZone: process.argv[2], dateStyle: "short", timeStyle: "short",
});
const said = (time) => (time.isDate ? time.toString() : shown.format(time.toJSDate()));
const events = calendar.getAllSubcomponents("vevent").map((component) => {
  const event = new ICAL.Event(component);
  return {
    uid: event.uid,
    summary: event.summary,
    starts: said(event.startDate),
    ends: said(event.endDate),
    minutes: event.duration.toSeconds() / 60,
    status: component.getFirstPropertyValue("status"),
    sequence: event.sequence,
    alarms: component.getAllSubcomponents("valarm").map((one) => one.getFirstPropertyValue("trigger").toString()),
  };
});
process.stdout.write(JSON.stringify({ name: calendar.getFirstPropertyValue("x-wr-calname"), events }));
