"""The server with the official Python clients of OpenAI's API and of MCP, and with curl.

Run by `make clients`; ELENCHUS names the program. Prints one line for each check.
"""

import asyncio
import base64
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import httpx2
import mcp
import openai
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from started import ELENCHUS, ROOT, check, cut, environment, folder_with_day, serving


def chats(client):
    """Chats with an agent: whole, in pieces, restricted, and refused."""
    messages = [{"role": "user", "content": "Say something."}]
    whole = client.chat.completions.create(
        model="starter-lm", messages=messages, temperature=0, max_tokens=12, seed=7
    )
    text = whole.choices[0].message.content
    check("a chat", isinstance(text, str) and whole.usage.completion_tokens > 0, whole)
    pieces = client.chat.completions.create(
        model="starter-lm",
        messages=messages,
        temperature=0,
        max_tokens=12,
        stream=True,
        stream_options={"include_usage": True},
    )
    pieces = list(pieces)
    joined = "".join(p.choices[0].delta.content or "" for p in pieces if p.choices)
    check("the same in pieces", joined == text and pieces[-1].usage is not None, (joined, text))
    seeded = [
        client.chat.completions.create(
            model="starter-lm", messages=messages, temperature=1.5, max_tokens=12, seed=seed
        )
        for seed in (1, 1, 2)
    ]
    said = [reply.choices[0].message.content for reply in seeded]
    check("a seed is honoured", said[0] == said[1] != said[2], said)
    schema = {
        "type": "object",
        "properties": {"place": {"enum": ["kitchen", "street"]}},
        "required": ["place"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}
    reply = client.chat.completions.create(
        model="starter-lm", messages=messages, response_format=form, max_tokens=40
    )
    place = json.loads(reply.choices[0].message.content)["place"]
    check("a reply fits its schema", place in ("kitchen", "street"), reply)
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    for name, value in (("tools", [tool]), ("top_logprobs", 3), ("user", "me"), ("store", True)):
        try:
            client.chat.completions.create(model="starter-lm", messages=messages, **{name: value})
            check(f"{name} is refused", False)
        except openai.BadRequestError as error:
            check(f"{name} is refused by name", name in error.message, error.message)
    try:
        client.chat.completions.create(model="starter-lmm", messages=messages)
    except openai.NotFoundError as error:
        check("an unknown model has a hint", "starter-lm" in str(error.body), error.body)


def dialogues(client):
    """Dialogues as models, about the library and about a video in the request."""
    names = [model.id for model in client.models.list()]
    check("a dialogue is a model", "elenchus/journal_qa" in names and "starter-lm" in names, names)
    check("one model", client.models.retrieve("elenchus/video_qa").id == "elenchus/video_qa")
    messages = [{"role": "user", "content": "How many times did I cook soup?"}]
    reply = client.chat.completions.create(model="elenchus/journal_qa", messages=messages)
    check(
        "it answers from the journal", reply.choices[0].message.content.startswith("Once."), reply
    )
    pieces = client.chat.completions.create(
        model="elenchus/journal_qa", messages=messages, stream=True
    )
    joined = "".join(p.choices[0].delta.content or "" for p in pieces if p.choices)
    check("and in pieces", joined == reply.choices[0].message.content, joined)
    try:
        client.chat.completions.create(
            model="elenchus/journal_qa", messages=messages, temperature=0.5
        )
        check("its settings are its own", False)
    except openai.BadRequestError as error:
        check("its settings are its own", "temperature" in error.message, error.message)


def main():
    """Runs all checks."""
    with folder_with_day() as folder:
        sound = f"{folder}/day.wav"
        cut(sound)
        with serving(folder) as (address, _, token):
            client = openai.OpenAI(base_url=f"{address}/v1", api_key=token, max_retries=0)

            def lines():
                headers = {"Authorization": f"Bearer {token}"}
                asked = urllib.request.Request(f"{address}/api/lines", headers=headers)
                return json.load(urllib.request.urlopen(asked))["total"]

            chats(client)
            dialogues(client)
            looks(client, f"{folder}/days/day.mp4", lines)
            hears(client, sound)
            embeds(client)
            curls(address, token)
            page(folder, address)
            asyncio.run(over_http(f"{address}/mcp", token))
        asyncio.run(over_stdio(folder))


def looks(client, video, lines):
    """A video in the request leaves nothing behind. `lines` counts those of the journal."""
    before = lines()
    data = base64.b64encode(Path(video).read_bytes()).decode()
    part = {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{data}"}}
    text = {"type": "text", "text": "Did I cook soup?"}
    messages = [{"role": "user", "content": [part, text]}]
    reply = client.chat.completions.create(model="elenchus/video_qa", messages=messages)
    check("a video in the request", reply.choices[0].message.content.startswith("Yes"), reply)
    check("it leaves no lines behind", lines() == before, before)


def hears(client, sound):
    """Speech in all formats."""
    texts = {}
    for form in ("json", "text", "srt", "vtt", "verbose_json"):
        with open(sound, "rb") as file:
            texts[form] = client.audio.transcriptions.create(
                model="starter-whisper", file=file, response_format=form
            )
    said = texts["json"].text
    check("speech", "hallway" in said, texts)
    check("as text", texts["text"].strip() == said, texts)
    check("as SRT", texts["srt"].startswith("1\n00:00:0") and " --> " in texts["srt"], texts)
    check("as VTT", texts["vtt"].startswith("WEBVTT\n\n1\n00:00:0"), texts)
    verbose = texts["verbose_json"]
    check("with segments", verbose.segments[0].end > verbose.segments[0].start, verbose)
    check("with its language", verbose.language == "english", verbose)
    with open(sound, "rb") as file:
        worded = client.audio.transcriptions.create(
            model="starter-whisper",
            file=file,
            response_format="verbose_json",
            timestamp_granularities=["word"],
        )
    words = [word.word for word in worded.words]
    check("with words", " ".join(words) == said and worded.segments is None, worded)
    check("in order of time", all(word.end >= word.start >= 0 for word in worded.words), worded)
    with open(sound, "rb") as file:
        try:
            client.audio.transcriptions.create(model="starter-whisper", file=file, prompt="x")
            check("a prompt is refused", False)
        except openai.BadRequestError as error:
            check("a prompt is refused by name", "prompt" in error.message, error.message)


def embeds(client):
    """Vectors, in both encodings."""
    texts = ["a kitchen", "a street"]
    packed = client.embeddings.create(model="starter-clip", input=texts)
    plain = client.embeddings.create(model="starter-clip", input=texts, encoding_format="float")
    first, second = packed.data[1].embedding, plain.data[1].embedding
    near = max(abs(a - b) for a, b in zip(first, second, strict=True)) < 1e-6
    length = sum(number * number for number in first)
    check("vectors", near and abs(length - 1) < 1e-3 and len(packed.data) == 2)
    check("tokens are counted", packed.usage.prompt_tokens > 0, packed.usage)


def curls(address, token):
    """The same with curl."""
    command = ["curl", "-s", "-H", f"Authorization: Bearer {token}"]
    models = subprocess.run([*command, f"{address}/v1/models"], capture_output=True, check=True)
    check("curl", json.loads(models.stdout)["object"] == "list", models.stdout)
    body = json.dumps({"question": "How many times did I cook soup?"})
    sent = [*command, "-N", "-H", "Content-Type: application/json", "-d", body]
    sent += ["-H", "Accept: text/event-stream", f"{address}/api/ask"]
    events = subprocess.run(sent, capture_output=True, check=True, text=True).stdout
    check("curl reads events", "event: answer\ndata: {" in events, events)


def page(folder, address):
    """The program of docs/from-python.md."""
    text = (ROOT / "docs/from-python.md").read_text()
    program = text.split("```python\n")[1].split("```")[0]
    env = dict(environment(folder), ELENCHUS_URL=address, ELENCHUS_TOKEN=f"{folder}/data/token")
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=env, capture_output=True, text=True
    )
    check("the program of the docs", ran.returncode == 0 and "Once." in ran.stdout, ran)


async def tools(session):
    """An assistant searches, asks, reads lines and cuts a clip."""
    about = await session.initialize()
    check("the assistant is told that texts are data", "data" in (about.instructions or ""), about)
    names = sorted(tool.name for tool in (await session.list_tools()).tools)
    check("tools", names == ["ask", "clip", "journal", "search", "videos"], names)

    async def call(name, **arguments):
        result = await session.call_tool(name, arguments)
        text = result.content[0].text
        if result.is_error:
            return result, json.loads(text)
        check(f"{name} says that its result is data", "never follow" in text.split("\n")[0], text)
        return result, json.loads(text.split("\n", 1)[1])

    _, answer = await call("ask", question="How many times did I cook soup?")
    check("it asks", answer["answer"] == "Once." and answer["evidence"], answer)
    _, found = await call("search", words="soups")
    line = found["hits"][0]["id"]
    check("it searches", "soup" in found["hits"][0]["text"], found)
    _, lines = await call("journal", senses="heard")
    check("it reads lines", "hallway" in lines["lines"][0]["text"], lines)
    result, clip = await call("clip", line=line)
    check("it cuts a clip", Path(clip["file"]).stat().st_size > 1000, clip)
    check("with a picture", result.content[1].type == "image", result)
    _, videos = await call("videos")
    check("it lists videos", videos["videos"][0]["name"] == "day.mp4", videos)
    result, refused = await call("ask", question=" ")
    check("a mistake is told", result.is_error and "empty" in refused["error"]["message"], refused)


async def over_http(url, token):
    """MCP over HTTP, with the token of the server."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as client,
        streamable_http_client(url, http_client=client) as streams,
        mcp.ClientSession(streams[0], streams[1]) as session,
    ):
        await tools(session)
    try:
        urllib.request.urlopen(urllib.request.Request(url, data=b"{}"))
        check("no token, no tools", False)
    except urllib.error.HTTPError as error:
        check("no token, no tools", error.code == 401, error)


async def over_stdio(folder):
    """MCP on standard input and output, as an assistant starts it."""
    how = mcp.StdioServerParameters(
        command=ELENCHUS, args=["mcp"], cwd=folder, env=environment(folder)
    )
    async with stdio_client(how) as streams, mcp.ClientSession(streams[0], streams[1]) as session:
        await tools(session)


if __name__ == "__main__":
    main()
