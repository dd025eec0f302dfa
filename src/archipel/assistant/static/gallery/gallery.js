// The pictures that a model makes for a question, side by side as they come, and what can be done
// with each: see it large, save it, have others like it, start from it, use its seed again.

import { actionOf, load } from "../actions/table.js";
import { choose } from "../actions/chosen.js";
import { setQuestion } from "../composer.js";
import { tell } from "../dialogs.js";
import { attempt, el, iconButton, problem } from "../dom.js";
import { download } from "../download.js";
import { addWords, number, say } from "../i18n.js";
import { addressOf, give } from "../pictures/given.js";
import { store } from "../store.js";
import { askAgain } from "../talk.js";

const icons = {
  download: "M10 3v9M6 8l4 4 4-4M4 16h12",
  vary: "M3 3h6v6H3zM11 11h6v6h-6zM13.500 3.500v5M11 6h5M6 11.500v5M3.500 14h5",
  start: "M9 4H4v12h12v-5M8 12l1-3 6-6 2 2-6 6z",
  again: "M4 4h12v12H4zM7 7h.01M13 7h.01M10 10h.01M7 13h.01M13 13h.01",
};
const shapes = { square: "1 / 1", wide: "3 / 2", tall: "2 / 3" };
const galleries = new WeakMap(); // by the element they are in: {grid, cells}

document.head.append(el("link", { rel: "stylesheet", href: new URL("gallery.css", import.meta.url).href }));
await Promise.all([addWords("gallery"), load().catch(() => {})]); // without actions, pictures can be seen and saved

/** Show in `root` the pictures of an answer as they are now. What is there already stays as it is, with
 * the focus in it. */
export function show(root, message) {
  const question = store.messages.get(message.parent);
  const { cells, grid, like } = galleries.get(root) ?? begun(root, question);
  const wanted = places(message);
  const now = wanted.map((place, at) => {
    const key = place.id ? `picture ${place.id}` : `${place.kind} ${at}`;
    if (!cells.has(key)) cells.set(key, made(place, { at, all: wanted.length, message, question }));
    const cell = cells.get(key);
    cell.tell?.(place);
    return cell.element;
  });
  grid.classList.toggle("alone", now.length < 2);
  for (const old of [...grid.children]) if (!now.includes(old)) old.remove();
  now.forEach((element, at) => grid.children[at] !== element && grid.insertBefore(element, grid.children[at] ?? null));
  like.textContent = likeness(message);
  like.hidden = !like.textContent;
}

function begun(root, question) {
  const label = say("candidates", { what: question?.text ?? "" });
  const grid = el("div", { class: `candidates ${sizeOf(question)}`, role: "group", "aria-label": label });
  const like = el("p", { class: "candidates-like" });
  root.replaceChildren(like, grid);
  const gallery = { grid, like, cells: new Map() };
  galleries.set(root, gallery);
  return gallery;
}

/** What stands in each place: a picture, a failure, or one that is awaited. */
function places({ status, progress, facts }) {
  const growing = status === "growing" && progress?.wanted;
  const failed = new Map(((growing ? progress : facts).failed ?? []).map((one) => [one.index, one]));
  if (growing) {
    const come = new Map(progress.pictures.map((one) => [one.index, one]));
    const awaited = (index) => ({ kind: "awaited", at: progress.at, current: [null, index].includes(progress.at?.index) });
    return Array.from({ length: progress.wanted }, (_, index) => come.get(index) ?? failing(failed, index) ?? awaited(index));
  }
  const pictures = [...(facts.pictures ?? [])];
  const all = pictures.length + failed.size;
  return Array.from({ length: all }, (_, index) => failing(failed, index) ?? pictures.shift()).filter(Boolean);
}

function failing(failed, index) {
  return failed.has(index) ? { kind: "failed", error: failed.get(index) } : undefined;
}

function made(place, around) {
  if (place.id) return { element: candidate(place, around) };
  return place.kind === "failed" ? { element: failure(place, around) } : awaited(around);
}

function awaited({ at, all, question }) {
  const bar = el("progress", { "aria-label": named(at, all) });
  const said = el("span", {}, say("candidate_waiting"));
  const element = el("div", { class: "candidate awaited" }, said, bar);
  element.style.aspectRatio = shapes[sizeOf(question)];
  const tell = ({ at: where, current }) => {
    bar.hidden = Boolean(where) && !current; // where steps are told, only what is being made moves
    if (!current || !(where.steps > 0)) return;
    Object.assign(bar, { max: where.steps, value: where.step });
    said.textContent = say("candidate_step", { step: number(where.step), steps: number(where.steps) });
  };
  return { element, tell };
}

function failure({ error }, { message }) {
  const again = () => attempt(() => others(message, message.facts.like));
  return el("div", { class: "candidate failed" }, problem(error, store.readOnly ? null : again));
}

function candidate(picture, { at, all, message, question }) {
  const { id, width, height, seed } = picture;
  const what = question?.text ?? "";
  const alt = all > 1 ? say("candidate_of", { at: number(at + 1), all: number(all), what }) : say("picture_of", { what });
  const image = () => el("img", { src: addressOf(id), alt, width, height });
  const large = () => tell(alt, el("div", { class: "large-picture" }, image()));
  const shown = el("button", { type: "button", class: "shown", title: say("candidate_large"), onclick: large }, image());
  const seeded = seed === undefined ? null : el("span", { class: "seed" }, say("candidate_seed", { seed }));
  const tools = el("div", { class: "tools", role: "group", "aria-label": named(at, all) }, toolsOf(picture, message, question));
  return el("figure", { class: "candidate" }, shown, el("figcaption", {}, seeded, tools));
}

function toolsOf({ id, width, height, seed }, message, question) {
  const save = iconButton(icons.download, "picture_download", () => download(`${addressOf(id)}?download`));
  if (store.readOnly || !question?.facts.action || !actionOf("picture")) return [save];
  const { fields } = question.facts.action;
  const vary = () => attempt(() => others(message, id));
  const start = () => {
    give({ id, width, height, name: say("picture_of", { what: question.text }) });
    compose(question.text, { ...fields, seed: "" });
  };
  const again = () => compose(question.text, { ...fields, seed: String(seed), count: "1" });
  return [
    save,
    iconButton(icons.vary, "candidate_vary", vary),
    iconButton(icons.start, "candidate_start", start),
    seed < seeds() ? iconButton(icons.again, "candidate_again", again) : null,
  ];
}

/** Seeds that can be asked for are below this. */
function seeds() {
  return actionOf("picture").fields.find(({ name }) => name === "seed").below;
}

/** Put the question where one writes, to be asked again with other fields or words. */
function compose(text, fields) {
  choose(actionOf("picture"), fields);
  setQuestion(text);
}

function others({ parent, model }, like) {
  return askAgain(parent, [model], like ? { like } : {});
}

/** Which picture an answer's are like; nothing where they are made of the words alone. */
function likeness({ status, progress, facts }) {
  const like = (status === "growing" ? progress : facts)?.like;
  if (!like) return "";
  const all = [...store.messages.values()].flatMap(({ facts: its }) => its.pictures ?? []);
  const seed = all.find(({ id }) => id === like)?.seed;
  return seed === undefined ? say("candidates_like") : say("candidates_like_seed", { seed });
}

function named(at, all) {
  return say("candidate_name", { at: number(at + 1), all: number(all) });
}

function sizeOf(question) {
  const size = question?.facts.action?.fields?.size;
  return size in shapes ? size : "square";
}
