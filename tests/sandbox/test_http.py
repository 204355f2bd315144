"""Keys, request bodies, statuses and error codes (API reference 5.1 to 5.7)."""

from __future__ import annotations

import json
from typing import Any

import graphql
import pytest
from documents import dataset, project
from workspace import Workspace

from lbstack.sandbox import world
from lbstack.sandbox.schema import Prepared, sdl, the_schema

ME = "{ user { id } }"


def post(box: Workspace, body: Any, path: str = "/graphql", **headers: str) -> tuple[int, Any]:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = {"content-type": "application/json", **box.headers, **headers}
    answer = box.client.post(path, content=sent, headers=head)
    return answer.status_code, answer.json()


def code(body: Any) -> str:
    (error,) = body["errors"]
    return str(error["extensions"]["code"])


def test_the_text_of_the_schema_which_is_taken_as_it_stands_is_valid() -> None:
    assert graphql.validate_schema(graphql.build_schema(sdl())) == []  # both judge
    judged = the_schema().to_kwargs() | {"assume_valid": False}
    assert graphql.validate_schema(graphql.GraphQLSchema(**judged)) == []
    with pytest.raises(TypeError, match="Unknown type 'Nowhere'"):
        graphql.build_schema(f"{sdl()}\nextend type Query {{ nothing: Nowhere }}")


@pytest.mark.parametrize("path", ["/graphql", "/_gql"])
def test_both_paths_answer_the_same_schema(box: Workspace, path: str) -> None:
    status, body = post(box, {"query": ME}, path)
    assert status == 200
    assert body["data"]["user"]["id"]
    assert "errors" not in body


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", "Basic abc"])
def test_without_a_good_key_nothing_is_answered(box: Workspace, header: str) -> None:
    status, body = post(box, {"query": ME}, authorization=header)
    assert (status, code(body)) == (401, "AUTHENTICATION_ERROR")
    assert box.client.get("/api/v1/ontologies/x", headers={"authorization": header}).status_code == 401


def test_a_key_may_stand_in_the_address(box: Workspace) -> None:
    key = world.admin_key(box.store)
    assert box.client.post(f"/graphql?token={key}", json={"query": ME}).status_code == 200


def test_a_revoked_or_expired_key_is_refused(box: Workspace) -> None:
    for change in ({"expiresAt": "2020-01-01T00:00:00.000Z"}, {"revoked": 1}):
        key = world.create_key(box.store, "Admin")
        assert post(box, {"query": ME}, authorization=f"Bearer {key}")[0] == 200
        ident = box.store.value("SELECT id FROM api_keys WHERE jwt = ?", [key])
        box.store.update("api_keys", ident, change)
        assert post(box, {"query": ME}, authorization=f"Bearer {key}")[0] == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        b'{"query": 1}',
        b'{"query": " "}',
        b'{"query": "{user{id}}", "variables": []}',
        b'{"query": "{user{id}}", "operationName": 3}',
        b'{"query": "{user{id}}", "variables": {"a": NaN}}',
        b'{"query": "{user{id}}", "variables": {"a": "\\ud800"}}',
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_request_is_a_client_mistake(box: Workspace, body: bytes) -> None:
    status, answer = post(box, body)
    assert (status, code(answer)) == (400, "BAD_USER_INPUT")


def test_a_body_without_the_json_media_type_is_refused(box: Workspace) -> None:
    assert post(box, {"query": ME}, **{"content-type": "text/plain"})[0] == 400


def test_a_huge_body_is_refused(box: Workspace) -> None:
    assert post(box, b" " * 10_000_001)[0] == 413


def test_other_methods_and_paths_are_refused_in_json(box: Workspace) -> None:
    assert box.client.get("/graphql").status_code == 405
    assert box.client.get("/graphql").json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert box.client.get("/nowhere").json() == {"message": "Not Found"}


def test_a_syntax_error_is_a_parse_failure(box: Workspace) -> None:
    status, body = post(box, {"query": "{ user"})
    assert (status, code(body)) == (400, "GRAPHQL_PARSE_FAILED")
    assert body["errors"][0]["message"].startswith("Syntax Error: ")
    assert "data" not in body


def test_a_document_nested_without_end_is_a_parse_failure(box: Workspace) -> None:
    assert code(post(box, {"query": "{user" * 50_000})[1]) == "GRAPHQL_PARSE_FAILED"


def test_an_unknown_field_is_named_in_double_quotes(box: Workspace) -> None:
    status, body = post(box, {"query": "{ bbb }"})
    assert (status, code(body)) == (400, "GRAPHQL_VALIDATION_FAILED")
    assert body["errors"][0]["message"].startswith('Cannot query field "bbb"')


@pytest.mark.parametrize("variables", [{}, {"id": None}, {"id": {}}, {"id": [1]}])
def test_variables_that_do_not_fit_are_a_client_mistake(box: Workspace, variables: Any) -> None:
    query = "query ($id: ID!) { dataset(where: {id: $id}) { id } }"
    status, body = post(box, {"query": query, "variables": variables})
    assert (status, code(body)) == (400, "BAD_USER_INPUT")


def test_variables_that_are_not_declared_are_ignored(box: Workspace) -> None:
    assert post(box, {"query": ME, "variables": {"search": "x"}})[0] == 200


def test_one_of_several_operations_must_be_named(box: Workspace) -> None:
    query = "query A { user { id } } query B { organization { name } }"
    assert post(box, {"query": query})[0] == 400
    assert post(box, {"query": query, "operationName": "C"})[0] == 400
    named = post(box, {"query": query, "operationName": "B"})[1]
    assert named["data"] == {"organization": {"name": "Sandbox"}}


def test_not_found_is_a_200_with_the_path_of_its_alias_and_the_rest_answered(box: Workspace) -> None:
    there = dataset(box)
    query = "query ($id: ID!) { a: dataset(where: {id: $id}) { id } b: dataset(where: {id: no}) { id } }"
    status, body = post(box, {"query": query.replace("no", '"no"'), "variables": {"id": there}})
    assert status == 200
    assert body["data"] == {"a": {"id": there}, "b": None}
    (error,) = body["errors"]
    assert error["path"] == ["b"]
    assert error["extensions"]["code"] == "RESOURCE_NOT_FOUND"


def test_one_refused_mutation_leaves_the_others_of_its_document_in_force(box: Workspace) -> None:
    query = (
        'mutation { a: createDataset(data: {name: "x"}) { id } b: createDataset(data: {name: " "}) { id } }'
    )
    body = post(box, {"query": query})[1]
    assert body["data"]["a"]["id"]
    assert body["data"]["b"] is None
    assert [error["path"] for error in body["errors"]] == [["b"]]
    assert len(box.ask("{ datasets { id } }")) == 1


def test_a_fault_of_the_sandbox_itself_says_no_more_than_that(
    box: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    box.store.run("DROP TABLE webhooks")
    status, body = post(box, {"query": '{ webhook(where: {id: "x"}) { id } }'})
    assert (status, code(body)) == (200, "INTERNAL_SERVER_ERROR")
    assert "sqlite" not in json.dumps(body).lower()
    assert "no such table" in caplog.text


def test_lists_of_lists_exceed_the_complexity_limit(box: Workspace) -> None:
    status, body = post(box, {"query": "{projects{datasets{dataRows{labels{id}}}}}"})
    assert (status, code(body)) == (400, "GRAPHQL_VALIDATION_FAILED")
    assert body["errors"][0]["message"] == "Query complexity limit exceeded"


def test_lists_of_lists_hidden_in_fragments_exceed_it_too(box: Workspace) -> None:
    query = """{ projects { ...P } } fragment P on Project { datasets { ... on Dataset { ...D } } }
      fragment D on Dataset { dataRows { labels { id } } }"""
    assert post(box, {"query": query})[1]["errors"][0]["message"] == "Query complexity limit exceeded"


def test_a_page_size_in_a_variable_counts(box: Workspace) -> None:
    query = """query ($n: PageSize) {
      projects(first: $n) { datasets(first: $n) { dataRows(first: $n) { id } } } }"""
    for size, expected in ((10, 200), (100, 400), (10, 200)):
        assert post(box, {"query": query, "variables": {"n": size}})[0] == expected


FIELDS = """id name description createdAt updatedAt setupComplete lastActivityTime autoAuditNumberOfLabels
  autoAuditPercentage allowedMediaType editorTaskType dataRowCount modelSetupComplete uploadType
  isBenchmarkEnabled isConsensusEnabled deleted ontology { id }"""


def test_three_hundred_reads_by_id_fit_into_one_document(box: Workspace) -> None:
    one = project(box)
    read = f'project(where: {{id: "{one}"}}) {{ {FIELDS} datasets(first: 100) {{ id }} }}'
    query = "{" + " ".join(f"a{n}: {read}" for n in range(300)) + "}"
    assert len(post(box, {"query": query})[1]["data"]) == 300


def test_a_few_pages_of_projects_with_their_datasets_fit_and_many_do_not(box: Workspace) -> None:
    page = f"projects(first: 100) {{ {FIELDS} datasets(first: 100) {{ id }} }}"
    for pages, expected in ((3, 200), (6, 400)):
        query = "{" + " ".join(f"a{n}: {page}" for n in range(pages)) + "}"
        assert post(box, {"query": query})[0] == expected


def test_a_repeated_document_is_parsed_once(box: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    before = Prepared.__init__

    def counting(self: Prepared, schema: Any, text: str) -> None:
        parsed.append(text)
        before(self, schema, text)

    monkeypatch.setattr(Prepared, "__init__", counting)
    new = "query NeverAskedBefore { user { id } }"  # the sandboxes of a process remember together
    for _ in range(3):
        post(box, {"query": new})
    assert parsed == [new]


def test_requests_are_counted_refused_ones_included(box: Workspace) -> None:
    sandbox = box.client.app.state.sandbox
    post(box, {"query": ME})
    post(box, {"query": "{"})
    box.client.get("/api/v1/ontologies/x")
    assert sandbox.requests == 2


def test_introspection_answers(box: Workspace) -> None:
    names = {each["name"] for each in box.ask("{ __schema { types { name } } }")["types"]}
    assert {"Dataset", "Project", "Webhook", "WebhookTopic", "MediaType", "PageSize"} <= names


def test_every_answer_tells_the_time(box: Workspace) -> None:
    assert (
        box.client.post("/graphql", json={"query": ME}, headers=box.headers).headers["date"].endswith("GMT")
    )


@pytest.mark.parametrize("depth", [50, 400, 5_000])
def test_a_filter_nested_without_end_is_answered_or_refused(box: Workspace, depth: int) -> None:
    where: Any = {"name": "x"}
    for _ in range(depth):
        where = {"AND": [where]}
    query = "query ($w: DatasetWhereInput) { datasets(where: $w) { id } }"
    try:
        text = json.dumps({"query": query, "variables": {"w": where}})
    except RecursionError:
        text = '{"query": "%s", "variables": {"w": %s}}' % (query, '{"AND":[' * depth + "{}" + "]}" * depth)  # noqa: UP031
    status, body = post(box, text.encode())
    assert status in (200, 400)
    assert "errors" in body or body["data"] == {"datasets": []}
