// The assistant's page begins.

import { begin as beginAddresses } from "./addresses.js";
import { begin as beginComposer } from "./composer.js";
import { $ } from "./dom.js";
import { loadExtras } from "./extras.js";
import { addWords, language, translate } from "./i18n.js";
import { begin as beginModels } from "./models.js";
import { begin as beginNotes } from "./notes.js";
import { begin as beginPerson } from "./person.js";
import { begin as beginShortcuts } from "./shortcuts.js";
import { begin as beginSidebar } from "./sidebar.js";
import { begin as beginTheme } from "./theme.js";
import { begin as beginTranscript } from "./transcript.js";
import { begin as beginWelcome } from "./welcome.js";

beginTheme();
await addWords();
document.documentElement.lang = language;
translate(document);
beginPerson();
beginTranscript();
beginWelcome();
beginComposer();
beginNotes();
beginSidebar();
beginShortcuts();
document.body.classList.add("ready");
if (!matchMedia("(hover: none)").matches) $("#question").focus(); // on a phone, keys would pop up
beginModels();
await beginAddresses();
await loadExtras();
