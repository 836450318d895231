"""D3: chat templates of a checkpoint that never end, take all memory or overflow the stack."""

import json
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

SHARED = "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40
NEST = "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = NEXT %}{% endfor %}"
GROW = "{% set ns = namespace(s='xx') %}{% for i in range(36) %}{% set ns.s = NEXT %}{% endfor %}"
ROUND = "{% for i in range(99999) %}"

# the model is at fault: exit code 4 and one line
BAD = {
    "not": "{{ " + "not " * 100_000 + "1 }}",
    "plus": "{{ " + "1+" * 100_000 + "1 }}",
    "attributes": "{{ messages" + ".a" * 100_000 + " }}",
    "filters": "{{ messages" + "|abs" * 100_000 + " }}",
    "elif": "{% if 1 %}" + "{% elif 1 %}\n" * 50_000 + "{% endif %}",
    "brackets": "{{ " + "[" * 50_000 + "1" + "]" * 50_000 + " }}",
    "nested": NEST.replace("NEXT", "[ns.l]") + "{{ ns.l }}",
    "nested json": NEST.replace("NEXT", "[ns.l]") + "{{ ns.l | tojson }}",
    "nested batch": NEST.replace("l=[]", "l=[1]").replace("NEXT", "ns.l | batch(1)"),
    "nested dict": NEST.replace("NEXT", "dict(a=ns.l)"),
    "nested namespace": NEST.replace("NEXT", "namespace(l=ns.l)"),
    "indent": "{{ [[1]] | tojson(indent=10000000000) }}",
    "grow": GROW.replace("NEXT", "ns.s ~ ns.s"),
    "grow replace": GROW.replace("NEXT", "ns.s.replace('x', 'xx')"),
    "grow join": GROW.replace("NEXT", "ns.s.join([ns.s, ns.s])"),
    "loops": ROUND * 3 + "x" + "{% endfor %}" * 3,
    "macro": "{% macro m(n) %}{{ m(n - 1) }}{{ m(n - 1) }}{% endmacro %}{{ m(1000) }}",
    "own list ==": "{% set ns = namespace() %}{% set ns.l = [ns, ns] %}{{ ns == [ns.l] }}{{ [ns.l] == [ns.l, 1] }}",
    "own list json": "{% set ns = namespace() %}{% set ns.l = [ns, ns] %}{{ ns | tojson }}",
    "format": "{{ '%1000000000d' | format(1) }}",
    "str.format": "{{ '{:1000000000}'.format(1) }}",
    "indent filter": "{{ 'x' | indent(10**10) }}",
    "shared ~": SHARED + "{{ a ~ '' }}",
    "shared key": SHARED + "{{ {a: 1} | length }}",
    "shared ==": SHARED + "{{ a == [a] }}",
    "shared in": SHARED + "{{ a in [[a]] }}",
    "shared json": SHARED + "{{ a | tojson }}",
    "shared sort": SHARED + "{{ [a, [a]] | sort }}",
    "shared unique": SHARED + "{{ [a, [a]] | unique | list }}",
    "range": "{{ range(10**9) | list }}",
    "recursive loop": "{% for x in [[]] recursive %}{{ loop([[]]) }}{% endfor %}",
    "undefined": "{{ nobody.name.first }}",
    "unknown filter": "{{ messages | nosuch }}",
    "include": "{% include '/etc/passwd' %}",
    "syntax": "{% if %}",
    "raises": "{{ raise_exception('roles must alternate\n\x1b[31m') }}",
    "output": "{{ 'x' * 9000000 }}",
    "empty": "{% set x = 1 %}",
    "raises forever": SHARED + "{{ raise_exception(a) }}",
}
# valid, however odd
ODD = {
    "lazy slices": NEST.replace("l=[]", "l=[1]").replace("NEXT", "ns.l[0:]") + "hi",
    "namespace chain": "{% set first = namespace() %}{% set ns = namespace(last=first) %}"
    + ROUND
    + "{% set new = namespace() %}{% set ns.last.next = new %}{% set ns.last = new %}{% endfor %}hi",
    "generation": "{% for m in messages %}{%- generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
}


def attacks(section):
    model = section.folder("model")
    for file in (ROOT / "agents" / "starter" / "lm").iterdir():
        if file.is_file():
            shutil.copy(file, model / file.name)
    settings = json.loads((model / "tokenizer_config.json").read_text())
    for name, template in {**BAD, **ODD}.items():
        (model / "tokenizer_config.json").write_text(
            json.dumps({**settings, "chat_template": template})
        )
        code, err = (4, "^error: .*template") if name in BAD else (0, None)
        section.attack(
            name,
            "try",
            "--model",
            model,
            "--prompt",
            "hi",
            "--max-tokens",
            "1",
            codes=(code,),
            err=err,
            seconds=40,
            memory=1 << 30,
        )
