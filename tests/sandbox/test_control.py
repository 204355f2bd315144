"""The control port: who may ask, what is refused, and the world's switches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from controlling import LIST, NEW, Box, controlled

from lbstack.sandbox.server import running
from tests import loopback

ME = "{ user { id } organization { name } }"
PAGE = "query ($skip: Int) { datasets(skip: $skip, first: 2) { name } }"
GET = "query ($id: ID!) { dataset(where: {id: $id}) { id } }"
SEARCH = "query ($s: String) { ontologies(where: {search: $s}) { nodes { name } } }"
ONTOLOGY = """mutation ($n: String!) {
  upsertOntology(data: {name: $n, normalized: "{\\"tools\\": [], \\"classifications\\": []}"}) { id } }"""


@pytest.fixture(scope="module")
def served() -> Iterator[Box]:
    with controlled() as box:
        yield box


@pytest.fixture
def box(served: Box) -> Box:
    served.tell("POST", "/reset", {})
    return served


def world(box: Box, **switches: Any) -> Any:
    return box.tell("POST", "/world", switches)


PATHS = [
    ("PUT", "/faults"), ("GET", "/faults"), ("DELETE", "/faults"), ("POST", "/world"), ("POST", "/edit"),
    ("POST", "/clock"), ("GET", "/ledger"), ("GET", "/requests"), ("GET", "/snapshot"), ("POST", "/reset"),
    ("POST", "/barrier/x/release"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_only_the_ports_own_token_opens_it_and_only_there(box: Box, method: str, path: str) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, box.headers):
        answer = loopback.request(method, box.served.control + path, json={}, headers=headers)
        assert answer.status_code == 401
    inside = loopback.request(
        method, box.base + path, json={}, headers={"authorization": f"Bearer {box.served.token}"}
    )
    assert inside.status_code == 404
    with running() as (endpoint, key):
        plain = endpoint.replace("/graphql", path)
        assert loopback.request(method, plain, headers={"authorization": f"Bearer {key}"}).status_code == 404


RULE: dict[str, Any] = {"at": "before_exec", "do": [{"delay_ms": 1}]}
WRONG_RULES = [
    1, "x", None, {}, [], {"at": "before_exec"}, {"do": []}, {**RULE, "at": "never"}, {**RULE, "do": []},
    {**RULE, "do": {}}, {**RULE, "id": 1}, {**RULE, "id": ""}, {**RULE, "more": 1}, {**RULE, "seed": "x"},
    *({**RULE, "match": match} for match in (
        1, {"op": 1}, {"op": ""}, {"type": "subscription"}, {"nth": 0}, {"nth": 1.5}, {"every": -1},
        {"p": 2}, {"p": "x"}, {"p": True}, {"max": -1}, {"name_re": "("}, {"run": 1}, {"more": 1},
    )),
    *({**RULE, "do": [do]} for do in (
        1, {}, {"more": 1}, {"delay_ms": -1}, {"delay_ms": 1, "hang": True}, {"hang": False},
        {"http": {}}, {"http": {"status": 99}}, {"http": {"status": 200, "body": 1}},
        {"http": {"status": 502, "headers": {"a b": "c"}}}, {"http": {"status": 502, "headers": {"a": "\r\n"}}},
        {"close": "reset"}, {"truncate_body": -1}, {"gql_error": {"path": "below"}},
        {"gql_error": {"path": [None]}}, {"gql_error": {"data": "some"}}, {"replay": 0}, {"garbage": "x"},
        {"garbage": "deep:0"}, {"garbage": "huge:999999MiB"}, {"garbage": 1}, {"barrier": ""},
        {"signal": {"sig": "SEGV"}}, {"signal": {"pid_from": "X-Other", "sig": "KILL"}},
    )),
    {"at": "after_body", "do": [{"http": {"status": 502}}]},
    {"at": "mid_body", "do": [{"commit_after_ms": 1}]},
    {"at": "after_commit", "do": [{"commit_after_ms": 1}]},
]  # fmt: skip


@pytest.mark.parametrize("rule", WRONG_RULES, ids=json.dumps)
def test_a_rule_that_cannot_be_meant_is_refused_with_a_reason(box: Box, rule: Any) -> None:
    box.tell("PUT", "/faults", [RULE])
    assert box.refused("POST", "/faults", rule)
    assert box.refused("PUT", "/faults", [rule])
    assert [each["id"] for each in box.tell("GET", "/faults")] == ["rule-1"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/world", 1), ("/world", {"more": 1}), ("/world", {"stale_reads_ms": -1}), ("/world", {"role": "King"}),
        ("/world", {"page": {"fail": 1}}), ("/world", {"page": {"short": {"x": 1}}}),
        ("/world", {"page": {"churn": {"every": 0}}}), ("/world", {"rate_limit": {"style": "x"}}),
        ("/world", {"rate_limit": {"per_min": 1, "style": "x"}}), ("/world", {"hide_ids": "x"}),
        ("/world", {"limits": {"tigers": 1}}), ("/world", {"revoke_key": 1}), ("/world", {"clock_offset_s": "x"}),
        ("/clock", {}), ("/clock", {"advance_s": -1}), ("/clock", {"advance_s": "x"}), ("/clock", []),
        ("/reset", {"seed": "x"}), ("/reset", {"seed": -1}), ("/reset", []), ("/reset", {"more": 1}),
        ("/edit", {}), ("/edit", {"op": "nothing"}), ("/edit", {"op": "createDataset", "args": []}),
        ("/edit", {"op": "createDataset", "args": {}}), ("/edit", {"op": "createDataset", "args": {"x": 1}}),
        ("/edit", {"op": "createDataset", "document": "{}"}), ("/edit", {"as": "no\nbody", "document": "{x}"}),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_a_reason(box: Box, path: str, body: Any) -> None:
    before = box.tell("GET", "/snapshot")
    assert box.refused("POST", path, body)
    assert box.tell("GET", "/snapshot") == before


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff", b'{"advance_s": NaN}'])
def test_a_body_that_is_no_json_is_refused(box: Box, body: bytes) -> None:
    assert box.control.post("/clock", content=body).status_code == 400
    assert box.control.put("/faults", content=body).status_code == 400


def test_the_ledger_tells_who_did_what_and_what_became_of_it(box: Box) -> None:
    box.create("a", run="r1")
    (entry,) = box.tell("GET", "/ledger")
    assert set(entry) == {"seq", "t", "op", "args", "ids", "actor", "run", "request", "outcome"}
    assert (entry["op"], entry["run"], entry["outcome"]) == ("createDataset", "r1", "delivered")
    box.create("b")
    assert [each["run"] for each in box.tell("GET", f"/ledger?after={entry['seq']}")] == [""]
    assert box.refused("GET", "/ledger?after=x")


def test_the_log_has_the_refused_requests_too_and_no_key(box: Box) -> None:
    box.create("a")
    loopback.post(f"{box.served.endpoint}?token=hunter2", json={"query": ME})
    box.post("{")
    found = box.tell("GET", "/requests")
    assert [(each["status"], each["ops"]) for each in found] == [
        (200, ["createDataset"]),
        (401, []),
        (400, []),
    ]
    assert "hunter2" not in json.dumps(found)


def test_the_snapshot_is_canonical_and_without_secrets(box: Box) -> None:
    query = """mutation { createWebhook(data: {topics: {set: [LABEL_CREATED]}, url: "https://a.example",
      secret: "hunter2-hunter2"}) { id } }"""
    assert box.post(query).json()["data"]
    first, second = (box.control.get("/snapshot").content for _ in range(2))
    assert first == second
    assert b"hunter2" not in first
    assert box.served.key.encode() not in first


def test_a_reset_with_a_seed_makes_the_same_workspace_again(box: Box) -> None:
    def run(seed: int) -> bytes:
        assert box.tell("POST", "/reset", {"seed": seed})["key"] == box.served.key
        box.create("x")
        return box.control.get("/snapshot").content

    assert run(1) == run(1) != run(2)
    assert box.names() == ["x"]
    box.tell("POST", "/reset", {})
    assert (box.names(), box.outcomes()) == ([], [])


def test_a_request_that_was_under_way_when_all_was_reset_leaves_nothing(box: Box) -> None:
    box.fault("before_commit", {"barrier": "B"}, op="createDataset")
    waiting = box.raw(NEW, name="x")
    assert box.tell("GET", "/barrier/B?waiting=1")["waiting"] == 1
    box.tell("POST", "/reset", {})
    waiting.sock.settimeout(20)
    waiting.sock.recv(1)
    assert (box.names(), box.outcomes()) == ([], [])


def test_another_hand_changes_something(box: Box) -> None:
    made = box.tell("POST", "/edit", {"as": "human", "op": "createDataset", "args": {"data": {"name": "x"}}})
    ident = made["data"]["createDataset"]["id"]
    box.tell("POST", "/edit", {"as": "eve", "document": f'mutation {{ updateDataset(where: {{id: "{ident}"}}, '
                               'data: {name: "y"}) { id } }'})  # fmt: skip
    assert box.names() == ["y"]
    actors = [entry["actor"] for entry in box.tell("GET", "/ledger")]
    mine = box.post(ME).json()["data"]["user"]["id"]
    assert len({*actors, mine}) == 3
    refusal = box.control.post(
        "/edit", json={"op": "updateDataset", "args": {"where": {"id": "no"}, "data": {}}}
    )
    assert (refusal.status_code, refusal.json()["errors"][0]["extensions"]["code"]) == (
        400,
        "RESOURCE_NOT_FOUND",
    )


def test_reads_are_behind_and_writes_are_not(box: Box) -> None:
    box.create("before")
    world(box, stale_reads_ms=60_000)
    made = box.create("after").json()["data"]["createDataset"]
    assert made["name"] == "after"
    assert [each["name"] for each in box.post(LIST).json()["data"]["datasets"]] == ["before"]
    assert box.post(GET, id=made["id"]).json()["errors"][0]["extensions"]["code"] == "RESOURCE_NOT_FOUND"
    box.tell("POST", "/clock", {"advance_s": 61})
    assert box.post(GET, id=made["id"]).json()["data"]["dataset"] == {"id": made["id"]}
    world(box, stale_reads_ms=None)


def test_search_by_name_is_behind_and_reads_by_id_are_not(box: Box) -> None:
    made = box.post(ONTOLOGY, n="teeth").json()["data"]["upsertOntology"]["id"]
    found = lambda words: [  # noqa: E731 - said in one line
        node["name"] for node in box.post(SEARCH, s=words).json()["data"]["ontologies"]["nodes"]
    ]
    assert found("teeth") == []
    read = "query ($id: ID!) { ontology(where: {id: $id}) { name } }"
    assert box.post(read, id=made).json()["data"]["ontology"]["name"] == "teeth"
    box.tell("POST", "/clock", {"advance_s": 4})
    assert found("teeth") == ["teeth"]
    rename = 'mutation ($id: ID!) { ontology(where: {id: $id}) { update(data: {name: "bones"}) { id } } }'
    box.post(rename, id=made)
    assert (found("teeth"), found("bones")) == (["bones"], [])
    box.tell("POST", "/clock", {"advance_s": 4})
    assert (found("teeth"), found("bones")) == ([], ["bones"])
    world(box, search_lag_ms=0)
    box.post(ONTOLOGY, n="at once")
    assert found("at once") == ["at once"]


INVITE = """mutation ($data: [CreateInviteInput!]) { createInvites(data: $data) { invite { id } } }"""
INVITES = "{ user { id } organization { id invites { nodes { id } } } roles { id name } }"


def test_lists_of_invites_are_behind_and_the_clock_can_be_put_forward(box: Box) -> None:
    seen = lambda: box.post(INVITES).json()["data"]  # noqa: E731 - said in one line
    found = seen()
    data = {
        "inviterId": found["user"]["id"], "organizationId": found["organization"]["id"],
        "organizationRoleId": found["roles"][0]["id"], "inviteeEmail": "n@x.io",
    }  # fmt: skip
    box.post(INVITE, data=[data])
    assert seen()["organization"]["invites"]["nodes"] == []
    world(box, invite_lag_ms=0)
    assert len(seen()["organization"]["invites"]["nodes"]) == 1
    world(box, invite_lag_ms=5000)
    box.tell("POST", "/clock", {"advance_s": 4})
    assert seen()["organization"]["invites"]["nodes"] == []
    box.tell("POST", "/clock", {"advance_s": 1})
    assert len(seen()["organization"]["invites"]["nodes"]) == 1


def test_objects_are_hidden(box: Box) -> None:
    made = box.create("x").json()["data"]["createDataset"]["id"]
    world(box, hide_ids=[made])
    assert box.post(GET, id=made).json()["errors"][0]["extensions"]["code"] == "RESOURCE_NOT_FOUND"
    assert box.post(LIST).json()["data"]["datasets"] == []
    world(box, hide_ids=None)
    assert len(box.post(LIST).json()["data"]["datasets"]) == 1


def test_a_key_acts_in_a_lesser_role_or_elsewhere(box: Box) -> None:
    box.create("x")
    world(box, role="REVIEWER")
    assert box.create("y").json()["errors"][0]["extensions"]["code"] == "AUTHORIZATION_ERROR"
    world(box, role=None, org="other")
    assert box.post(ME).json()["data"]["organization"]["name"] == "other"
    assert box.post(LIST).json()["data"]["datasets"] == []
    world(box, org=None)
    assert box.post(ME).json()["data"]["organization"]["name"] == "Sandbox"


def test_a_key_expires_and_is_revoked(box: Box) -> None:
    world(box, expire_key_after=2)
    assert [box.post(ME).status_code for _ in range(4)] == [200, 200, 401, 401]
    world(box, expire_key_after=None)
    assert box.post(ME).status_code == 200
    world(box, revoke_key=True)
    assert box.post(ME).json()["errors"][0]["extensions"]["code"] == "AUTHENTICATION_ERROR"


@pytest.mark.parametrize("style", ["429_json", "429_html", "200_message"])
@pytest.mark.parametrize("told", [True, False])
def test_too_many_requests_are_refused_for_a_minute(box: Box, style: str, told: bool) -> None:
    world(box, rate_limit={"per_min": 2, "style": style, "retry_after": told})
    answers = [box.create(str(n)) for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200 if style == "200_message" else 429]
    assert "You have exceeded" in answers[2].text
    assert ("retry-after" in answers[2].headers) == told
    if style != "429_html":
        assert answers[2].json()["message"].startswith("You have exceeded")
    box.tell("POST", "/clock", {"advance_s": 61})
    assert box.create("later").json()["data"]
    assert box.names() == ["0", "1", "later"]


def test_the_clock_is_wrong_and_the_date_goes_missing(box: Box) -> None:
    world(box, clock_offset_s=-86_400 * 300)
    answer = box.post('mutation { createDataset(data: {name: "x"}) { createdAt } }')
    usual = loopback.get(box.served.control + "/").headers.get("date")
    assert answer.headers["date"] != usual
    year = answer.json()["data"]["createDataset"]["createdAt"][:4]
    assert answer.headers["date"].split()[3] == year
    world(box, date_header=False)
    assert "date" not in box.post(ME).headers


def names(box: Box, skip: int) -> list[str]:
    return [each["name"] for each in box.post(PAGE, skip=skip).json()["data"]["datasets"]]


def test_pages_misbehave(box: Box) -> None:
    for name in "abcdef":
        box.create(name)
    world(box, page={"cap": 1})
    assert names(box, 0) == ["a"]
    world(box, page={"fail": [1]})
    assert names(box, 0) == ["a", "b"]
    error = box.post(PAGE, skip=2).json()["errors"][0]
    assert error["extensions"]["exception"] == {"status": 503}
    world(box, page={"short": {"1": 1}, "shuffle": [0]})
    assert (names(box, 0), names(box, 2)) == (["b", "a"], ["c"])
    world(box, page={"repeat": [1], "churn": {"every": 2}})
    assert (names(box, 2), names(box, 4)) == (["a", "b"], ["f"])
    world(box, page=None)
    assert names(box, 2) == ["c", "d"]


def test_cursor_pages_misbehave(box: Box) -> None:
    for name in "abcdef":
        box.post(ONTOLOGY, n=name)
    query = "query ($c: String) { ontologies(after: $c, first: 2) { nodes { name } nextCursor } }"

    def pages() -> list[str]:
        found, cursor = [], None
        while len(found) < 5:
            page = box.post(query, c=cursor).json()["data"]["ontologies"]
            found.append("".join(node["name"] for node in page["nodes"]))
            cursor = page["nextCursor"]
            if cursor is None:
                break
        return found

    assert pages() == ["ab", "cd", "ef"]
    world(box, page={"short": {"1": 1}, "shuffle": [0]})
    assert pages() == ["ba", "c", "ef"]
    world(box, page={"repeat": [1]})
    assert pages()[:2] == ["ab", "ab"]


def test_there_may_be_only_so_many(box: Box) -> None:
    world(box, limits={"ontologies": 1, "users": 1})
    assert box.post(ONTOLOGY, n="first").json()["data"]
    error = box.post(ONTOLOGY, n="second").json()["errors"][0]
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "exception": {"status": 426}}
    invite = """mutation { inviteMembers(data: {emails: ["a@b.example"], workspaceWide: true,
      roleId: "cjlvi914y1aa20714372uvzjv"}) { results { status } } }"""
    assert box.post(invite).json()["data"]["inviteMembers"]["results"] == [{"status": "SEAT_LIMIT"}]
    world(box, limits=None)
    assert box.post(invite).json()["data"]["inviteMembers"]["results"] == [{"status": "INVITED"}]


def test_the_complexity_limit_is_moved(box: Box) -> None:
    world(box, complexity_limit=1)
    assert box.post(ME).json()["errors"][0]["message"] == "Query complexity limit exceeded"
    shown = world(box, complexity_limit=None)
    assert shown["complexity_limit"] == 50_000
    assert box.post(ME).status_code == 200
