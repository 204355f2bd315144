"""Members: what needs many people, or somebody who acts between a plan and its apply."""

from __future__ import annotations

from typing import Any

import pytest

from lbstack.api.wire import ApiWire
from lbstack.recover import Patience
from lbstack.sandbox import people
from lbstack.sandbox.roles import BY_NAME
from lbstack.sandbox.world import accept_invite, organization
from lbstack.values import Address, Allowed
from tests.conftest import World
from tests.laws.service import Death
from tests.meanwhile import later

INVITE = """mutation($data: [CreateInviteInput!]) { createInvites(data: $data) { invite { id } } }"""
SEEN = """{ user { id } users(first: 100) { email orgRole { name } }
  organization { id invites { nodes {
    id inviteeEmail organizationRoleName projectInvites { projectRoleName }
  } } }
}"""
ADMIN = "admin@sandbox.example"


def join(world: World, email: str, role: str) -> str:
    with world.workspace.transaction():
        now, org = world.workspace.mint.now(), organization(world.workspace)
        return people.join(world.workspace, org, email, BY_NAME[role].id, now)


def invite(world: World, email: str, role: str) -> None:
    seen = world.graphql(SEEN)
    data = {
        "inviterId": seen["user"]["id"],
        "inviteeEmail": email,
        "organizationId": seen["organization"]["id"],
        "organizationRoleId": BY_NAME[role].id,
    }
    world.graphql(INVITE, data=[data])


def roles(world: World) -> dict[str, str]:
    return {user["email"]: user["orgRole"]["name"] for user in world.graphql(SEEN)["users"]}


def invited(world: World) -> list[tuple[str, str]]:
    nodes = world.graphql(SEEN)["organization"]["invites"]["nodes"]
    return [(node["inviteeEmail"], node["organizationRoleName"]) for node in nodes]


def failure(world: World) -> str:
    (event,) = [event for event in world.events if event.type == "failed"]
    return "; ".join(str(problem) for problem in event.problems)


def members(text: str) -> str:
    return f"stack: test\nprojects: {{one: {{name: One, media_type: IMAGE}}}}\nmembers: {text}\n"


@pytest.mark.slow
def test_many_people_take_few_requests(world: World) -> None:
    for n in range(150):
        join(world, f"P{n}@example.com", "None")
        join(world, f"other{n}@example.com", "Labeler")
    listed = ", ".join(f"p{n}@example.com: {{projects: {{one: LABELER}}}}" for n in range(150))
    world.write(members("{" + listed + "}"))
    assert not world.apply().failed
    before = world.app.state.sandbox.requests
    assert world.plan().empty
    assert world.app.state.sandbox.requests - before < 8
    assert not invited(world)


def test_an_open_invitation_with_the_same_role_is_taken_over(world: World) -> None:
    invite(world, "A@example.com", "Labeler")
    world.write(members("{a@example.com: {role: LABELER}}"))
    assert not world.apply().failed
    assert invited(world) == [("A@example.com", "Labeler")]
    assert world.state.resources[Address("member", "a@example.com")].memory == {"joined": "before"}
    accept_invite(world.workspace, "a@example.com")
    world.write(members("{}"))
    assert not world.apply().failed
    assert roles(world)["A@example.com"] == "Labeler"


def test_open_invitations_with_other_roles_are_replaced(world: World) -> None:
    invite(world, "a@example.com", "Admin")
    invite(world, "a@example.com", "Reviewer")
    world.write(members("{a@example.com: {projects: {one: LABELER}}}"))
    assert not world.apply().failed
    assert invited(world) == [("a@example.com", "None")]
    assert world.plan().empty


def test_a_cancelled_invitation_is_sent_again(world: World) -> None:
    world.write(members("{a@example.com: {role: LABELER}}"))
    assert not world.apply().failed
    (node,) = world.graphql(SEEN)["organization"]["invites"]["nodes"]
    world.graphql(
        "mutation($w: WhereUniqueIdInput!) { cancelInvite(where: $w) { id } }", w={"id": node["id"]}
    )
    assert world.plan().empty  # lists that lack what was only just sent prove nothing
    later(world, 16)
    (change,) = world.plan().actions
    assert (change.action, change.reason) == ("missing", "deleted outside lbstack")
    again = Allowed(recreate=(change.address,))
    (change,) = world.plan(allowed=again).actions
    assert (change.action, change.reason) == ("create", "deleted outside lbstack")
    assert not world.apply(allowed=again).failed
    assert invited(world) == [("a@example.com", "Labeler")]


def test_an_invitation_that_no_list_shows_yet_is_open_and_sent_once(late_world: World) -> None:
    world = late_world
    world.write(members("{a@example.com: {role: LABELER}, b@example.com: {projects: {one: REVIEWER}}}"))
    assert not world.apply().failed
    # Their steps end when a list shows them; other lists may be further behind.
    world.workspace.mint.skew = -30
    assert invited(world) == []
    plan = world.plan()
    assert plan.empty and not plan.drift, plan.actions
    assert plan.notes == (
        "member.a@example.com, member.b@example.com are awaiting the invitee's acceptance.",
    )
    assert not world.apply().failed
    world.workspace.mint.skew = 0
    assert sorted(invited(world)) == [("a@example.com", "Labeler"), ("b@example.com", "None")]


def test_an_address_that_is_new_to_the_service_is_known_by_the_id_of_its_invitation(
    late_world: World,
) -> None:
    """The service answers ``invited`` for an id, and shows the invitation a second later."""
    world = late_world
    world.write(members("{new@example.com: {role: LABELER}}"))
    assert not world.apply().failed
    (node,) = world.graphql(SEEN)["organization"]["invites"]["nodes"]
    entry = world.state.resources[Address("member", "new@example.com")]
    assert entry.id == node["id"] == entry.memory["invitation"]
    assert world.plan().empty
    world.write(members("{}"))
    assert not world.apply().failed
    assert invited(world) == []


def test_a_role_changes_while_no_list_shows_the_invitation(late_world: World) -> None:
    world = late_world
    was = join(world, "a@example.com", "Labeler")  # known to the service, so the id is told at once
    world.graphql("mutation($id: ID!) { updateUser(where: {id: $id}, data: {deleted: true}) { id } }", id=was)
    world.write(members("{a@example.com: {role: LABELER}}"))
    assert not world.apply().failed
    world.workspace.mint.skew = -1.5
    assert invited(world) == []
    world.write(members("{a@example.com: {role: REVIEWER}}"))
    assert [change.action for change in world.plan().actions] == ["update"]
    assert not world.apply().failed
    assert world.plan().empty
    world.workspace.mint.advanced += 3
    assert invited(world) == [("a@example.com", "Reviewer")]


def test_who_accepts_between_plan_and_destroy_leaves_the_organisation(world: World) -> None:
    world.write(members("{a@example.com: {role: LABELER}}"))
    assert not world.apply().failed
    world.write(members("{}"))
    plan = world.plan()
    accept_invite(world.workspace, "a@example.com")
    assert not world.apply(plan).failed
    assert "a@example.com" not in roles(world)


def test_an_invitation_that_is_cancelled_between_plan_and_destroy_is_gone(world: World) -> None:
    """However young it is: the service itself has said so. A destroy that was killed may have done it."""
    world.write(members("{a@example.com: {role: LABELER}}"))
    assert not world.apply().failed
    (node,) = world.graphql(SEEN)["organization"]["invites"]["nodes"]
    world.write(members("{}"))
    plan = world.plan()
    world.graphql(
        "mutation($w: WhereUniqueIdInput!) { cancelInvite(where: $w) { id } }", w={"id": node["id"]}
    )
    assert not world.apply(plan).failed, failure(world)
    assert world.plan().empty


def test_who_accepts_between_plan_and_another_role_is_left_for_the_next_apply(world: World) -> None:
    world.write(members("{a@example.com: {role: LABELER}}"))
    assert not world.apply().failed
    world.write(members("{a@example.com: {role: REVIEWER}}"))
    plan = world.plan()
    accept_invite(world.workspace, "a@example.com")
    assert world.apply(plan).failed
    assert "no longer open; run apply again" in failure(world)
    assert not world.apply().failed
    assert roles(world)["a@example.com"] == "Reviewer"
    assert world.plan().empty


def test_an_address_in_other_letters_is_found_when_the_service_does_not_invite_it(world: World) -> None:
    join(world, "Ann.Smith@Example.com", "Labeler")
    world.write(members("{ann.smith@example.COM: {role: REVIEWER}}"))
    assert not world.apply().failed
    assert roles(world)["Ann.Smith@Example.com"] == "Reviewer"
    assert not invited(world)
    assert world.plan().empty


def test_the_last_admin_stays_admin(world: World) -> None:
    world.write(members(f"{{{ADMIN}: {{role: LABELER}}}}"))
    assert world.apply().failed
    assert "last Admin" in failure(world)
    assert roles(world)[ADMIN] == "Admin"


def test_the_owner_of_the_key_is_not_removed(world: World) -> None:
    join(world, "boss@example.com", "Admin")
    world.write(members(f"{{{ADMIN}: {{role: ADMIN}}}}"))
    assert not world.apply().failed
    state = world.state
    address = Address("member", ADMIN)
    entry = state.resources[address]
    entry.memory["joined"] = "invited"  # type: ignore[index]
    state, journal = world.store.begin(state)
    world.store.save(state.with_entry(address, entry))
    journal.close()
    world.write(members("{}"))
    assert world.apply().failed
    assert "owns the API key in use" in failure(world)
    assert roles(world)[ADMIN] == "Admin"


def test_other_roles_on_a_project_survive_a_new_invitation(world: World) -> None:
    text = (
        "stack: test\nprojects: {one: {name: One, media_type: IMAGE}, two: {name: Two, media_type: IMAGE}}\n"
    )
    world.write(text + "members: {a@example.com: {projects: {one: LABELER, two: LABELER}}}\n")
    assert not world.apply().failed
    world.write(text + "members: {a@example.com: {role: NONE}}\n")
    assert world.plan().empty and not world.apply().failed  # the projects are left to others now
    world.write(text + "members: {a@example.com: {projects: {one: REVIEWER}}}\n")
    assert not world.apply().failed
    (node,) = world.graphql(SEEN)["organization"]["invites"]["nodes"]
    assert sorted(each["projectRoleName"] for each in node["projectInvites"]) == ["Labeler", "Reviewer"]
    assert world.plan().empty


def test_a_project_that_is_gone_takes_its_roles_with_it(world: World) -> None:
    join(world, "a@example.com", "None")
    world.write(members("{a@example.com: {projects: {one: LABELER}}}"))
    assert not world.apply().failed
    project = world.state.resources[Address("project", "one")].id
    world.graphql(
        "mutation($id: ID!) { updateProject(where: {id: $id}, data: {deleted: true}) { id } }", id=project
    )
    assert {str(change.address): change.action for change in world.plan().actions} == {
        "project.one": "missing",
        "member.a@example.com": "update",
    }
    again = Allowed(recreate=(Address("project", "one"),))
    assert {str(change.address): change.action for change in world.plan(allowed=again).actions} == {
        "project.one": "create",
        "member.a@example.com": "update",
    }
    assert not world.apply(allowed=again).failed
    assert world.plan().empty
    world.write("stack: test\n")
    assert not world.apply().failed
    assert roles(world)["a@example.com"] == "None"


ANN = "ann@example.com"
MEMBER = Address("member", ANN)
STACK = f"stack: test\nmembers: {{{ANN}: {{role: %s}}}}\n"


def cut_off(world: World, monkeypatch: pytest.MonkeyPatch, *, sent: bool = True) -> None:
    """Invite somebody, begin to invite them with another role, and die before or after that was `sent`."""
    world.write(STACK % "LABELER")
    assert not world.apply().failed
    world.write(STACK % "ADMIN")
    mutate = ApiWire.mutate

    async def until_death(self: ApiWire, document: str, **variables: Any) -> dict[str, Any]:
        if "createInvites" in document and not sent:
            raise Death
        answer = await mutate(self, document, **variables)
        if "createInvites" in document:
            raise Death
        return answer

    with monkeypatch.context() as patch, pytest.raises(Death):
        patch.setattr(ApiWire, "mutate", until_death)
        world.apply()
    assert len(invited(world)) == 1 + sent


def test_who_is_wanted_again_after_a_killed_apply_cancelled_their_invitation_is_invited_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However young the invitation was: that no list shows it is no question of its age."""
    world.write(STACK % "LABELER")
    assert not world.apply().failed
    world.write("stack: test\n")
    mutate = ApiWire.mutate_experimental

    async def until_death(self: ApiWire, document: str, **variables: Any) -> dict[str, Any]:
        await mutate(self, document, **variables)
        raise Death

    with monkeypatch.context() as patch, pytest.raises(Death):
        patch.setattr(ApiWire, "mutate_experimental", until_death)
        world.apply()
    assert invited(world) == []
    world.write(STACK % "LABELER")
    assert [change.action for change in world.plan().actions] == ["create"]
    assert not world.apply().failed
    assert invited(world) == [(ANN, "Labeler")]
    assert world.plan().empty


@pytest.mark.parametrize("role", ["ADMIN", "LABELER", "REVIEWER"])
def test_an_invitation_of_an_apply_that_was_cut_off_never_stays_beside_the_one_that_is_wanted(
    world: World, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    cut_off(world, monkeypatch)
    world.write(STACK % role)
    assert not world.plan().empty
    assert not world.apply().failed
    assert invited(world) == [(ANN, role.capitalize())]
    assert world.plan().empty and not world.plan(destroy=True).empty
    assert not world.apply(destroy=True).failed
    assert invited(world) == []


@pytest.mark.parametrize("destroy", [False, True])
@pytest.mark.parametrize("cancelled", [False, True])
def test_an_invitation_of_an_apply_that_was_cut_off_goes_with_the_member(
    world: World, monkeypatch: pytest.MonkeyPatch, destroy: bool, cancelled: bool
) -> None:
    cut_off(world, monkeypatch)
    if cancelled:
        world.workspace.run("DELETE FROM invites WHERE id = ?", (world.state.resources[MEMBER].id,))
        later(world, 16)
    if not destroy:
        world.write("stack: test\n")
    assert not world.apply(destroy=destroy).failed
    assert invited(world) == []
    assert world.state.resources == {}


def test_who_accepts_an_invitation_of_an_apply_that_was_cut_off_gets_the_role_that_is_wanted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(world, monkeypatch)
    accept_invite(world.workspace, ANN)
    assert roles(world)[ANN] == "Admin"
    world.write(STACK % "LABELER")
    world.patience = Patience(0.2, lambda: None)
    assert not world.apply().failed
    assert invited(world) == [] and roles(world)[ANN] == "Labeler"
    assert world.plan().empty


def test_an_invitation_that_was_never_sent_is_waited_for_and_then_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(world, monkeypatch, sent=False)
    world.write(STACK % "LABELER")
    assert [str(step.address) for step in world.apply().unknown] == [f"member.{ANN}"]  # nobody waits
    world.patience = Patience(0.2, lambda: None)
    assert not world.apply().failed
    assert invited(world) == [(ANN, "Labeler")]
    assert world.plan().empty


def test_what_somebody_else_sent_meanwhile_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_off(world, monkeypatch)
    invite(world, ANN, "Team Manager")
    world.write(STACK % "LABELER")
    assert not world.apply().failed
    assert invited(world) == [(ANN, "Labeler"), (ANN, "Team Manager")]


@pytest.mark.parametrize("then", ["LABELER", "REVIEWER", None])
def test_whatever_comes_after_an_invitation_that_could_not_be_cancelled_leaves_what_is_wanted(
    world: World, then: str | None
) -> None:
    world.write(STACK % "LABELER")
    assert not world.apply().failed
    world.write(STACK % "ADMIN")
    world.workspace.run("CREATE TRIGGER fail BEFORE DELETE ON invites BEGIN SELECT RAISE(ABORT, 'no'); END")
    assert world.apply().failed
    world.workspace.run("DROP TRIGGER fail")
    world.write(STACK % then if then else "stack: test\n")
    assert not world.apply().failed
    assert invited(world) == ([(ANN, then.capitalize())] if then else [])
    assert world.plan().empty


def test_an_old_invitation_that_could_not_be_cancelled_is_cancelled_by_the_next_apply(world: World) -> None:
    stack = "stack: test\nmembers: {ann@example.com: {role: %s}}\n"
    world.write(stack % "LABELER")
    assert not world.apply().failed
    world.write(stack % "REVIEWER")
    world.workspace.run("CREATE TRIGGER fail BEFORE DELETE ON invites BEGIN SELECT RAISE(ABORT, 'no'); END")
    assert [str(step.address) for step in world.apply().failed] == ["member.ann@example.com"]
    assert world.workspace.value("SELECT count(*) FROM invites") == 2
    world.workspace.run("DROP TRIGGER fail")
    assert not world.apply().failed
    assert world.workspace.value("SELECT count(*) FROM invites") == 1
    assert world.plan().empty
