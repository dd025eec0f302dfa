// Speak a question, hear an answer: where the browser can do it on this machine. What sends the
// sound of a voice to another one is not offered.

import { addTool, setQuestion } from "./composer.js";
import { $, announce, iconButton } from "./dom.js";
import { language } from "./i18n.js";
import { addMessageAction } from "./toolbar.js";

const Recognition = window.SpeechRecognition ?? window.webkitSpeechRecognition;
const tag = { en: "en-US", fr: "fr-FR" }[language];

offerMicrophone();
offerVoice();

async function offerMicrophone() {
  const wanted = { langs: [tag], processLocally: true };
  if ((await Recognition?.available?.(wanted)) === "available") addTool(microphone());
}

/** A button that listens until it is pressed again, or one is silent. */
function microphone() {
  let listening = null;
  const button = iconButton("microphone", "speak", () => (listening ? listening.stop() : listen()));
  button.setAttribute("aria-pressed", "false");
  return button;

  function listen() {
    const before = $("#question").value;
    listening = new Recognition();
    Object.assign(listening, { lang: tag, processLocally: true, interimResults: true });
    listening.addEventListener("result", ({ results }) => {
      const heard = [...results].map(([best]) => best.transcript).join("");
      setQuestion([before, heard.trim()].filter(Boolean).join(" "));
    });
    listening.addEventListener("error", () => announce("speak_failed"));
    listening.addEventListener("end", () => {
      listening = null;
      button.setAttribute("aria-pressed", "false");
    });
    button.setAttribute("aria-pressed", "true");
    listening.start();
  }
}

/** Offer to read aloud once there is a voice of this machine; the browser may find them late. */
function offerVoice() {
  const synthesis = window.speechSynthesis;
  if (!synthesis) return;
  if (!localVoice()) return synthesis.addEventListener("voiceschanged", offerVoice, { once: true });
  const fits = ({ role }) => role === "assistant";
  addMessageAction({ icon: "sound", word: "read_aloud", fits, run: readAloud });
}

function localVoice() {
  const voices = speechSynthesis.getVoices();
  return voices.find(({ lang, localService }) => localService && lang.startsWith(language));
}

/** Read an answer aloud as it is on the page, without its code; once more, and it is quiet. */
function readAloud(message, pressed) {
  const { speaking } = speechSynthesis;
  speechSynthesis.cancel();
  if (speaking) return;
  const body = pressed.closest(".message").querySelector(".body").cloneNode(true);
  for (const code of body.querySelectorAll("figure.code")) code.remove();
  const spoken = new SpeechSynthesisUtterance(body.textContent);
  spoken.voice = localVoice();
  speechSynthesis.speak(spoken);
}
