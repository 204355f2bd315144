"""A team's whole life through the vendor's own client, unmodified: two organizations, a restart in the middle.

Names and counts are random, and told when something fails. Counts lie about the client's page sizes
(100, and 500 for data rows), where a list that is cut or repeated would show.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from annotation_lines import EVERYTHING, GOOD

from lbstack.sandbox import aws, world
from lbstack.sandbox.seed import open_store
from lbstack.sandbox.server import running

labelbox = pytest.importorskip("labelbox")
exceptions = pytest.importorskip("lbox.exceptions")
AwsSettings = pytest.importorskip("labelbox.schema.iam_integration").AwsIamIntegrationSettings

pytestmark = pytest.mark.slow

AROUND_A_PAGE = (99, 100, 101)
ABOUT = (*AROUND_A_PAGE, 499, 500, 501)


class Team:
    """One organization, and what it believes to have made."""

    def __init__(self, key: str, rng: random.Random) -> None:
        self.key, self.rng = key, rng
        self.projects = {self.name() for _ in range(rng.choice(AROUND_A_PAGE))}
        self.datasets = {self.name() for _ in range(rng.choice(AROUND_A_PAGE))}
        self.rows = [self.name() for _ in range(rng.choice(ABOUT))]
        self.labelled = sorted(rng.sample(self.rows, rng.randint(3, 9)))
        self.ids: dict[str, str] = {}
        self.client: Any = None

    def name(self) -> str:
        """Something no other test is called, with characters that people type."""
        return f"{self.rng.choice(['zahn', 'зуб', '歯', 'tooth'])} {uuid.UUID(int=self.rng.getrandbits(128))}"

    def connect(self, endpoint: str) -> None:
        rest = endpoint.replace("/graphql", "/api/v1")
        self.client = labelbox.Client(self.key, endpoint=endpoint, rest_endpoint=rest)

    # what happens before the restart

    def set_up_access(self, put_role: Any) -> None:
        """The client's own sequence: create, sign, validate, and take back what cannot be read."""
        arn = f"arn:aws:iam::123456789012:role/r{self.rng.getrandbits(40)}"
        org, name = self.client.get_organization(), self.name()
        made = org.create_iam_integration(name, AwsSettings(role_arn=arn, read_bucket=None))
        with pytest.raises(ValueError, match="not valid"):
            self.client.create_dataset(name="unreadable", iam_integration=made)
        assert list(self.client.get_datasets()) == []
        assert made.validate()["valid"] is False
        put_role(arn, made.uid)
        assert made.validate()["valid"] is True
        made.set_as_default()
        assert org.get_default_iam_integration().uid == made.uid
        signed = self.client.create_dataset(name=self.name())
        assert signed.iam_integration().uid == made.uid
        self.datasets.add(signed.name)

    def make_much(self) -> None:
        for name in sorted(self.datasets):
            if name not in {
                each.name for each in self.client.get_datasets(where=labelbox.Dataset.name == name)
            }:
                self.client.create_dataset(name=name, description=name[::-1], iam_integration=None)
        modes = labelbox.schema.quality_mode.QualityMode
        for name in sorted(self.projects):
            mode = {self.rng.choice([modes.Benchmark, modes.Consensus])}
            self.client.create_project(name=name, media_type=labelbox.MediaType.Image, quality_modes=mode)

    def bring_data(self) -> None:
        dataset = self.client.create_dataset(name=self.name(), iam_integration=None)
        self.datasets.add(dataset.name)
        told = [
            {"row_data": "https://a.example/1.jpg", "global_key": key, "external_id": key}
            for key in self.rows
        ]
        task = dataset.create_data_rows([*told, told[0]])
        task.wait_till_done()
        assert task.status == "COMPLETE"
        assert f"Duplicate global key: '{self.rows[0]}'" in str(task.errors)
        self.ids["dataset"] = dataset.uid

    def label_some(self) -> None:
        project = next(self.client.get_projects(where=labelbox.Project.name == min(self.projects)))
        ontology = self.client.create_ontology(self.name(), EVERYTHING, media_type=labelbox.MediaType.Image)
        project.connect_ontology(ontology)
        batch = project.create_batch(self.name(), global_keys=self.rows, priority=self.rng.randint(1, 5))
        assert batch.size == len(self.rows)
        lines = [
            {"uuid": str(uuid.uuid4()), "dataRow": {"globalKey": key}, **GOOD[kind]}
            for key in self.labelled
            for kind in ("bbox", "radio")
        ]
        done = labelbox.LabelImport.create_from_objects(self.client, project.uid, self.name(), lines)
        done.wait_till_done(sleep_time_seconds=0.2)
        assert done.errors == []
        self.ids |= {"project": project.uid, "batch": batch.uid, "ontology": ontology.uid}

    # what must be so before and after it

    def check(self) -> None:
        client = self.client
        assert {each.name for each in client.get_datasets()} == self.datasets
        assert {each.name for each in client.get_projects()} == self.projects
        assert len(list(client.get_projects())) == len(self.projects)
        dataset, project = client.get_dataset(self.ids["dataset"]), client.get_project(self.ids["project"])
        assert sorted(row.global_key for row in dataset.data_rows()) == sorted(self.rows)
        assert dataset.row_count == len(self.rows)
        assert project.get_label_count() == len(self.labelled)
        assert sorted(each.data_row().global_key for each in project.labels()) == self.labelled
        assert client.get_ontology(self.ids["ontology"]).uid == project.ontology().uid

    def check_export(self) -> None:
        project = self.client.get_project(self.ids["project"])
        task = project.export(params={"label_details": True})
        task.wait_till_done()
        lines = [line.json for line in task.get_buffered_stream(stream_type=labelbox.StreamType.RESULT)]
        assert sorted(line["data_row"]["global_key"] for line in lines) == sorted(self.rows)
        told = {
            line["data_row"]["global_key"]: line["projects"][project.uid]["labels"]
            for line in lines
            if line["projects"][project.uid]["labels"]
        }
        assert sorted(told) == self.labelled
        for (label,) in told.values():
            assert [each["annotation_kind"] for each in label["annotations"]["objects"]] == [
                "ImageBoundingBox"
            ]
            assert len(label["annotations"]["classifications"]) == 1

    # what happens after it

    def take_down(self) -> None:
        project = self.client.get_project(self.ids["project"])
        for each in list(project.labels())[:2]:
            each.delete()
        assert project.get_label_count() == len(self.labelled) - 2
        gone = self.client.get_data_row_by_global_key(self.labelled[-1])
        gone.delete()
        assert project.get_label_count() == len(self.labelled) - 3 or len(self.labelled) == 3
        self.client.get_dataset(self.ids["dataset"]).delete()
        project.delete()
        self.client.delete_unused_ontology(self.ids["ontology"])
        assert len(list(self.client.get_projects())) == len(self.projects) - 1

    def sees_nothing_of(self, other: Team) -> None:
        for kind, get in [("dataset", self.client.get_dataset), ("project", self.client.get_project)]:
            with pytest.raises(exceptions.ResourceNotFoundError):
                get(other.ids[kind])
        with pytest.raises(exceptions.ResourceNotFoundError):
            self.client.get_data_row_by_global_key(other.rows[0])


@contextmanager
def served(folder: Path, teams: list[Team]) -> Iterator[None]:
    with running(folder) as (endpoint, _):
        for team in teams:
            team.connect(endpoint)
        yield


def test_two_teams_work_and_a_restart_loses_nothing(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    rng = random.Random(seed)
    store = open_store(tmp_path)
    teams = [Team(key, rng) for key in (world.admin_key(store), world.add_organization(store, "Other"))]
    store.close()

    def put_role(arn: str, external_id: str) -> None:
        cloud = open_store(tmp_path)
        aws.put_role(cloud.conn, arn, external_id=external_id)
        cloud.close()

    with served(tmp_path, teams):
        for team in teams:
            team.set_up_access(put_role)
            team.make_much()
            team.bring_data()
            team.label_some()
            team.check()
    with served(tmp_path, teams):
        for team in teams:
            team.check()
            team.check_export()
        teams[0].sees_nothing_of(teams[1])
        teams[1].sees_nothing_of(teams[0])
        for team in teams:
            team.take_down()
