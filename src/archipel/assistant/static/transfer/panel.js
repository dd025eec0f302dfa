// Conversations taken out, and brought in from ChatGPT, Claude, Open WebUI or another Archipel.

import { announce, button, el, problem } from "../dom.js";
import { download } from "../download.js";
import { dress } from "../dress.js";
import { number, say } from "../i18n.js";
import { emit } from "../store.js";
import { tellTabs } from "../tabs.js";
import { reportOf } from "./report.js";
import { upload } from "./upload.js";

const reports = el("div", { class: "stack" }); // an import goes on when the panel is left

/** Fill `root` with the panel. */
export async function show(root) {
  await dress("transfer");
  const bringing = el("section", { class: "stack" }, importing(), reports);
  root.replaceChildren(el("div", { class: "transfer" }, exporting(), bringing));
}

function exporting() {
  const out = button("export_all", () => download("api/export"), "primary");
  const heading = el("h2", {}, say("export"));
  return el("section", { class: "stack" }, heading, el("p", {}, say("export_explained")), out);
}

function importing() {
  const input = el("input", { type: "file", accept: ".zip,.json", multiple: true });
  input.addEventListener("change", async () => {
    await bringAll([...input.files]);
    input.value = "";
  });
  const label = el("label", {}, el("span", {}, say("import_choose")), input);
  const zone = el("div", { class: "drop" }, label);
  const over = (is) => (event) => {
    event.preventDefault();
    zone.classList.toggle("over", is);
  };
  zone.addEventListener("dragover", over(true));
  zone.addEventListener("dragleave", over(false));
  zone.addEventListener("drop", over(false));
  zone.addEventListener("drop", ({ dataTransfer }) => bringAll([...dataTransfer.files]));
  return [el("h2", {}, say("import")), el("p", {}, say("import_explained")), zone];
}

/** Bring in some files, one after the other, and show how far it is, then the reports. */
async function bringAll(files) {
  if (!files.length || reports.querySelector("progress")) return;
  announce("import_begun");
  const done = [];
  for (const file of files) done.push(await bring(file, done));
  reports.replaceChildren(...done);
  announce("import_ended");
  emit("folders"); // the list is not as it was
  tellTabs();
}

async function bring(file, before) {
  const events = [];
  const bar = el("progress", { max: "1", "aria-label": say("import_under_way", { name: file.name }) });
  const words = el("p", {}, say("import_sending", { name: file.name }));
  reports.replaceChildren(...before, words, bar);
  try {
    await upload(file, { onSent: (share) => (bar.value = share), onEvent });
    return reportOf(file.name, events);
  } catch (error) {
    return el("div", { class: "stack" }, reportOf(file.name, events), problem(error));
  }

  function onEvent(event) {
    events.push(event);
    if (event.done === undefined) return;
    bar.value = event.done;
    words.textContent = say("import_reading", { name: file.name, count: number(events.length) });
  }
}
