// Drawings of 20 × 20, as paths.

const paths = {
  add: "M10 4v12M4 10h12",
  arrow_down: "M10 4v12M5 11l5 5 5-5",
  check: "M4 10.5l4 4 8-9",
  close: "M5 5l10 10M15 5L5 15",
  copy: "M7 7h9v9H7zM4 13V4h9",
  edit: "M4 16l1-4 8-8 3 3-8 8zM11 6l3 3",
  fork: "M6 4v3a3 3 0 003 3h2a3 3 0 013 3v3M6 16V4M4 6l2-2 2 2M12 14l2 2 2-2",
  keys: "M3 5.5h14v9H3zM6 9h.01M10 9h.01M14 9h.01M7 12h6",
  left: "M12 5l-5 5 5 5",
  menu: "M3.5 6h13M3.5 10h13M3.5 14h13",
  microphone: "M10 3a2 2 0 00-2 2v4a2 2 0 004 0V5a2 2 0 00-2-2zM5.5 9a4.5 4.5 0 009 0M10 13.5V17",
  more: "M5 10h.01M10 10h.01M15 10h.01",
  person: "M10 3.500a3 3 0 100 6 3 3 0 000-6zM4 16.500c.6-3 3-4.500 6-4.500s5.400 1.500 6 4.500",
  plane: "M3 11l14-6-4 12-3-5zM10 12l7-7",
  retry: "M15.5 8A6 6 0 104.6 13M15.5 4v4h-4",
  right: "M8 5l5 5-5 5",
  send: "M10 16V4M5 9l5-5 5 5",
  settings: "M4 6h7M15 6h1M4 14h1M9 14h7M13 4v4M7 12v4",
  sound: "M4 8v4h3l4 3V5L7 8zM13.5 7.5a4 4 0 010 5",
  stop: "M6 6h8v8H6z",
};

/** An icon that says nothing to those who hear the page. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", paths[name] ?? name);
  svg.append(path);
  return svg;
}
