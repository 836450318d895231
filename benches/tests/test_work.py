"""The work that a transcript shows: what was computed, once, and nothing that a memo answered."""

import work

BASE = {"num": 1, "den": 10}


def line(path, kind, request, reply, attempts=1):
    return {
        "exchange": path,
        "request": {kind: request},
        "reply": {kind: reply},
        "timing": {"memo_hit": attempts == 0, "elapsed_ms": 1, "attempts": attempts},
    }


def frame(ticks):
    return {"frame": {"start": {"ticks": ticks, "base": BASE}}}


def rank(path, ticks, *texts, attempts=1):
    scores = [{"text": text, "score": len(text)} for text in texts]
    return line(path, "rank", {"what": frame(ticks), "texts": texts}, scores, attempts)


def say(path, content, text, tokens):
    request = {
        "messages": [{"role": "user", "content": content}],
        "raw": False,
        "decoding": {"max_tokens": 9},
    }
    return line(path, "say", request, {"text": text, "tokens": tokens, "finish": "stop"})


def test_a_transcript_gives_what_was_computed():
    sound = {"start": None, "end": {"ticks": 25, "base": BASE}}
    lines = [
        {"format": 1},
        rank("place[0]", 10, "a cafe", "a park"),
        rank("place[1]", 0, "a cafe", "a park"),
        rank("thing[0]", 10, "keys"),
        rank("thing[1]", 0, "keys", attempts=0),
        line("speech", "hear", sound, [{"text": "we need"}, {"text": "milk"}]),
        say("candidates[0]", "a cafe?", "Drinking", [1, 2]),
        say("candidates[1]", "a park?", "Walking", [3]),
        say("answer", "where?", "here", [4]),
        {"outcome": "answered", "timing": {"exchanges": 8}},
    ]
    made = work.of(lines)
    assert made.frames == [0, 10] and made.tick == (1, 10)
    assert made.ranks == [(1, ["a cafe", "a park"]), (0, ["a cafe", "a park"]), (1, ["keys"])]
    assert made.best == ["a cafe", "a cafe", "keys"]
    assert (made.sounds, made.heard) == ([(None, 2.5)], "we need milk")
    # prompts of one step are independent of each other; those of the next step wait for them
    assert [[one["said"] for one in step] for step in made.says] == [
        ["Drinking", "Walking"],
        ["here"],
    ]
    assert made.says[0][0]["length"] == 2
    assert made.counts == {"rank": 3, "hear": 1, "say": 3}
    assert made.exchanges == 8


def test_a_selection_names_each_time_once():
    assert work.selection([3]) == "eq(pts,3)"
    assert work.selection([]) == "0"
    chosen = work.selection([1, 2, 3, 4, 5])
    assert chosen == "if(lt(pts,3),eq(pts,1)+eq(pts,2),if(lt(pts,4),eq(pts,3),eq(pts,4)+eq(pts,5)))"
