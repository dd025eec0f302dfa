// An answer saved as an office file.

import { call } from "../api.js";
import { download } from "../download.js";
import { openMenu } from "../menus.js";
import { addMessageAction } from "../toolbar.js";

const kinds = ["docx", "pptx", "xlsx"];

/** Put a button under answers that opens the menu of kinds. */
export function begin() {
  addMessageAction({
    icon: "M10 3v9M6.500 8.500L10 12l3.500-3.500M4 15.500h12",
    word: "save_as",
    fits: ({ role, text, status }) => role === "assistant" && text.trim() !== "" && status !== "growing",
    run: ({ id }, pressed) => openMenu(pressed, kinds.map((kind) => ({ word: `save_${kind}`, run: () => save(id, kind) }))),
  });
}

async function save(id, kind) {
  const url = `api/messages/${id}/file?kind=${kind}`;
  await call(url); // what can't be made is said on the page
  download(url);
}
