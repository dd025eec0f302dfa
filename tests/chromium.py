"""How Debian's Chromium is started for a test: it asks no other host for anything of its own."""

OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-blink-features=OnDeviceWebSpeechAvailable",  # asked for, it ends the headless shell
]
