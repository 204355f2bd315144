"""``lbstack sandbox key|organization|accept-invite``: what a settings page would do."""

from __future__ import annotations

import json

from tests.cli.conftest import Cli


def test_keys_are_made_listed_and_revoked(cli: Cli) -> None:
    made = cli("sandbox", "key", "create", "--role", "Labeler", "--expires", "1h")
    assert made.returncode == 0
    assert made.stdout.count(".") == 2
    first, second = json.loads(cli("sandbox", "key", "list").stdout)
    assert (first["role"], second["role"], second["revoked"]) == ("Admin", "Labeler", False)
    assert made.stdout.strip() not in cli("sandbox", "key", "list").stdout
    assert cli("sandbox", "key", "revoke", second["id"]).returncode == 0
    assert json.loads(cli("sandbox", "key", "list").stdout)[1]["revoked"] is True


def test_what_is_not_there_is_wrong_usage(cli: Cli) -> None:
    for arguments, told in [
        (("key", "create", "--role", "King"), "unknown role 'King': one of Admin"),
        (("key", "create", "--role", "Admin", "--organization", "No"), "no organization named 'No'"),
        (("key", "create", "--role", "Admin", "--expires", "soon"), "'soon' is no duration"),
        (("key", "create", "--role", "Admin", "--expires", "999999999h"), "a hundred years"),
        (("key", "create", "--role", "Admin", "--expires", "0s"), "a key holds for a second"),
        (("key", "revoke", "no"), "no key with the id no"),
        (("accept-invite", "a@x.io"), "no invite is open for a@x.io"),
    ]:
        done = cli("sandbox", *arguments)
        assert done.returncode == 64
        assert told in done.stderr
        assert "Traceback" not in done.stderr


def test_an_organization_has_a_key_of_its_own(cli: Cli) -> None:
    key = cli("sandbox", "organization", "create", "Other").stdout.strip()
    assert key.count(".") == 2
    told = json.loads(cli("sandbox", "organization", "list").stdout)
    assert [(each["name"], each["members"]) for each in told] == [("Sandbox", 1), ("Other", 1)]
    assert cli("sandbox", "organization", "create", "Other").returncode == 64


def test_each_command_says_which_data_it_used(cli: Cli) -> None:
    for words in (
        ("key", "create", "--role", "Admin"),
        ("key", "list"),
        ("organization", "create", "Other"),
        ("accept-invite", "a@x.io"),
        ("aws", "put-bucket", "signs"),
        ("deliveries",),
        ("reset", "--auto-approve"),
    ):
        for data in (".lbstack", "other data"):
            more = () if data == ".lbstack" else ("--data", data)
            done = cli("sandbox", *words, *more)
            assert f"The sandbox's data is in {cli.folder / data}\n" in done.stderr, (words, done.stderr)
            assert data not in done.stdout


def test_data_that_is_broken_is_emptied_where_it_is(cli: Cli) -> None:
    assert cli("sandbox", "key", "list", "--data", "other data").returncode == 0
    (cli.folder / "other data" / "sandbox.db").write_text("no database " * 1000)
    done = cli("sandbox", "key", "list", "--data", "other data")
    assert done.stderr.endswith("to empty it and begin anew: lbstack sandbox reset --data 'other data'\n")
