// A conversation's menu can save it as a file.

import { addConversationAction } from "../conversation_menu.js";
import { addWords } from "../i18n.js";
import { download } from "./download.js";

await addWords("transfer");
for (const form of ["md", "json"]) {
  const run = ({ id }) => download(`api/conversations/${id}/export?form=${form}`);
  addConversationAction({ word: `export_${form}`, run });
}
