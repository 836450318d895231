"""D10: the program neither shows nor keeps a key that a server sends back. Kept files belong to the user alone."""

import os

import misbehave
from d08_remote import GOOD

KEY = "sk-very-secret-0123456789"


def attacks(section):
    server = misbehave.Server()
    home = section.folder("project")
    (home / "agents").mkdir()
    (home / "good.yaml").write_text(GOOD)
    trusted = ["--trust"] if "--trust" in section.run("run", "--help").out else []
    env = section.environment(FAR_KEY=KEY, RUST_LOG="trace")
    shows = {
        "echokey": (0, r"the key is \[key\] and fine"),
        "echobad": (1, None),
        "echofinish": (1, None),
    }
    for behaviour, (code, out) in shows.items():
        endpoint = f"endpoint: {{ url: '{server.url(behaviour)}', model: m, key_env: FAR_KEY, retries: 0 }}\n"
        (home / "agents" / "far.yaml").write_text(endpoint)
        ways = [
            ("streamed", ["try", "far", "--prompt", "hi"]),
            ("whole", ["try", "far", "--prompt", "hi", "--json"]),
            ("recorded", ["run", "good.yaml", "--record", f"{behaviour}.jsonl"]),
        ]
        for way, args in ways:
            section.attack(
                f"{behaviour}, {way}",
                *args,
                *trusted,
                cwd=home,
                env=env,
                codes=(code,),
                out=out,
                never=[KEY],
            )
    section.hold("the key was sent", any(KEY in head for head, _ in server.requests))
    kept = [
        path
        for path in section.scratch.rglob("*")
        if path.is_file() and KEY.encode() in path.read_bytes()
    ]
    section.hold("the key is in no file", not kept, kept)

    cache = section.home / ".cache" / "elenchus" / "memo"
    section.hold("there is a memo", (cache / "memo.sqlite").is_file())
    _closed(section, cache, "made by the program")
    for path in [cache, *cache.rglob("*")]:
        os.chmod(path, 0o777)
    section.attack("an open memo", "memo", "stat", cwd=home)
    _closed(section, cache, "open before")


def _closed(section, folder, when):
    """Only the user can read these."""
    for path in [folder, folder / "replies", folder / "memo.sqlite"]:
        mode = path.stat().st_mode & 0o777
        section.hold(f"{path.name}, {when}: closed to others", mode & 0o077 == 0, oct(mode))
