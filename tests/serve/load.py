"""64 clients for 60 seconds at the server, on loopback, with scripted agents and with questions to the journal.

Part of `make soak`; ELENCHUS names the program. `load.py [SECONDS] [CLIENTS]`. Every answer must be 200, or 429 with Retry-After;
the memory of the server must not grow. Prints the rate, the 50th and 99th percentile of the time to an answer, and the memory.
"""

import asyncio
import collections
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from started import ELENCHUS, check, cut, environment

AGENT = 'script: { "": "Good morning." }\n'
DIALOGUE = """version: 1
dialogue: greeting
inputs: { question: text }
cast: { mind: greeter }
steps:
  draft:
    say: { agent: mind, text: "Greet for: {{ question }}" }
answer: "{{ draft }}"
"""
REQUESTS = [
    ("/v1/chat/completions", {"model": "greeter", "messages": [{"role": "user", "content": "Hi"}]}),
    (
        "/v1/chat/completions",
        {"model": "elenchus/greeting", "messages": [{"role": "user", "content": "Hi"}]},
    ),
    ("/api/ask", {"question": "How many times did I cook soup?"}),
    ("/api/lines?limit=20", None),
    ("/api/library", None),
]


async def one(reader, writer, host, token, path, body):
    """A request on an open connection: the status, and whether the server keeps the connection."""
    data = json.dumps(body).encode() if body is not None else b""
    head = f"{'POST' if body is not None else 'GET'} {path} HTTP/1.1\r\nHost: {host}\r\n"
    head += f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    await writer.drain()
    told = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(told.split(" ", 2)[1])
    fields = dict(line.split(": ", 1) for line in told.split("\r\n")[1:] if ": " in line)
    await reader.readexactly(int(fields["content-length"]))
    return status, fields


async def client(number, host, token, end, statuses, times, faults):
    """Asks until the time is over; waits as it is told to when the server is busy."""
    port = int(host.rsplit(":", 1)[1])
    while time.monotonic() < end:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while time.monotonic() < end:
                path, body = REQUESTS[number % len(REQUESTS)]
                number += 1
                begun = time.monotonic()
                status, fields = await one(reader, writer, host, token, path, body)
                statuses[status] += 1
                if status == 200:
                    times.append(time.monotonic() - begun)
                elif status == 429:
                    if not fields.get("retry-after", "").isdigit():
                        faults.append(f"429 without Retry-After: {fields}")
                    await asyncio.sleep(0.2)
                else:
                    faults.append(f"{status} for {path}")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            faults.append(f"{error!r}")
        finally:
            writer.close()


def memory(pid):
    """The resident memory of a process in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1000


async def load(host, token, seconds, count, pid):
    """All clients; the memory after a third of the time and at the end."""
    statuses, times, faults = collections.Counter(), [], []
    end = time.monotonic() + seconds
    clients = [
        asyncio.create_task(client(number, host, token, end, statuses, times, faults))
        for number in range(count)
    ]
    await asyncio.sleep(seconds / 3)
    early = memory(pid)
    await asyncio.gather(*clients)
    return statuses, sorted(times), faults, early, memory(pid)


def main():
    """Runs the load."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 64
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("agents/greeter", AGENT), ("examples/greeting", DIALOGUE)):
            path = Path(folder, f"{name}.yaml")
            path.parent.mkdir()
            path.write_text(text)
        Path(folder, "days").mkdir()
        cut(Path(folder, "days/day.mp4"))
        environ = environment(folder)
        subprocess.run([ELENCHUS, "index", "days", "-q"], cwd=folder, env=environ, check=True)
        command = [ELENCHUS, "serve", "days", "--port", "0", "--json", "--trust", "--quiet"]
        server = subprocess.Popen(
            command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True
        )
        host = json.loads(server.stdout.readline())["link"].split("/")[2]
        token = Path(folder, "data/token").read_text().strip()
        statuses, times, faults, early, late = asyncio.run(
            load(host, token, seconds, count, server.pid)
        )
        server.terminate()
        server.wait(30)
    p50, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
    rate = len(times) / seconds
    print(f"{dict(statuses)}: {rate:.0f} answers a second, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    print(f"memory {early:.0f} MB after a third of the time, {late:.0f} MB at the end")
    check("nothing but 200 and 429", not faults and statuses[200] > 0, faults[:10])
    check("the memory does not grow", late < early * 1.1 + 10, (early, late))


if __name__ == "__main__":
    main()
