"""The one next command: it can be pasted as it stands, does the same, and shows no secret."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from dataclasses import replace
from typing import Any

from lbstack.state.snapshot import decode, encode
from lbstack.state.store import Store
from tests.cli.conftest import STACK, Cli, graphql
from tests.cli.proxy import losing

BROKEN = """\
stack: signs
variables:
  s: {secret: true}
  word: {default: x}
integrations:
  bucket: {provider: aws, name: Signs, role_arn: "arn:aws:iam::123456789012:role/none"}
webhooks:
  w: {url: 'https://a.example.com', topics: [LABEL_CREATED], secret: '${var.s}'}
outputs: {word: "${var.word}"}
"""


def next_command(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 1, done.stderr
    return shlex.split(done.stdout.splitlines()[-1])


def test_every_option_that_matters_is_said_again(cli: Cli) -> None:
    cli.write(BROKEN, "my stack.yaml")
    cli.write("word: y\n", "words file.yaml")
    words = [
        "my stack.yaml", "--sandbox", "--state=st.json", "--var-file=words file.yaml", "--parallelism", "3", "--rate=900",
        "--target=integration.bucket", "--lock-timeout", "5s", "--auto-approve", "--settle=1m", "--no-wait",
    ]  # fmt: skip
    done = cli("apply", *words, env={"LBSTACK_VAR_s": "hunter2secret"})
    again = next_command(done)
    assert again[:3] == ["lbstack", "apply", "my stack.yaml"]
    assert set(again[3:]) == {
        "--sandbox", "--state", "st.json", "--var-file", "words file.yaml", "--parallelism", "3", "--rate", "900",
        "--target", "integration.bucket", "--lock-timeout", "5s", "--auto-approve", "--settle", "60s", "--no-wait",
    }  # fmt: skip
    repeated = cli(*again[1:], env={"LBSTACK_VAR_s": "hunter2secret"})
    assert next_command(repeated) == again
    assert not list((cli.folder / ".lbstack").glob("signs@*"))


def test_a_secret_is_named_and_not_shown(cli: Cli) -> None:
    cli.write(BROKEN)
    done = cli("apply", "--sandbox", "--auto-approve", "--var", "s=hunter2secret", "--var", "word=a b")
    assert "hunter2secret" not in done.stdout + done.stderr
    assert next_command(done) == ["lbstack", "apply", "--sandbox", "--var", "word=a b", "--auto-approve"]
    assert "set LBSTACK_VAR_s" in done.stdout


def test_destroy_says_destroy_again(served: Cli) -> None:
    assert served("apply", "--auto-approve").returncode == 0
    with losing(served.env["LABELBOX_ENDPOINT"], "mutation DeleteDataset", "a 502") as endpoint:
        before = decode(next((served.folder / ".lbstack").glob("*.json")).read_bytes(), b"", "", "")
        state = served.folder / "there.json"
        state.write_bytes(encode(replace(before.state, endpoint=endpoint), before.generation, "")[0])
        place = ("--state", str(state), "--endpoint", endpoint)
        done = served("destroy", "--auto-approve", "--no-wait", *place)
        assert done.returncode == 4
        again = shlex.split(done.stdout.splitlines()[-1])
        assert again[:2] == ["lbstack", "destroy"]
        assert {*place, "--auto-approve", "--no-wait"} == {*again[2:]}


def test_a_saved_plan_is_applied_where_it_was_made(cli: Cli) -> None:
    done = cli("plan", "--sandbox", "--state", "st 1.json", "--out", "p 1.json")
    command = done.stderr.rsplit("carry it out with: ", 1)[1].strip()
    assert shlex.split(command) == ["lbstack", "apply", "p 1.json", "--sandbox", "--state", "st 1.json"]
    elsewhere = cli("apply", "p 1.json")
    assert elsewhere.returncode == 7
    assert "give --sandbox" in elsewhere.stderr
    assert "LABELBOX_API_KEY" not in elsewhere.stderr
    other = cli("apply", "p 1.json", "--sandbox")
    assert other.returncode == 7
    assert "--state" in other.stderr
    assert cli(*shlex.split(command)[1:]).returncode == 0


def test_a_saved_plan_that_failed_half_way_is_to_be_planned_again(cli: Cli) -> None:
    cli.write(BROKEN)
    env = {"LBSTACK_VAR_s": "hunter2secret"}
    assert cli("plan", "--sandbox", "--out", "p.json", env=env).returncode == 0
    done = cli("apply", "p.json", "--sandbox", env=env)
    assert "plan again into p.json" in done.stdout
    assert next_command(done) == ["lbstack", "apply", "p.json", "--sandbox"]


def test_a_plan_for_elsewhere_says_which_endpoint(served: Cli) -> None:
    served("plan", "--out", "p.json")
    done = served("apply", "p.json", "--sandbox")
    assert done.returncode == 7
    assert "leave --sandbox out" in done.stderr
    done = served("apply", "p.json", "--endpoint", "https://other.example.com/graphql")
    assert done.returncode == 7
    assert f"--endpoint {served.env['LABELBOX_ENDPOINT']}" in done.stderr


PLACE = ("my stack.yaml", "--sandbox", "--state", "my state.json")
"""Where the stack, its state and its workspace are, in words that a shell would take apart."""


def placed(cli: Cli, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return cli(*words, *PLACE, **more)


def named(text: str, verb: str) -> list[str]:
    """The words of the command that a message names, which ends with the line or a semicolon."""
    told = text.split(f"lbstack {verb}", 1)
    assert len(told) == 2, text
    return [*verb.split(), *shlex.split(told[1].splitlines()[0].split(";")[0])]


def at_home(cli: Cli) -> None:
    (cli.folder / "stack.yaml").rename(cli.folder / "my stack.yaml")
    assert placed(cli, "apply", "--auto-approve").returncode == 0


def test_what_is_unknown_is_looked_up_where_it_was_looked_for(cli: Cli) -> None:
    at_home(cli)
    for words in (
        ["plan", "--target=dataset.none"],
        ["state", "show", "dataset.none"],
        ["state", "rm", "dataset.none"],
    ):
        told = placed(cli, *words)
        again = named(told.stderr, "state list")
        assert again == ["state", "list", *PLACE]
        assert cli(*again).stdout == "dataset.signs\n"
    told = cli("output", PLACE[0], "nothing", *PLACE[1:])
    assert cli(*named(told.stderr, "output")).stdout.startswith("dataset = ")


def test_a_damaged_state_is_restored_where_it_lies(cli: Cli) -> None:
    at_home(cli)
    state = cli.folder / "my state.json"
    old = state.read_bytes()
    cli.write(STACK.replace("Photos", "Signs"), "my stack.yaml")
    assert placed(cli, "apply", "--auto-approve").returncode == 0
    state.write_bytes(b"")
    again = named(placed(cli, "plan").stderr, "state restore")
    assert again == ["state", "restore", *PLACE]
    assert cli(*again).returncode == 0
    state.write_bytes(old)
    again = shlex.split(placed(cli, "plan").stderr.rsplit("lbstack ", 1)[1])
    assert again == ["state", "restore", str(json.loads(old)["serial"]), *PLACE]
    assert cli(*again).returncode == 0
    again = named(cli("state", "restore", "99", *PLACE).stderr, "state restore")
    assert again == ["state", "restore", "--list", *PLACE]
    assert cli(*again).returncode == 0


def test_a_journal_that_is_damaged_is_cured_where_it_lies(cli: Cli) -> None:
    at_home(cli)
    state = cli.folder / "my state.json"
    store = Store(state, "signs", "sandbox")
    _, journal = store.begin(store.load())
    journal.add({"outputs": {}})
    journal.add({"outputs": {"a": 1}})
    journal.close()
    for path in store.journals:
        path.write_bytes(path.read_bytes().replace(b"outputs", b"outpost", 1))
    done = placed(cli, "plan")
    assert done.returncode == 7
    again = named(done.stderr, "state restore")
    assert again == ["state", "restore", *PLACE]
    assert cli(*again).returncode == 0


def test_what_is_missing_or_doubtful_is_forgotten_where_it_is_remembered(served: Cli) -> None:
    (served.folder / "stack.yaml").rename(served.folder / "my stack.yaml")
    place = (PLACE[0], "--endpoint", served.env["LABELBOX_ENDPOINT"], *PLACE[2:])
    assert served("apply", "--auto-approve", *place).returncode == 0
    store = Store(served.folder / "my state.json", "signs", served.env["LABELBOX_ENDPOINT"])
    _, journal = store.begin(store.load())
    journal.add({"intent": "create", "address": "dataset.other", "id": None})
    journal.close()
    again = named(served("plan", *place).stderr, "state rm")
    assert again == ["state", "rm", "dataset.other", *place]
    assert served(*again).returncode == 0
    id = served("output", place[0], "dataset", "--raw", *place[1:]).stdout.strip()
    graphql(
        served, "mutation($id: ID!) { updateDataset(where: {id: $id}, data: {deleted: true}) { id } }", id=id
    )
    told = served("plan", *place, "--settle", "0s").stderr
    again = named(told.split("to forget it")[1], "state rm")
    assert again == ["state", "rm", "dataset.signs", *place]
    assert served(*again).returncode == 0
    assert "1 to add" in served("plan", *place).stdout


def test_a_stack_that_was_emptied_is_taken_down_where_it_is(cli: Cli) -> None:
    at_home(cli)
    cli.write("stack: signs\n", "my stack.yaml")
    done = placed(cli, "plan")
    again = named(done.stderr, "destroy")
    assert again == ["destroy", *PLACE]
    assert cli(*again, "--auto-approve").returncode == 0


def test_a_lost_state_is_rebuilt_with_the_values_that_were_given(cli: Cli) -> None:
    stack = STACK.replace("Photos", "'${var.word}'") + "variables: {word: {}, s: {secret: true}}\n"
    cli.write(stack, "my stack.yaml")
    values = ("--var", "word=a b", "--var", "s=hunter2secret")
    assert placed(cli, "apply", "--auto-approve", *values).returncode == 0
    for path in cli.folder.glob("my state.json*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    done = placed(cli, "plan", *values)
    assert "hunter2secret" not in done.stdout + done.stderr
    again = named(done.stderr, "state rebuild")
    assert again == ["state", "rebuild", *PLACE, "--var", "word=a b"]
    assert named(done.stderr, "state new") == ["state", "new", *PLACE]
    rebuilt = cli(*again, env={"LBSTACK_VAR_s": "hunter2secret"})
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert cli(*named(rebuilt.stdout, "plan"), env={"LBSTACK_VAR_s": "hunter2secret"}).returncode == 0


def test_a_saved_plan_names_the_stack_that_it_was_made_of(cli: Cli) -> None:
    at_home(cli)
    assert placed(cli, "plan", "--out", "p.json").returncode == 0
    (cli.folder / "my state.json").write_bytes(b"")
    done = cli("apply", "p.json", *PLACE[1:])
    assert named(done.stderr, "state restore") == ["state", "restore", *PLACE]
