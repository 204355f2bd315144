"""Nothing in a stack reaches out of it: no file, no environment, no secret in another place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lbstack.errors import ConfigError, StackError, UsageError
from lbstack.session import Settings, load_graph

CANARY = "canary-of-the-environment"
ENVIRON = {"LABELBOX_API_KEY": CANARY, "LBSTACK_VAR_s": "canary-of-a-variable", "OTHER": CANARY}


def refused(path: Path) -> str:
    with pytest.raises(StackError) as caught:
        load_graph(Settings(path=path, environ=ENVIRON))
    assert "canary" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "stack"
    made.mkdir()
    (made / "a.yaml").write_text("stack: a\n")
    (tmp_path / "outside.yaml").write_text("canary: canary\n")
    return made


def test_a_link_in_a_stack_leads_nowhere_else(folder: Path) -> None:
    for target in ("../outside.yaml", str(folder.parent / "outside.yaml"), "../stack/../outside.yaml"):
        (folder / "b.yaml").symlink_to(target)
        assert "is a link to a file outside of" in refused(folder)
        (folder / "b.yaml").unlink()
    (folder.parent / "way").symlink_to("outside.yaml")
    (folder / "b.yaml").symlink_to("../way")
    assert "is a link to a file outside of" in refused(folder)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="this system has no /proc")
def test_the_kernels_files_are_not_read(folder: Path) -> None:
    (folder / "b.yaml").symlink_to("/proc/self/environ")
    assert "outside of" in refused(folder)
    assert "is not a regular file" in refused(Path("/proc/self/environ"))
    assert "is not a regular file" in refused(folder / "b.yaml")
    (folder / "b.yaml").unlink()
    with pytest.raises(ConfigError, match="is not a regular file"):
        load_graph(Settings(path=folder, var_files=(Path(f"/proc/{os.getpid()}/environ"),), environ=ENVIRON))


def test_a_link_within_the_folder_is_how_versions_are_switched(folder: Path) -> None:
    (folder / "..data").mkdir()
    (folder / "..data" / "real").write_text("datasets: {d: {name: D}}\n")
    (folder / "b.yaml").symlink_to("..data/real")
    assert [str(address) for address in load_graph(Settings(path=folder, environ={})).order] == ["dataset.d"]
    here = folder.parent / "here"
    here.symlink_to(folder)
    assert load_graph(Settings(path=here, environ={})).order


def test_the_folder_itself_may_be_reached_by_a_link_but_not_left_by_one(folder: Path) -> None:
    sibling = folder.parent / "stack-too"
    sibling.mkdir()
    (sibling / "c.yaml").write_text("canary: 1\n")
    (folder / "b.yaml").symlink_to("../stack-too/c.yaml")
    with pytest.raises(UsageError, match="outside of"):
        load_graph(Settings(path=folder, environ={}))


REACHING = [
    "${env.LABELBOX_API_KEY}", "${env.OTHER}", "${LABELBOX_API_KEY}", "${var.LABELBOX_API_KEY}", "${var.OTHER}",
    "${file('/etc/passwd')}", "${var.s.__class__}", "${dataset.d.name.__init__}", "${var.s}", "a ${var.s} b",
    "${ var.s }", "${dataset.d.secret}", "${webhook.w.secret}", "${webhook.w.allow_insecure_url}", "${${var.s}}",
    "${var.${var.s}}", "${path.module}", "${terraform.workspace}",
]  # fmt: skip


@pytest.mark.parametrize("text", REACHING)
@pytest.mark.parametrize(
    "place",
    [
        "datasets: {d: {name: D}, e: {name: '%s'}}",
        "datasets: {d: {name: D, description: '%s'}}",
        "datasets: {d: {name: D}}\noutputs: {o: '%s'}",
        "datasets: {d: {name: D}}\noutputs: {o: [{a: '%s'}]}",
        "datasets: {d: {name: D}}\nwebhooks: {x: {url: 'https://a.example/%s', topics: [LABEL_CREATED], secret: a-long-secret-is-it}}",
        "datasets: {d: {name: D, lifecycle: {ignore_changes: ['%s']}}}",
        "datasets: {d: {name: D}}\nimports: [{address: dataset.d, id: '%s'}]",
        "datasets: {d: {name: D, previously: '%s'}}",
        "datasets: {'%s': {name: D}}",
        "datasets: {d: {name: D, '%s': x}}",
    ],
)
def test_no_text_reaches_the_environment_a_file_or_a_secret(tmp_path: Path, place: str, text: str) -> None:
    file = tmp_path / "stack.yaml"
    file.write_text(
        "stack: a\nvariables: {s: {secret: true}}\n"
        + (place % text.replace("'", "''"))
        + "\n"
        + (
            ""
            if "webhooks" in place
            else "webhooks: {w: {url: 'https://a.example', topics: [LABEL_CREATED], secret: '${var.s}'}}\n"
        )
    )
    refused(file)


LITERAL = [
    "{0.__class__}",
    "{{7*7}}",
    "{% include 'x' %}",
    "$(id)",
    "`id`",
    "%(s)s",
    "%s",
    "$LABELBOX_API_KEY",
    "#{7*7}",
    "<%= 1 %>",
]


@pytest.mark.parametrize("text", LITERAL)
def test_what_is_a_template_elsewhere_is_text_here(tmp_path: Path, text: str) -> None:
    file = tmp_path / "stack.yaml"
    quoted = text.replace("'", "''")
    file.write_text(
        f"stack: a\nvariables: {{v: {{default: '{quoted}'}}}}\ndatasets: {{d: {{name: '{quoted}', description: '${{var.v}}'}}}}\n"
    )
    fields = next(iter(load_graph(Settings(path=file, environ=ENVIRON)).stack.resources.values())).fields
    assert fields == {"name": text, "description": text}


def test_what_a_variable_holds_is_not_looked_at_again(tmp_path: Path) -> None:
    file = tmp_path / "stack.yaml"
    file.write_text("stack: a\nvariables: {v: {}, s: {secret: true}}\ndatasets: {d: {name: 'x ${var.v}'}}\n")
    graph = load_graph(Settings(path=file, variables={"v": "${var.s}"}, environ=ENVIRON))
    assert next(iter(graph.stack.resources.values())).fields == {"name": "x ${var.s}"}
