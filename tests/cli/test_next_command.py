"""The one next command: it can be pasted as it stands, does the same, and shows no secret."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace

from lbstack.state.snapshot import decode, encode
from tests.cli.conftest import Cli
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
        "--target=integration.bucket", "--lock-timeout", "5s", "--auto-approve",
    ]  # fmt: skip
    done = cli("apply", *words, env={"LBSTACK_VAR_s": "hunter2secret"})
    again = next_command(done)
    assert again[:3] == ["lbstack", "apply", "my stack.yaml"]
    assert set(again[3:]) == {
        "--sandbox", "--state", "st.json", "--var-file", "words file.yaml", "--parallelism", "3", "--rate", "900",
        "--target", "integration.bucket", "--lock-timeout", "5s", "--auto-approve",
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
        assert {*place, "--auto-approve"} == {*again[2:]}


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
