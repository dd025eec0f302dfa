// Boxes that may be wider than the page: one that scrolls can be reached by keyboard, no other.

const watched = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});

/** Let `box` be a stop of the Tab key while its content does not fit. */
export function reachable(box) {
  watched.observe(box);
}
