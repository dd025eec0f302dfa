// Pictures for the next question: chosen, pasted or dropped, shown small above the text.

import { call, part, send } from "../api.js";
import { addToQuestion, addTool } from "../composer.js";
import { $, announce, el, iconButton, problem } from "../dom.js";
import { say } from "../i18n.js";
import { cannot, modelsThat } from "../models.js";
import { on, store } from "../store.js";

const most = 4;
const types = ["image/png", "image/jpeg", "image/webp"];
const row = el("div", { id: "given-pictures", role: "group", hidden: true });
const chooser = el("input", { type: "file", accept: types.join(","), multiple: true, hidden: true });
let given = []; // {id, width, height, name}
let sent = [];
let drawing = false; // the next question has pictures made: those that are given are where they start

/** The address of a picture of the open conversation. */
export function addressOf(id) {
  return store.link ? `api/shared/${store.link}/pictures/${id}` : `api/pictures/${id}`;
}

/** Give a picture of the conversation, {id, width, height, name}, with the next question. */
export function give(picture) {
  given = [...given.filter(({ id }) => id !== picture.id), picture].slice(-most);
  draw();
  announce("picture_taken", { name: picture.name });
}

/** Take pictures from now on. */
export function begin() {
  row.setAttribute("aria-label", say("pictures_given"));
  $("#composer").before(row);
  $("#composer").append(chooser);
  addTool(iconButton("M3 5h14v11H3zM3 14l4-4 3 3 3-4 4 4M7 8h.01", "picture_give", () => chooser.click()));
  chooser.addEventListener("change", () => {
    take([...chooser.files]);
    chooser.value = "";
  });
  $("#question").addEventListener("paste", (event) => taken(event, event.clipboardData));
  $("#page").addEventListener("drop", (event) => taken(event, event.dataTransfer));
  $("#page").addEventListener("dragover", (event) => {
    if ([...event.dataTransfer.items].some(isPicture)) event.preventDefault();
  });
  addToQuestion(
    () => {
      sent = given;
      return given.length ? { pictures: given.map(({ id }) => id) } : null;
    },
    ({ facts }) => facts.pictures && { pictures: facts.pictures.map(({ id }) => id) },
  );
  $("#model").addEventListener("change", draw);
  on("models", draw);
  on("chosen", (action) => {
    drawing = action?.name === "picture";
    draw();
  });
  on("branch", () => {
    given = given.filter((one) => !sent.includes(one));
    sent = [];
    draw();
  });
}

function isPicture({ type }) {
  return types.includes(type);
}

function taken(event, { files }) {
  const pictures = [...files].filter(isPicture);
  if (!pictures.length) return;
  event.preventDefault();
  take(pictures);
}

async function take(files) {
  $("#problems").replaceChildren();
  for (const file of files) {
    try {
      if (given.length >= most) throw Object.assign(new Error(file.name), { code: "pictures_many" });
      const { redrawn } = await part(() => import("./redraw.js"));
      given = [...given, { ...(await keep(await redrawn(file))), name: file.name }];
      draw();
      announce("picture_taken", { name: file.name });
    } catch (error) {
      $("#problems").replaceChildren(problem(error));
    }
  }
  $("#question").focus();
}

async function keep(blob) {
  const response = await call("api/pictures", {
    method: "POST",
    headers: { "Content-Type": blob.type },
    body: blob,
  });
  return response.json();
}

function draw() {
  row.hidden = !given.length;
  row.replaceChildren(
    cannot("sight") && !drawing ? unseen($("#model").value) : "",
    ...given.map((one) => {
      const image = el("img", { src: addressOf(one.id), alt: one.name, width: 64, height: 64 });
      const remove = iconButton("close", "picture_remove", () => drop(one));
      return el("span", { class: "given" }, image, remove);
    }),
  );
}

/** Before it is sent: the chosen model does not see, these do. */
function unseen(model) {
  const able = modelsThat("sight");
  if (!able.length) return el("p", { class: "unseen" }, say("picture_unseen", { model }));
  const choose = (name) => () => {
    $("#model").value = name;
    $("#model").dispatchEvent(new Event("change"));
    $("#question").focus();
  };
  const each = able.map((name) => el("button", { type: "button", class: "small", onclick: choose(name) }, name));
  return el("p", { class: "unseen" }, el("span", {}, say("picture_unseen_but", { model })), each);
}

function drop(one) {
  given = given.filter((other) => other !== one);
  draw();
  $("#question").focus();
  send("DELETE", `pictures/${one.id}`).catch(() => {}); // it goes by itself after a day
}
