// The icons that pages use, by their Tabler name; the build draws them into one sprite.
export const ICONS = [
  "alert-triangle", "arrow-left", "arrow-right", "ban", "bell", "bolt", "building-factory-2", "calendar", "calendar-event", "certificate", "chart-bar",
  "check", "chevron-right", "circle-check", "clock", "coin", "copy", "download", "file-invoice", "flag", "heartbeat",
  "history", "home", "info-circle", "language", "list-check", "login", "logout", "menu-2", "microscope", "player-play",
  "plug", "plug-off", "receipt-refund", "search", "settings", "tag", "user", "x",
];
