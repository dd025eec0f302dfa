// Answers side by side until the person goes on with one: columns, or tabs where there is no room.

import { attempt, button, el } from "./dom.js";
import { say } from "./i18n.js";
import { store } from "./store.js";
import { keepShown } from "./talk.js";

/** The answers with their views, as one element. */
export function compareView(answers, views) {
  const columns = answers.map(({ id, model }, place) => {
    const attributes = { class: "column", role: "tabpanel", id: `answer-${id}`, tabindex: "0" };
    const take = () => attempt(() => keepShown(id));
    const choose = store.readOnly ? null : button("choose", take, "small choose");
    const named = { ...attributes, "aria-label": model, "data-shown": place === 0 };
    return el("section", named, el("h3", {}, model), views[place].element, choose);
  });
  const tabs = answers.map(({ id, model }, place) =>
    el(
      "button",
      {
        ...{ type: "button", role: "tab", "aria-controls": `answer-${id}` },
        ...{ "aria-selected": `${place === 0}`, tabindex: place === 0 ? "0" : "-1" },
        onclick: () => select(place),
      },
      model,
    ),
  );
  const list = el("div", { role: "tablist", "aria-label": say("answers"), onkeydown: move }, tabs);
  return el("section", { class: "compare", "aria-label": say("answers") }, list, columns);

  function select(chosen) {
    for (const [place, tab] of tabs.entries()) {
      const here = place === chosen;
      tab.setAttribute("aria-selected", `${here}`);
      tab.tabIndex = here ? 0 : -1;
      columns[place].toggleAttribute("data-shown", here);
    }
  }

  function move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length;
    select(next);
    tabs[next].focus();
  }
}
