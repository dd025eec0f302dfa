// Elements of the page. Text only ever enters through `append` and textContent.

export const $ = (selector) => document.querySelector(selector);

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text; // a live region speaks only of changes
}

export function element(tag, properties, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
