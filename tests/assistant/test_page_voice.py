"""Voice on the page: offered where the browser keeps it on this machine, and only there."""

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.assistant.conftest import Assistant, Chromium, answer
from tests.serve.scripted import ScriptedService

# Debian's Chromium has neither: these stand in for a browser's own, which no test can make speak.
_EARS = """
window.SpeechRecognition = class extends EventTarget {
  static async available({ processLocally }) {
    return processLocally ? window.ears : "available";
  }
  start() {
    const heard = [[{ transcript: "in the morning" }]];
    this.dispatchEvent(Object.assign(new Event("result"), { results: heard }));
  }
  stop() {
    this.dispatchEvent(new Event("end"));
  }
};
"""
_VOICE = """
window.spoken = [];
window.SpeechSynthesisUtterance = class {
  constructor(text) {
    this.text = text;
  }
};
Object.defineProperty(window, "speechSynthesis", { value: {
  speaking: false,
  getVoices: () => window.voices,
  addEventListener() {},
  cancel() {},
  speak: ({ text, voice }) => window.spoken.push([text, voice.lang]),
} });
"""


def heard_by(chrome: Chromium, *scripts: str) -> BrowserContext:
    context = chrome.browser.new_context(locale="en-US")
    for script in scripts:
        context.add_init_script(script)
    return context


def test_a_question_is_spoken(chrome: Chromium, assistant: Assistant) -> None:
    context = heard_by(chrome, "window.ears = 'available'", _EARS)
    page = chrome.open(assistant.url, context=context)
    page.get_by_label("Ask anything").fill("See you")
    button = page.get_by_role("button", name="Speak")
    button.click()
    expect(page.get_by_label("Ask anything")).to_have_value("See you in the morning")
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("ears", ["downloadable", "unavailable"])
def test_no_voice_is_sent_elsewhere(chrome: Chromium, assistant: Assistant, ears: str) -> None:
    remote = "window.voices = [{ lang: 'en-US', localService: false }]"
    context = heard_by(chrome, f"window.ears = '{ears}'", _EARS, remote, _VOICE)
    page = chrome.open(f"{assistant.url}/#/c/{assistant.tell('Hi', 'Hello')}", context=context)
    expect(page.get_by_role("button", name="Copy").last).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("button", name="Speak")).to_have_count(0)
    expect(page.get_by_role("button", name="Read aloud")).to_have_count(0)


def test_an_answer_is_read_without_its_code(
    chrome: Chromium, assistant: Assistant, scripted: ScriptedService
) -> None:
    voices = "window.voices = [{ lang: 'fr-FR', localService: true }, "
    voices += "{ lang: 'en-GB', localService: true }]"
    page = chrome.open(assistant.url, context=heard_by(chrome, voices, _VOICE))
    answer(page, scripted, "Read", "Some **words**.\n\n```python\nprint(1)\n```")
    page.get_by_role("button", name="Read aloud").click()
    [[text, language]] = page.evaluate("window.spoken")
    assert (text.strip(), language) == ("Some words.", "en-GB")
