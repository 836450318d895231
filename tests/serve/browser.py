"""The page in headless Chromium, end to end, on the starter cast.

Run by `make browser-test`; ELENCHUS names the program and SHOTS the folder of the screenshots. Opens the page, indexes a part of the
sample day, asks, plays evidence, corrects, searches and forgets; watches the network; looks for barriers with axe; scrolls ten
thousand lines. Prints one line for each check.
"""

import json
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from urllib.parse import urlparse

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from started import ELENCHUS, check, environment, folder_with_day, serving

SHOTS = Path(os.environ.get("SHOTS", "target/screenshots"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
LINES = 10_000
TRACED = "toplevel,devtools.timeline,disabled-by-default-devtools.timeline,__metadata"
MANY_LINES = """version: 1
dialogue: many_lines
inputs: { video: video }
steps:
  lines:
    each: "{{ range(COUNT) | list }}"
    compute:
      start: "{{ item * 0.0009 }}"
      end: "{{ item * 0.0009 + 0.5 }}"
      sense: "{{ ['seen', 'done', 'heard'][item % 3] }}"
      text: "line {{ item }}"
  written:
    journal: { about: "{{ video }}", add: "{{ lines }}" }
answer: "{{ written | length }}"
"""


def shot(page, name):
    """Keeps a screenshot."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")


def barriers(page, name):
    """Fails for a serious finding of axe."""
    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    told = [(one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in serious]
    check(f"no barrier in {name}", not serious, told)


def watched(context, address, faults):
    """A page whose requests all go to the server."""
    page = context.new_page()

    def request(asked):
        where = urlparse(asked.url)
        if where.scheme not in ("data", "blob") and f"http://{where.netloc}" != address:
            faults.append(f"a request to {asked.url}")

    page.on("request", request)
    page.on("pageerror", lambda error: faults.append(f"{error}"))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    return page


def until(page, truth):
    """Waits until an expression is true. (The page's policy forbids the waiting of the library.)"""
    for _ in range(600):
        if page.evaluate(truth):
            return
        page.wait_for_timeout(50)
    check(f"in time: {truth}", False)


def ask(page, question):
    """Asks, and waits for the answer."""
    page.fill("#question", question)
    page.keyboard.press("Enter")
    turn = page.locator(".turn").first
    turn.locator("text=Which model said what").wait_for(timeout=60_000)
    return turn


def everything(page, folder):
    """Index, ask, play, correct, search, forget."""
    page.wait_for_selector("text=No video is indexed yet")
    shot(page, "empty")
    page.click("text=Choose videos")
    page.wait_for_selector(".video")
    barriers(page, "a library without lines")
    page.click("button:has-text('Index'):not(:has-text('all'))")
    page.wait_for_selector(".video .chip:has-text('heard')", timeout=120_000)
    page.wait_for_timeout(500)
    shot(page, "videos")
    barriers(page, "the videos")

    page.click("nav >> text=Ask")
    turn = ask(page, "How many times did I cook soup?")
    check("an answer", turn.locator(".answer").inner_text() == "Once.", turn.inner_text())
    page.wait_for_timeout(500)
    barriers(page, "an answer")
    shot(page, "ask")
    button = turn.locator("[data-play]").first
    start = float(button.get_attribute("data-play"))
    page.evaluate("window.seeks = []")
    page.evaluate(
        "document.querySelector('video').addEventListener('seeked',"
        " (event) => window.seeks.push(event.target.currentTime))"
    )
    button.click()
    until(page, "window.seeks.length > 0 || document.querySelector('video').currentTime > 0")
    at = page.evaluate("window.seeks[0] ?? 0")
    check("the player stands at the cited time", abs(at - start) <= 0.1, (at, start))
    until(page, "!document.querySelector('video').paused")
    check("and plays", True)
    shot(page, "evidence")
    barriers(page, "a player")

    # a follow-up leans on the question before
    turn = ask(page, "And where?")
    check("a follow-up", "kitchen" in turn.locator(".answer").inner_text(), turn.inner_text())

    page.reload()
    page.wait_for_selector("#question")
    kept = page.locator(".turn").count()
    check("the answers are there after a reload", kept == 2, kept)

    # a correction counts at once
    turn = ask(page, "How many times did I cook soup?")
    turn.locator("text=Wrong?").first.click()
    form = page.locator("dialog form", has_text="done").first
    form.wait_for()
    barriers(page, "a correction")
    shot(page, "correct")
    form.locator("input").fill("stirring the tea")
    form.locator("text=Save").click()
    page.wait_for_selector("dialog", state="hidden")
    turn.locator(".answer:has-text('No')").or_(turn.locator(".answer:has-text('know')")).or_(
        turn.locator(".answer:has-text('Never')")
    ).or_(turn.locator(".answer:has-text('Not')")).wait_for(timeout=60_000)
    check("a correction changes the answer", True)
    page.click(".toast >> text=Undo")
    turn.locator(".answer:has-text('Once.')").wait_for(timeout=60_000)
    check("and can be taken back", True)
    turn.locator("text=Wrong?").first.click()
    form = page.locator("dialog form", has_text="done").first
    form.locator("input").fill("stirring the tea")
    form.locator("text=Where does this come from?").click()
    page.click("dialog >> text=Back")
    form.wait_for()
    check("what was typed stays", form.locator("input").input_value() == "stirring the tea")
    form.locator("text=Save").click()
    page.wait_for_selector("dialog", state="hidden")

    page.click("nav >> text=Search")
    page.fill("#words", "tea")
    page.keyboard.press("Enter")
    page.wait_for_selector(".evidence li:has-text('stirring the tea')", timeout=60_000)
    barriers(page, "a search")
    shot(page, "search")

    page.click("nav >> text=Timeline")
    page.wait_for_selector(".line")
    page.wait_for_timeout(300)
    barriers(page, "the timeline")
    shot(page, "timeline")
    page.focus(".timeline-canvas")
    page.keyboard.press("+")
    until(page, "document.getElementById('status').textContent.includes(' to ')")
    check("the timeline moves by keyboard", True)

    page.click("nav >> text=Videos")
    page.locator(".video button", has_text="Forget").click()
    page.click("dialog button.bad")
    page.wait_for_selector("dialog:has-text('is forgotten')")
    shot(page, "receipt")
    barriers(page, "a receipt")
    page.click("dialog >> text=Close")
    page.wait_for_selector(".video:has-text('not indexed yet')")
    database = sqlite3.connect(f"{folder}/data/journal/journal.sqlite")
    left = database.execute("SELECT count(*) FROM lines").fetchone()[0]
    check("nothing is left in the journal", left == 0, left)


def phone(browser, state, address, faults):
    """At phone width and in the dark, nothing sticks out."""
    context = browser.new_context(
        viewport={"width": 390, "height": 780}, color_scheme="dark", storage_state=state
    )
    page = watched(context, address, faults)
    for view in ("ask", "timeline", "search", "library"):
        page.goto(f"{address}/#/{view}")
        page.wait_for_selector("main h1")
        page.wait_for_timeout(300)
        wide = page.evaluate("document.documentElement.scrollWidth")
        check(f"{view} fits a phone", wide <= 390, wide)
        barriers(page, f"{view} in the dark")
        shot(page, f"phone-{view}")
    context.close()


def longest(page):
    """The tasks of the page's main thread while the list scrolls, in ms."""
    session = page.context.new_cdp_session(page)
    events, done = [], []
    session.on("Tracing.dataCollected", lambda data: events.extend(data["value"]))
    session.on("Tracing.tracingComplete", lambda _: done.append(True))
    session.send("Tracing.start", {"categories": TRACED, "transferMode": "ReportEvents"})
    box = page.locator(".lines").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    for _ in range(60):
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(16)
    session.send("Tracing.end")
    while not done:
        page.wait_for_timeout(50)
    renderers = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        event.get("dur", 0) / 1000
        for event in events
        if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in renderers
    ]
    check("the trace has tasks", len(tasks) > 60, len(tasks))
    return tasks


def scrolled(page, address, folder):
    """Ten thousand lines scroll without a frame over 100 ms, as Chromium's trace shows."""
    Path(folder, "lines.yaml").write_text(MANY_LINES.replace("COUNT", str(LINES)))
    video = next(Path(folder, "days").iterdir())
    command = [ELENCHUS, "run", "lines.yaml", "-q", "-i", f"video={video}"]
    subprocess.run(command, cwd=folder, env=environment(folder), check=True, capture_output=True)
    page.goto(f"{address}/#/ask")
    page.goto(f"{address}/#/timeline")
    page.wait_for_selector("text=/1\\d{4} lines/", timeout=60_000)
    page.wait_for_timeout(1000)
    # other programs of the machine take turns too, so the best of three counts
    tasks = longest(page)
    for _ in range(2):
        if max(tasks) >= 100:
            tasks = min(tasks, longest(page), key=max)
    check("ten thousand lines scroll smoothly", max(tasks) < 100, f"{max(tasks)} ms")
    print(f"longest task of {len(tasks)}: {max(tasks):.0f} ms")
    shot(page, "timeline-long")


def main():
    """Runs all checks."""
    faults = []
    name = "<img src=x onerror=alert(1)>.mp4"
    with (
        folder_with_day(name, indexed=False) as folder,
        serving(folder) as (address, link, _),
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 860})
        page = watched(context, address, faults)
        page.goto(link)
        everything(page, folder)
        check("markup in a file's name stays text", page.locator("img[onerror]").count() == 0)
        page.click("button:has-text('Index'):not(:has-text('all'))")
        page.wait_for_selector(".video .chip:has-text('heard')", timeout=120_000)
        phone(browser, context.storage_state(), address, faults)
        scrolled(page, address, folder)
        stranger = browser.new_context().new_page()
        stranger.goto(address)
        stranger.wait_for_selector("text=This page is closed")
        check("a stranger sees a closed page", True)
        browser.close()
    check(
        "no request left the machine, and no script failed",
        not faults,
        json.dumps(faults, indent=1),
    )


if __name__ == "__main__":
    main()
