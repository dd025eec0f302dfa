// One message on the page. Far away it is its bare text; near, Markdown with what can be done.

import { $, el } from "./dom.js";
import { factsOf, noticesOf } from "./facts.js";
import { say } from "./i18n.js";
import { partsOf, textOf } from "./message_parts.js";
import { GrowingMarkdown } from "./prose.js";
import { toolbar, toolOf } from "./toolbar.js";

export class MessageView {
  #markdown = null;
  #body;
  #parts = el("div", { class: "parts" });
  #notices = el("div", { class: "notices" });
  #under = el("div", { class: "under" });
  #near = false;
  #drawn = null; // the whole text that is shown

  /** A view of `message`, not yet on the page: put `element` there. */
  constructor(message) {
    this.message = message;
    const asked = message.role === "user";
    this.#body = el("div", { class: "body", dir: "auto" }, message.text);
    const speaker = el("h2", { class: "hidden-text" }, say(asked ? "you_said" : "assistant_said"));
    const kind = `${asked ? "question" : "answer"}${message.facts.taken ? " taken" : ""}`; // of a document
    const attributes = { class: `message ${kind}`, "data-id": message.id };
    this.element = el("article", attributes, speaker, this.#body);
    this.element.append(this.#parts, this.#notices, this.#under);
    this.#mark();
    if (message.status === "growing") this.drawNear();
  }

  /** Draw it in full: it is near what the person sees. */
  drawNear() {
    if (this.#near) return;
    this.#near = true;
    this.drawProse();
    this.#drawUnder();
  }

  /** Draw its Markdown if it is near; what draws it may come later, until then it is bare text. */
  drawProse() {
    if (!this.#near || this.message.role === "user" || !GrowingMarkdown) return;
    this.#body.replaceChildren();
    this.#markdown = new GrowingMarkdown(this.#body);
    if (this.message.status === "growing") this.#markdown.add(this.message.text);
    else this.#drawText();
  }

  /** More of a growing answer. */
  add(text) {
    if (this.#markdown) this.#markdown.add(text);
    else this.#body.append(text);
  }

  /** The answer is as long as it gets. */
  end(message) {
    const grown = this.message;
    this.message = message;
    this.#mark();
    if (!this.#near) return this.drawNear();
    if (this.#markdown && grown.text === textOf(message).text) {
      this.#markdown.end();
      this.#drawn = grown.text;
    } else this.#drawText();
    this.#drawUnder();
  }

  /** Its making is elsewhere. */
  drawProgress() {
    const parts = partsOf(this.message);
    const { children } = this.#parts;
    if (parts.length === children.length && parts.every((one, at) => one === children[at])) return;
    const focused = this.#parts.contains(document.activeElement) && document.activeElement;
    this.#parts.replaceChildren(...parts);
    if (focused) focused.focus();
  }

  /** Draw again what parts of the page show of it: one is new. */
  drawParts() {
    if (!this.#near) return;
    if (this.message.status !== "growing") this.#drawText();
    this.drawProgress();
  }

  /** Something more can be done with it; what is there stays as it is, with a menu that is open. */
  addTool(action) {
    this.#under.querySelector(".toolbar")?.append(...toolOf(action, this));
  }

  /** Draw again what is said about it: more is known of the models. */
  drawFacts() {
    this.#under.querySelector(".facts")?.replaceWith(factsOf(this.message));
  }

  /** Put an element in the text's place, for as long as the promise that `edit` gives lasts. */
  async instead(element, edit) {
    const hidden = [this.#body, this.#parts, this.#under];
    this.element.append(element);
    for (const one of hidden) one.hidden = true;
    try {
      return await edit;
    } finally {
      element.remove();
      for (const one of hidden) one.hidden = false;
    }
  }

  #drawText() {
    const { text, finish } = textOf(this.message);
    if (!this.#markdown || text === this.#drawn) return;
    this.#drawn = text;
    this.#markdown.set(text);
    finish(this.#body);
  }

  #mark() {
    this.element.classList.toggle("growing", this.message.status === "growing");
  }

  #drawUnder() {
    const growing = this.message.status === "growing";
    const focused = this.#under.contains(document.activeElement);
    this.drawProgress();
    this.#notices.replaceChildren(...(growing ? [] : noticesOf(this.message)));
    this.#under.replaceChildren(...(growing ? [] : [toolbar(this), factsOf(this.message)]));
    if (focused) $("#question").focus();
  }
}
