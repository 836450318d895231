"""Renders the chat templates of tests/fixtures/chat with jinja2, configured as transformers
configures it, and writes tests/fixtures/chat/expected.json, which tests/chat_templates.rs compares
with. It needs only jinja2 (3.1):

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install jinja2
    /tmp/venv/bin/python tests/parity/make_chat_fixtures.py

The settings are those of `transformers.utils.chat_template_utils._compile_jinja_template` (4.5x):
trim_blocks, lstrip_blocks, the sandbox, loop controls, `tojson` without HTML escapes,
`raise_exception` and `strftime_now`. Dates are written as `<date FORMAT>`, so that a fixture does
not depend on the day.
"""

import json
from pathlib import Path

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "chat"
TOKENS = {"bos_token": "<BOS>", "eos_token": "<EOS>", "unk_token": "<UNK>", "pad_token": "<PAD>"}

SYSTEM = {"role": "system", "content": "You answer in one line.\nBe kind."}
USER = {"role": "user", "content": "  Wo ist der Schlüssel? <b>\"x\" & 'y'</b> {{ 7 * 7 }}\n"}
ANSWER = {"role": "assistant", "content": "<think>\nhm\n</think>\n\nIn the kitchen. 🗝️"}
MORE = {"role": "user", "content": "Sure?\n\n\nReally\tsure?"}
CONVERSATIONS = {
    "question": [USER],
    "system": [SYSTEM, USER],
    "turns": [USER, ANSWER, MORE],
    "system and turns": [SYSTEM, USER, ANSWER, MORE, ANSWER, USER],
    "empty": [],
    "two questions": [USER, MORE],
}


def environment():
    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(
            value,
            ensure_ascii=ensure_ascii,
            indent=indent,
            separators=separators,
            sort_keys=sort_keys,
        )

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = lambda form: f"<date {form}>"
    return made


def rendered(template, messages, **switches):
    """The prompt, or none if the template refuses the messages."""
    try:
        return template.render(
            messages=messages,
            tools=None,
            documents=None,
            add_generation_prompt=True,
            **TOKENS,
            **switches,
        )
    except (jinja2.exceptions.TemplateError, TypeError, IndexError):
        return None


def main():
    made, expected = (
        environment(),
        {"conversations": CONVERSATIONS, "tokens": TOKENS, "prompts": {}, "thinking": {}},
    )
    for file in sorted(FOLDER.glob("*.jinja")):
        template = made.from_string(file.read_text())
        expected["prompts"][file.stem] = {
            name: rendered(template, said) for name, said in CONVERSATIONS.items()
        }
        if "enable_thinking" in file.read_text():
            expected["thinking"][file.stem] = {
                name: [rendered(template, said, enable_thinking=think) for think in (False, True)]
                for name, said in CONVERSATIONS.items()
            }
    text = json.dumps(expected, ensure_ascii=False, indent=1)
    (FOLDER / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
