"""Who may do what (API reference 1.5; the permissions themselves are the sandbox's)."""

from __future__ import annotations

import pytest
from documents import ATTACH, NEW_DATASET, NEW_ROW, dataset, project
from workspace import Workspace

from lbstack.sandbox import world
from lbstack.sandbox.roles import ADMIN, BY_NAME

MUTATIONS = {
    "dataset": 'createDataset(data: {name: "x"}) { id }',
    "dataset update": 'updateDataset(where: {id: "DATASET"}, data: {deleted: true}) { id }',
    "signer": 'clearSignerForDataset(where: {id: "DATASET"}) { id }',
    "project": 'createProject(data: {name: "x"}) { id }',
    "project update": 'updateProject(where: {id: "PROJECT"}, data: {name: "y"}) { id }',
    "review": 'upsertReviewQueue(where: {project: {id: "PROJECT"}}, data: {quotaFactor: 1}) { id }',
    "nested": 'project(where: {id: "PROJECT"}) { showPredictionsToLabelers(show: true) { id } }',
    "ontology": 'upsertOntology(data: {name: "x", normalized: "{}"}) { id }',
    "webhook": 'createWebhook(data: {topics: {set: [LABEL_CREATED]}, url: "http://a.b", secret: "s"}) { id }',
    "member": 'addMembersToOrganization(data: {emails: ["a@b.co"], orgRoleId: "LABELER"}) { newUserId }',
    "integration": 'createAwsIamIntegration(data: {name: "x"}) { id }',
    "org role": 'setOrganizationRole(data: {userId: "USER", roleId: "LABELER"}) { id }',
}
ONLY_ADMIN = {"integration", "org role"}


def with_role(box: Workspace, role: str, email: str | None = None) -> Workspace:
    return Workspace(box.client, box.store, world.create_key(box.store, role, email))


def filled(box: Workspace, text: str) -> str:
    names = {"DATASET": dataset(box), "PROJECT": project(box), "LABELER": BY_NAME["Labeler"].id}
    names["USER"] = box.ask(
        'mutation { addMembersToOrganization(data: {emails: ["u@b.co"], orgRoleId: "%s"}) { newUserId } }'  # noqa: UP031
        % ADMIN
    )[0]["newUserId"]
    for name, ident in names.items():
        text = text.replace(name, ident)
    return "mutation { %s }" % text  # noqa: UP031 - braces


@pytest.mark.parametrize("what", MUTATIONS)
def test_an_admin_may_do_everything(box: Workspace, what: str) -> None:
    box.ask(filled(box, MUTATIONS[what]))


@pytest.mark.parametrize("what", MUTATIONS)
def test_a_team_manager_may_do_all_but_integrations_and_organization_roles(box: Workspace, what: str) -> None:
    document = filled(box, MUTATIONS[what])
    manager = with_role(box, "Team Manager")
    if what in ONLY_ADMIN:
        assert manager.refused(document)[0] == "AUTHORIZATION_ERROR"
    else:
        manager.ask(document)


@pytest.mark.parametrize("role", ["Labeler", "Reviewer", "None", "Read-only Admin"])
@pytest.mark.parametrize("what", MUTATIONS)
def test_others_change_nothing(box: Workspace, what: str, role: str) -> None:
    document = filled(box, MUTATIONS[what])
    before = box.store.ledger()
    code, _ = with_role(box, role).refused(document)
    # Somebody without an organization role does not even see the project.
    assert code in {"AUTHORIZATION_ERROR", "RESOURCE_NOT_FOUND" if role == "None" else ""}
    assert box.store.ledger() == before


def test_a_team_manager_makes_no_admins(box: Workspace) -> None:
    document = (
        'mutation { addMembersToOrganization(data: {emails: ["a@b.co"], orgRoleId: "%s"}) { newUserId } }'
    )
    assert with_role(box, "Team Manager").refused(document % ADMIN)[0] == "AUTHORIZATION_ERROR"


def test_a_read_only_admin_sees_everything(box: Workspace) -> None:
    dataset(box)
    reader = with_role(box, "Read-only Admin")
    assert len(reader.ask("{ datasets { id } }")) == 1
    assert reader.ask("{ organization { webhooks { id } invites { nodes { id } } } }")["webhooks"] == []


def test_a_labeler_of_the_organization_sees_projects_and_their_datasets_only(box: Workspace) -> None:
    p, attached, loose = project(box), dataset(box, "attached"), dataset(box, "loose")
    box.ask(ATTACH, p=p, d=attached)
    labeler = with_role(box, "Labeler")
    assert labeler.ask("{ projects { id } }") == [{"id": p}]
    assert labeler.ask("{ datasets { id } }") == [{"id": attached}]
    read = "query ($d: ID!) { dataset(where: {id: $d}) { id } }"
    assert labeler.refused(read, d=loose)[0] == "RESOURCE_NOT_FOUND"


def test_what_belongs_to_no_project_is_hidden_from_all_but_managers(box: Workspace) -> None:
    made = [
        box.ask(f"mutation {{ {MUTATIONS[what]} }}")["id"] for what in ("webhook", "integration", "ontology")
    ]
    box.ask(
        """mutation ($r: ID!) { inviteMembers(data: {emails: ["a@b.co"], workspaceWide: true, roleId: $r}) {
          results { status } } }""",
        r=ADMIN,
    )
    box.wait(1)
    everything = """{ a: organization { webhooks { id } invites { nodes { id } } } b: iamIntegrations { id }
      c: ontologies { nodes { id } } }"""

    def seen(asking: Workspace) -> int:
        return str(
            asking.client.post("/graphql", json={"query": everything}, headers=asking.headers).json()["data"]
        ).count("'id'")

    assert seen(with_role(box, "Team Manager")) == seen(box) == 4
    assert seen(with_role(box, "Labeler")) == seen(with_role(box, "None")) == 0
    read = "query ($w: ID!) { webhook(where: {id: $w}) { id } }"
    assert with_role(box, "Reviewer").refused(read, w=made[0])[0] == "RESOURCE_NOT_FOUND"


def test_without_organization_role_one_sees_the_projects_one_was_put_on(box: Workspace) -> None:
    mine, other = project(box, "mine"), project(box, "other")
    d = dataset(box)
    box.ask(ATTACH, p=mine, d=d)
    row = box.ask(NEW_ROW, d=d)["id"]
    roles = [{"projectId": mine, "roleId": BY_NAME["Labeler"].id}]
    box.ask(
        """mutation ($r: [ProjectMembershipsInput!], $o: ID!) { addMembersToOrganization(
          data: {emails: ["n@b.co"], orgRoleId: $o, projectRoles: $r}) { newUserId } }""",
        r=roles,
        o=BY_NAME["None"].id,
    )
    somebody = with_role(box, "None", "n@b.co")
    assert somebody.ask("{ projects { id } }") == [{"id": mine}]
    assert (
        somebody.refused("query ($p: ID!) { project(where: {id: $p}) { id } }", p=other)[0]
        == "RESOURCE_NOT_FOUND"
    )
    assert somebody.ask("{ datasets { id dataRows { id } } }") == [{"id": d, "dataRows": [{"id": row}]}]
    assert somebody.refused(NEW_DATASET, name="x")[0] == "AUTHORIZATION_ERROR"
    stranger = with_role(box, "None")
    assert stranger.ask("{ projects { id } }") == []
    assert (
        stranger.refused("query ($r: ID!) { dataRow(where: {id: $r}) { id } }", r=row)[0]
        == "RESOURCE_NOT_FOUND"
    )


def test_a_key_without_a_role_of_its_own_follows_its_owner(box: Workspace) -> None:
    manager = box.as_role(BY_NAME["Labeler"].id)
    assert manager.refused(NEW_DATASET, name="x")[0] == "AUTHORIZATION_ERROR"
    user = manager.ask("{ user { id } }")["id"]
    box.store.update("users", user, {"orgRoleId": ADMIN})
    assert manager.ask(NEW_DATASET, name="x")["id"]


def test_a_key_needs_a_known_role_and_a_member(box: Workspace) -> None:
    with pytest.raises(ValueError, match="unknown role"):
        world.create_key(box.store, "King")
    with pytest.raises(ValueError, match="not a member"):
        world.create_key(box.store, "Admin", "nobody@x.io")
