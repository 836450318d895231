"""An endpoint on loopback that misbehaves as the first part of the path names. It records its requests."""

import gzip
import json
import socket
import threading
import time

HEAD = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {}\r\n{}\r\n"
JSON, EVENTS = "application/json", "text/event-stream"
BOMB = gzip.compress(b" " * (32 << 20), 1)


def chat(text):
    return json.dumps(
        {
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
            ]
        }
    )


def event(text):
    return f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n".encode()


class Server:
    """Listens on a free port until the process ends."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.requests = []
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, behaviour):
        return f"http://127.0.0.1:{self.port}/{behaviour}/v1"

    def _accept(self):
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65536)
                head, _, body = request.partition(b"\r\n\r\n")
                length = next(
                    (
                        int(line.split(b":")[1])
                        for line in head.split(b"\r\n")
                        if line.lower().startswith(b"content-length")
                    ),
                    0,
                )
                while len(body) < length:
                    body += connection.recv(65536)
                self.requests.append((head.decode(), body))
                behaviour = head.split(b"/")[1].decode()
                key = next(
                    (
                        line.split()[-1]
                        for line in head.decode().split("\r\n")
                        if line.lower().startswith("authorization")
                    ),
                    "",
                )
                self._answer(connection.sendall, behaviour, key, b'"stream":true' in body)
        except OSError:
            pass  # the program hung up

    def _answer(self, send, behaviour, key, streams):
        def whole(text, kind=JSON, more=""):
            body = text if isinstance(text, bytes) else text.encode()
            send(HEAD.format(kind, f"content-length: {len(body)}\r\n{more}").encode() + body)

        def chunk(data):
            send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

        def stream(kind=EVENTS):
            send(HEAD.format(kind, "transfer-encoding: chunked\r\n").encode())

        if behaviour == "ok":
            whole(chat("fine"))
        elif behaviour == "bigchunk":
            stream(JSON)
            while True:
                chunk(b" " * (1 << 20))
        elif behaviour == "declared":
            send(HEAD.format(JSON, f"content-length: {100 << 20}\r\n").encode())
            while True:
                send(b" " * (1 << 20))
        elif behaviour == "huge":
            head, tail = chat("HERE").encode().split(b"HERE")
            words = b"word " * (1 << 16)
            send(
                HEAD.format(
                    JSON, f"content-length: {len(head) + 320 * len(words) + len(tail)}\r\n"
                ).encode()
                + head
            )
            for _ in range(320):  # 100 MB
                send(words)
            send(tail)
        elif behaviour == "gzipbomb":
            whole(BOMB, more="content-encoding: gzip\r\n")
        elif behaviour == "errorbody":
            send(b"HTTP/1.1 400 Bad Request\r\ntransfer-encoding: chunked\r\n\r\n")
            while True:
                chunk(b"no " * (1 << 18))
        elif behaviour == "slowbody":
            stream(JSON)
            while True:
                chunk(b" ")
                time.sleep(0.2)
        elif behaviour == "ssenoline":
            stream()
            while True:
                chunk(b"data: " + b"x" * (1 << 20))
        elif behaviour == "ssedata":
            stream()
            while True:
                chunk(b"data: x\n" * (1 << 16))
        elif behaviour == "ssecomments":
            stream()
            while True:
                chunk(b": still here\n\n" * (1 << 14))
        elif behaviour == "ssefast":
            stream()
            while True:
                chunk(event("word ") * 4096)
        elif behaviour == "sseinf":
            stream()
            while True:
                chunk(event("word "))
                time.sleep(0.2)
        elif behaviour == "sseafter":
            stream()
            chunk(event("fine") + b"data: [DONE]\n\n")
            while True:
                chunk(b": still here\n\n")
                time.sleep(0.2)
        elif behaviour == "deep":
            whole("[" * (1 << 20))
        elif behaviour == "echokey" and streams:
            stream()
            for piece in [f"the key is {key[:5]}", key[5:9], f"{key[9:]} and fine"]:
                chunk(event(piece))
            chunk(b"data: [DONE]\n\n")
            send(b"0\r\n\r\n")
        elif behaviour == "echokey":
            whole(chat(f"the key is {key} and fine"))
        elif behaviour == "echobad":
            whole(f"not json: {key}")
        elif behaviour == "echofinish":
            whole(chat("x").replace('"stop"', json.dumps(key)))
