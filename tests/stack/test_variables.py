"""``${…}``: values by precedence, types kept, one pass, and secrets only where they belong."""

from __future__ import annotations

from typing import Any

import pytest

from lbstack.errors import ConfigError, StackError
from lbstack.stack.model import Stack
from lbstack.values import Ref, Secret, Template, Unset
from tests.stack.made_up import Desk, box, shelf

CANARY = "c4n4ry-$tr0ng-s3cret"
HELP = "write ${var.NAME} or ${KIND.KEY.ATTRIBUTE}; $${ is a literal ${"
OF_A_BOX = "there are id, name, shelf, near, keepers, labels, anything"
TAKEN = "a secret must be the whole value of a field that takes one"
THERE_ARE = "there are name, shelf, near, keepers, labels, token, note, anything, lifecycle, previously"
NOT_TAKEN = f"secret variable 'key' stands in a field that takes no secret; {TAKEN}"


def field(stack: Stack, name: str = "anything", key: str = "a") -> Any:
    return stack.resources[box(key)].fields[name]


def with_value(value: str, declared: str = "v: {default: dev}") -> str:
    return f"stack: x\nvariables: {{{declared}}}\nboxes:\n  a:\n    name: A\n    anything: {value}\n"


def test_values_come_from_the_command_line_then_files_then_the_environment_then_the_default(
    desk: Desk,
) -> None:
    first = desk.write("first.vars", "v: file")
    second = desk.write("second.vars", "v: later file")
    text = with_value("${var.v}")
    environ = {"LBSTACK_VAR_v": "environment", "LBSTACK_VAR_other": "ignored"}
    assert field(desk.load(text)) == "dev"
    assert field(desk.load(text, environ=environ)) == "environment"
    assert field(desk.load(text, environ=environ, var_files=[first])) == "file"
    assert field(desk.load(text, environ=environ, var_files=[first, second])) == "later file"
    assert field(desk.load(text, environ=environ, var_files=[first], variables={"v": "line"})) == "line"


@pytest.mark.parametrize(
    ("default", "value"),
    [
        ("7", 7),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("[1, {a: b}]", [1, {"a": b"b".decode()}]),
        ("'7'", "7"),
    ],
)
def test_a_text_that_is_one_variable_takes_its_type(desk: Desk, default: str, value: object) -> None:
    assert field(desk.load(with_value("${var.v}", f"v: {{default: {default}}}"))) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a-${var.v}-b", "a-dev-b"),
        ("${var.v}${var.n}", "dev7"),
        ("x${var.yes}", "xtrue"),
        ("$${var.v}", "${var.v}"),
        ("$$${var.v}", "$${var.v}"),
        ("$$ ${var.v} $", "$$ dev $"),
        ("$var.v", "$var.v"),
        ("${ var.v }", "dev"),
        ("${var.wild} !", "${var.v} {0.__class__} {{7*7}} !"),
        ("${var.wild}", "${var.v} {0.__class__} {{7*7}}"),
        ("{{7*7}} %s {0}", "{{7*7}} %s {0}"),
        ("${box.a.id}", Template((Ref(box("a")),))),
        ("${var.v}: ${shelf.s.serial}/${var.n}", Template(("dev: ", Ref(shelf("s"), "serial"), "/7"))),
        ("${shelf.a.b@c.d.id}", Template((Ref(shelf("a.b@c.d")),))),
        ("$${${shelf.s.name}}", Template(("${", Ref(shelf("s"), "name"), "}"))),
    ],
)
def test_texts_are_expanded_once(desk: Desk, text: str, value: object) -> None:
    declared = (
        "v: {default: dev}, n: {default: 7}, yes: {default: true}, "
        "wild: {default: '${var.v} {0.__class__} {{7*7}}'}"
    )
    stack = desk.load(with_value(f"'{text}'", declared))
    assert field(stack) == value


def test_text_from_outside_fits_number_fields(desk: Desk) -> None:
    text = "stack: x\nvariables: {n: , b: }\nshelves: {s: {name: a, rows: '${var.n}', open: '${var.b}'}}\n"
    stack = desk.load(text, variables={"n": "3"}, environ={"LBSTACK_VAR_b": "false"})
    assert stack.resources[shelf("s")].fields == {"name": "a", "rows": 3, "open": False}


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("${var.w}", "6:15: unknown variable 'w'; declare it under variables:"),
        ("${var.wv}", "6:15: unknown variable 'wv'; did you mean 'v'?"),
        (
            "a ${var.v",
            "6:15: ${ without its }; " + HELP,
        ),
        (
            "${a ${var.v}}",
            "6:15: ${ without its }; " + HELP,
        ),
        ("${}", "6:15: cannot read ${}; " + HELP),
        (
            "${upper(var.v)}",
            "6:15: cannot read ${upper(var.v)}; " + HELP,
        ),
        (
            "${env.HOME}",
            "6:15: cannot read ${env.HOME}; " + HELP,
        ),
        ("${boxes.a.id}", "6:15: unknown kind 'boxes' in ${boxes.a.id}; did you mean 'box'?"),
        ("${box.a.nam}", "6:15: a box has no attribute 'nam' to refer to; did you mean 'name'?"),
        (
            "${box.a.token}",
            "6:15: a box has no attribute 'token' to refer to; " + OF_A_BOX,
        ),
        (
            "${box.a.note}",
            "6:15: a box has no attribute 'note' to refer to; " + OF_A_BOX,
        ),
        (
            "${box.a.serial}",
            "6:15: a box has no attribute 'serial' to refer to; " + OF_A_BOX,
        ),
        ("{'${var.v}': 1}", "6:16: ${…} in the key '${var.v}'; keys are literal"),
        (
            "[b, ['x${var.nothing}']]",
            "6:20: variable 'nothing' is null and stands inside other text; give it text",
        ),
        ("x ${var.list}", "6:15: variable 'list' is a list and stands inside other text; give it text"),
    ],
)
def test_what_cannot_be_expanded(desk: Desk, value: str, complaint: str) -> None:
    declared = "v: {default: dev}, nothing: {default: null}, list: {default: []}"
    quoted = value if value[0] in "{[" else f"{value}"
    assert desk.complaints(with_value(quoted, declared)) == [f"s.yaml:{complaint}"]


@pytest.mark.parametrize(
    ("declared", "complaint"),
    [
        (
            "1a: {default: 1}",
            "s.yaml:2:13: '1a' is no name for a variable; use letters, digits, _ and -; begin with a letter",
        ),
        (
            "v: {defualt: 1, default: 2}",
            "s.yaml:2:17: unknown key 'defualt' in variables.v; did you mean 'default'?",
        ),
        ("v: 3", "s.yaml:2:13: variables.v should be a mapping; write {default: …}"),
        ("v: {default: 1, secret: often}", "s.yaml:2:37: variables.v.secret should be true or false"),
        ("v: {default: 1, description: [a]}", "s.yaml:2:29: variables.v.description should be text"),
        (
            "v: {}",
            "s.yaml:2:13: variable 'v' has no value; "
            "set LBSTACK_VAR_v, pass --var v=VALUE, or give it a default",
        ),
    ],
)
def test_what_is_wrong_with_a_declaration(desk: Desk, declared: str, complaint: str) -> None:
    assert desk.complaints(f"stack: x\nvariables: {{{declared}}}\n") == [complaint]


def test_values_for_undeclared_variables_are_refused_but_the_environment_may_hold_anything(
    desk: Desk,
) -> None:
    path = desk.write("v.vars", "v: 1\nvv: 2\n")
    told = desk.complaints(
        "stack: x\nvariables: {v: }\n",
        variables={"w": "1", "zzz": "2"},
        var_files=[path],
        environ={"LBSTACK_VAR_y": "3"},
    )
    assert told == [
        "variable 'w' given by --var is not declared in the stack; declare it under variables:",
        "variable 'zzz' given by --var is not declared in the stack; declare it under variables:",
        "v.vars:2:1: variable 'vv' is not declared in the stack; did you mean 'v'?",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[a]", "v.vars:1:1: a variables file is one mapping; write NAME: VALUE, one a line"),
        ("v: 1\n---\nv: 2\n", "v.vars:1:1: a variables file is one mapping; write NAME: VALUE, one a line"),
        ("v: 1\nv: 2\n", "v.vars:2:1: duplicate key 'v'; it stands at v.vars:1:1 already"),
    ],
)
def test_what_is_wrong_with_a_variables_file(desk: Desk, text: str, complaint: str) -> None:
    path = desk.write("v.vars", text)
    assert desk.complaints("stack: x\nvariables: {v: {default: 1}}\n", var_files=[path]) == [complaint]


def test_a_missing_variables_file_is_a_problem(desk: Desk) -> None:
    told = desk.complaints("stack: x\n", var_files=[desk.folder / "no.vars"])
    assert told == ["no.vars:1:1: cannot be read: no such file or directory"]


# -- without values -----------------------------------------------------------------------------


def test_a_stack_can_be_validated_without_values(desk: Desk) -> None:
    text = (
        "stack: x\nvariables: {n: , s: {secret: true}}\n"
        "shelves: {s: {name: '${var.n}', rows: '${var.n}'}}\n"
        "boxes:\n  a: {name: 'A ${var.n}', shelf: s, token: '${var.s}', labels: ['${var.n}']}\n"
        "outputs: {o: '${var.n}'}\nimports: [{address: box.a, id: '${var.n}'}]\n"
    )
    stack = desk.load(text, require_values=False, environ={"LBSTACK_VAR_s": ""})
    assert stack.resources[shelf("s")].partial
    assert stack.resources[shelf("s")].fields == {}
    assert stack.resources[box("a")].fields == {"shelf": Ref(shelf("s"))}
    assert stack.outputs["o"].value == Unset("n")
    assert stack.imports == ()


def test_without_values_other_mistakes_are_still_told(desk: Desk) -> None:
    text = "stack: x\nvariables: {n: }\nboxes:\n  a: {nam: '${var.n}', labels: 3}\n"
    assert desk.complaints(text, require_values=False) == [
        "s.yaml:4:3: boxes.a has no name; add name: …",
        "s.yaml:4:7: unknown key 'nam' in boxes.a; did you mean 'name'?",
        "s.yaml:4:32: boxes.a.labels should be a list",
    ]


# -- secrets ------------------------------------------------------------------------------------

SECRET = "stack: x\nvariables: {key: {secret: true}, v: {default: a}}\n"


def test_a_secret_goes_where_it_is_taken(desk: Desk) -> None:
    stack = desk.load(SECRET + "boxes: {a: {name: A, token: '${var.key}'}}\n", variables={"key": CANARY})
    token = field(stack, "token")
    assert isinstance(token, Secret)
    assert (token.reveal(), token.variable) == (CANARY, "key")
    assert CANARY not in repr(stack)
    other = desk.load(
        SECRET + "boxes: {a: {name: A, token: '${var.key}'}}\n", variables={"key": "x" + CANARY}
    )
    assert other.digest == stack.digest


@pytest.mark.parametrize(
    ("rest", "complaints"),
    [
        (
            "boxes: {a: {name: '${var.key}'}}",
            ["3:19: " + NOT_TAKEN],
        ),
        (
            "boxes: {a: {name: 'x ${var.key}'}}",
            ["3:19: secret variable 'key' stands inside other text; " + TAKEN],
        ),
        (
            "boxes: {a: {name: x, token: 'x ${var.key}'}}",
            ["3:29: secret variable 'key' stands inside other text; " + TAKEN],
        ),
        (
            "boxes: {a: {name: x, anything: [{b: '${var.key}'}]}}",
            ["3:22: " + NOT_TAKEN],
        ),
        (
            "boxes: {a: {name: x, labels: ['${var.key}']}}",
            ["3:31: " + NOT_TAKEN],
        ),
        (
            "boxes: {a: {name: x, shelf: '${var.key}'}}",
            ["3:29: " + NOT_TAKEN],
        ),
        (
            "boxes: {a: {name: x, nme: '${var.key}'}}",
            ["3:22: unknown key 'nme' in boxes.a; did you mean 'name'?"],
        ),
        (
            "boxes: {a: {name: x, '${var.key}': 1}}",
            [
                "3:22: unknown key '${var.key}' in boxes.a; " + THERE_ARE,
                "3:22: ${…} in the key '${var.key}'; keys are literal",
            ],
        ),
        (
            "boxes: {'${var.key}': {name: x}}",
            ["3:9: '${var.key}' is no key; a key has no blanks, no control characters and no ${"],
        ),
        (
            "boxes: {a: {name: x, previously: '${var.key}'}}",
            ["3:34: " + NOT_TAKEN],
        ),
        (
            "outputs: {o: {a: ['${var.key}']}}",
            ["3:14: " + NOT_TAKEN],
        ),
        (
            "imports: [{address: box.a, id: '${var.key}'}]",
            ["3:32: " + NOT_TAKEN],
        ),
    ],
)
def test_a_secret_may_stand_nowhere_else_and_is_never_shown(
    desk: Desk, rest: str, complaints: list[str]
) -> None:
    told = desk.complaints(SECRET + rest + "\n", environ={"LBSTACK_VAR_key": CANARY})
    assert sorted(line.removeprefix("s.yaml:") for line in told) == sorted(complaints)
    assert CANARY not in "".join(told)


@pytest.mark.parametrize("value", ["", "[a]", "{a: b}"])
def test_what_cannot_be_a_secret_is_not_shown_either(desk: Desk, value: str) -> None:
    path = desk.write("v.vars", f"key: {value or repr('')}\n")
    with pytest.raises(StackError) as caught:
        desk.load(SECRET, var_files=[path])
    assert len(caught.value.problems) == 1


def test_a_number_or_null_from_a_file_can_be_a_secret(desk: Desk) -> None:
    text = SECRET + "boxes: {a: {name: A, token: '${var.key}'}}\n"
    assert field(desk.load(text, var_files=[desk.write("v.vars", "key: 12345")]), "token").reveal() == "12345"
    assert field(desk.load(text, var_files=[desk.write("v.vars", "key: null")]), "token") is None


@pytest.mark.parametrize("broken", [
    "boxes: {a: {name: ${var.key}, token: hunter",
    "boxes: {a: {nam: A, token: '${var.key}', labels: '${var.key}', near: ['${var.key}']}}",
    "boxes: {a: {name: A, keepers: {s: '${var.key}'}, anything: '${var.key}'}}",
    "shelves: {s: {rows: '${var.key}', load: '${var.key}', open: '${var.key}', material: '${var.key}'}}",
    "boxes: {cursed: {name: A, token: '${var.key}'}}",
    "moved: [{from: '${var.key}', to: '${var.key}'}]",
])  # fmt: skip
def test_no_problem_of_any_stage_tells_a_secret(desk: Desk, broken: str) -> None:
    path = desk.write("v.vars", f"key: {CANARY}\nother: {CANARY}\n")
    with pytest.raises(ConfigError) as caught:
        desk.load(SECRET + broken + "\n", var_files=[path])
    seen = [str(caught.value), repr(caught.value), *map(repr, caught.value.problems)]
    error: BaseException | None = caught.value
    while error is not None:
        seen.append(str(error))
        error = error.__cause__
    assert CANARY not in "".join(seen)


def test_control_characters_and_halves_of_surrogates_from_outside_are_refused(desk: Desk) -> None:
    for value in ("a\x1b[31m", "a\udcff", "a\0"):
        told = desk.complaints("stack: x\nvariables: {v: }\n", variables={"v": value})
        assert told == ["s.yaml:2:13: the value of variable 'v' holds control characters; remove them"]


def test_long_values_used_often_end_early(desk: Desk) -> None:
    uses = "".join(f"  b{n}: {{name: 'x${{var.v}}'}}\n" for n in range(1000))
    told = desk.complaints("stack: x\nvariables: {v: }\nboxes:\n" + uses, variables={"v": "a" * 100_000})
    assert told == [
        "s.yaml:87:15: with its variables the stack has too much text; use long values less often"
    ]
    uses = uses.replace("'x${var.v}'", "a, anything: '${var.v}'")
    path = desk.write("v.vars", f"v: [{'1, ' * 40_000}]")
    told = desk.complaints("stack: x\nvariables: {v: }\nboxes:\n" + uses, var_files=[path])
    assert told == [
        "s.yaml:7:27: with its variables the stack has too many values; use long values less often"
    ]
