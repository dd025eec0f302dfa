// Who a collection is shared with: for all who may ask it to see, for its owner to change.

import { send } from "../api.js";
import { ask } from "../dialogs.js";
import { announce, button, el, field } from "../dom.js";
import { say } from "../i18n.js";
import { knownProjects, load } from "./collections.js";

/** How a collection is shared, with what its owner can do about it. */
export function sharing({ id, project, owner, may }) {
  const root = el("div", { class: "sharing" });
  draw();
  return root;

  function draw() {
    const shown = may === "own" ? own() : [told(`collection_shared_${may}`)];
    root.replaceChildren(...shown);
    root.hidden = !shown.length;
  }

  function own() {
    if (project) return [told("collection_shared"), button("collection_unshare", unshare)];
    return knownProjects().length ? [button("collection_share", share)] : [];
  }

  function told(word) {
    return el("p", { dir: "auto" }, say(word, { owner, project }));
  }

  async function share() {
    const options = knownProjects().map((name) => new Option(name, name));
    const select = el("select", { dir: "auto" }, options);
    const explained = el("p", {}, say("collection_share_explained"));
    const content = el("div", { class: "stack" }, field("collection_project", select), explained);
    const keep = () => put("PUT", { project: select.value });
    if (await ask(say("collection_share"), content, "collection_share", keep)) await changed("collection_shared");
  }

  async function unshare() {
    const warning = el("p", { dir: "auto" }, say("collection_unshare_warning", { project }));
    const end = () => put("DELETE");
    if (await ask(say("collection_unshare"), warning, "collection_unshare", end)) await changed("collection_unshared");
  }

  async function put(method, body = null) {
    ({ project } = await send(method, `collections/${id}/share`, body));
  }

  async function changed(word) {
    announce(word, { project });
    draw();
    root.querySelector("button")?.focus();
    await load();
  }
}
