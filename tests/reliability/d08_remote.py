"""D8: answers of endpoints are limited in size and time."""

import misbehave

GOOD = """version: 1
dialogue: d
cast: { mind: far }
steps:
  said: { say: { agent: mind, text: Well? }, retries: 0 }
answer: "{{ said }}"
"""
MEMORY = 400 << 20


def attacks(section):
    server = misbehave.Server()
    home = section.folder("project")
    (home / "agents").mkdir()
    (home / "good.yaml").write_text(GOOD)
    trusted = ["--trust"] if "--trust" in section.run("run", "--help").out else []

    def attack(behaviour, said, code=1, limits="", seconds=20):
        endpoint = (
            f"endpoint: {{ url: '{server.url(behaviour)}', model: m, timeout: 3s, retries: 0 }}\n"
        )
        (home / "agents" / "far.yaml").write_text(endpoint + limits)
        for way, args in [
            ("streamed", ["try", "far", "--prompt", "hi"]),
            ("run", ["run", "good.yaml"]),
        ]:
            result = section.attack(
                f"{behaviour}, {way}",
                *args,
                *trusted,
                cwd=home,
                codes=(code,),
                err=said,
                memory=MEMORY,
                seconds=seconds,
            )
            if code == 0:
                section.hold(
                    f"{behaviour}, {way}: answered", "fine" in result.out, repr(result.out)
                )
        removed = section.run("memo", "stat", "--json", cwd=home).out
        if code:
            section.hold(f"{behaviour}: nothing is kept", '"exchanges":0' in removed, removed)

    large = "larger than 8388608 bytes"
    attack("bigchunk", large)
    attack("declared", large)
    attack("huge", large)
    attack("gzipbomb", "is not JSON")
    attack("errorbody", "answers 400")
    attack("slowbody", "did not answer within 3s")
    attack("deep", "is not JSON")
    # a run does not stream: it reads these as one body, which has no end and is not JSON
    attack("ssenoline", large)
    attack("ssedata", large)
    small = "limits: { reply_bytes: 100000 }\n"
    attack("ssefast", "larger than 100000 bytes", limits=small)
    attack("ssecomments", f"{large}|did not end within", limits="limits: { reply_time: 4s }\n")
    attack(
        "sseinf",
        "did not end within 4s|did not answer within 3s",
        limits="limits: { reply_time: 4s }\n",
    )
    attack("huge", "larger than 1000 bytes", limits="limits: { reply_bytes: 1000 }\n")
    attack("ok", None, code=0)
    endpoint = (
        f"endpoint: {{ url: '{server.url('sseafter')}', model: m, timeout: 3s, retries: 0 }}\n"
    )
    (home / "agents" / "far.yaml").write_text(endpoint)
    section.attack(
        "a stream that goes on after its end",
        "try",
        "far",
        "--prompt",
        "hi",
        *trusted,
        cwd=home,
        out="fine",
        seconds=10,
    )
