"""Whatever is asked, the answer is one of the service's: no failure of the sandbox's own, nothing half-written,
and nothing of another organization's.

Documents come from schemathesis, made from the sandbox's own schema, with ids of what is there, of what is
somebody else's, and of nothing put in. The same examples every time; the slow battery has many more.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import graphql
import pytest
import schemathesis
from documents import dataset, labelled, ontology, project
from graphql.language.visitor import Visitor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.graphql import nodes
from workspace import Workspace

from lbstack.sandbox.faults.workshop import snapshot
from lbstack.sandbox.kinds import KINDS
from lbstack.sandbox.schema import the_schema

FOREIGN = "somebody-elses-treasure"
ROUTES = [route for kind in KINDS for route in kind.routes]
INVITE = """mutation { inviteMembers(data: {emails: ["a@b.example"], workspaceWide: true,
  roleId: "cjlvi914y1aa20714372uvzjv"}) { results { inviteId } } }"""
WEBHOOK = """mutation ($p: ID!) { createWebhook(data: {project: {id: $p}, topics: {set: [LABEL_CREATED]},
  url: "http://127.0.0.1:1/", secret: "s"}) { id } }"""

texts = st.one_of(
    st.text(max_size=40), st.sampled_from(["", " ", "\0", "x" * 5000, "\u202e", "null", "1e999"])
)
leaves = st.one_of(
    st.none(), st.booleans(), texts, st.integers(), st.sampled_from([2**63, -(2**63), 2**31, 10**400, 1e308]),
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
values = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4))
)
times = st.sampled_from(
    ["2024-01-01T00:00:00.000Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "x"]
)
NODES = {
    "Json": texts.map(nodes.String),
    "DateTime": times.map(nodes.String),
    "PageSize": st.integers(-1, 101).map(nodes.Int),
    "Upload": st.just(nodes.Null),
    "UInt64": st.sampled_from([0, 1, 2**31, 2**63, 2**64, -1]).map(nodes.Int),
}


class Target:
    """A workspace with something of every sort in it, beside another organization's."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.box = Workspace.fresh()
        self.mine = fill(self.box, "mine")
        self.other = self.box.stranger()
        self.theirs = fill(self.other, FOREIGN)
        self.known = [*self.mine, *self.theirs, "", "x", "c" + "0" * 24, "\0", "1" * 400]
        self.before = self.foreign()
        self.look()

    def foreign(self) -> list[Any]:
        """Everything that is of the other organization."""
        theirs = self.other.ask("{ organization { id } }")["id"]
        rows = json.loads(snapshot(self.box.store))
        return [row for table in rows.values() for row in table if row.get("organizationId") == theirs]

    def look(self) -> None:
        """Remember how everything is before the next request."""
        self.changes, self.seq = self.counted()
        self.rows = snapshot(self.box.store)

    def counted(self) -> tuple[int, int]:
        """How often a row was changed, undone changes included, and how far the ledger is."""
        seq = self.box.store.value("SELECT coalesce(max(seq), 0) FROM ledger")
        return self.box.store.conn.total_changes, seq

    def check(self, answer: Any, sent: str) -> None:
        """Hold an answer, and what it left behind, against what must always be so."""
        assert answer.status_code < 500, (sent, answer.text)
        assert "Traceback" not in answer.text, sent
        assert "Internal server error" not in answer.text, (sent, answer.text)
        assert FOREIGN in sent or FOREIGN not in answer.text, (sent, answer.text)
        changes, seq = self.counted()
        if changes != self.changes:
            rows = snapshot(self.box.store)
            assert seq > self.seq or rows == self.rows, f"written without a ledger row: {sent}"
            self.changes, self.seq, self.rows = changes, seq, rows
        if answer.status_code == 401:  # the key was revoked, as asked
            self.end()
            self.renew()

    def end(self) -> None:
        """Hold the whole workspace against what must always be so."""
        store = self.box.store
        assert self.foreign() == self.before
        assert store.rows("PRAGMA foreign_key_check") == []
        assert store.value("PRAGMA integrity_check") == "ok"
        for table in ("project_datasets", "ontology_features", "api_keys"):
            for column in (row["name"] for row in store.rows(f"PRAGMA table_info({table})")):
                if column in REFERENCES:
                    sql = f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT id FROM {REFERENCES[column]})"
                    assert store.value(sql) == 0, (table, column)


REFERENCES = {
    "projectId": "projects", "datasetId": "datasets", "ontologyId": "ontologies", "userId": "users",
    "featureId": "feature_schemas", "organizationId": "organizations",
}  # fmt: skip


def fill(box: Workspace, name: str) -> list[str]:
    p, row, label = labelled(box, text=name)
    o = ontology(box, name)
    features = [node["featureSchemaId"] for node in o["normalized"]["tools"]]
    invites = [each["inviteId"] for each in box.ask(INVITE)["results"]]
    me = box.ask("{ user { id } }")["id"], box.ask("{ organization { id } }")["id"]
    hook, d, other = box.ask(WEBHOOK, p=p)["id"], dataset(box, name), project(box, name)
    return [p, row, label, d, o["id"], hook, *features, *invites, *me, other, dataset(box, name)]


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    made = Target()
    yield made
    made.end()


@pytest.fixture(scope="module")
def cases() -> Any:
    for name, strategy in NODES.items():
        schemathesis.graphql.scalar(name, strategy)
    return schemathesis.graphql.from_dict(graphql.introspection_from_schema(the_schema())).as_strategy()


class PutIds(Visitor):
    """Puts ids that mean something where a document has ids."""

    def __init__(self, info: graphql.TypeInfo, known: list[str], dice: random.Random) -> None:
        super().__init__()
        self.info, self.known, self.dice = info, known, dice

    def enter_string_value(self, node: Any, *_: Any) -> Any:
        kind = self.info.get_input_type()
        if kind is not None and graphql.get_named_type(kind).name == "ID":
            return graphql.StringValueNode(value=self.dice.choice(self.known))
        return None


def with_ids(text: str, known: list[str], dice: random.Random) -> str:
    info = graphql.TypeInfo(the_schema())
    document = graphql.parse(text)
    put = graphql.visit(document, graphql.TypeInfoVisitor(info, PutIds(info, known, dice)))
    return graphql.print_ast(put)


def quietly(examples: int) -> settings:
    """So many examples, the same ones every time."""
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


def whole(kind: Any, ident: str, depth: int = 5) -> Any:
    """The least value of an input type, and every id that it can hold: ``ident``."""
    named = graphql.get_nullable_type(kind)
    if graphql.is_list_type(named):
        return [whole(named.of_type, ident, depth)]
    if isinstance(named, graphql.GraphQLInputObjectType):
        return {
            key: whole(field.type, ident, depth - 1)
            for key, field in named.fields.items()
            if graphql.is_required_input_field(field) or (depth > 0 and holds_ids(field.type))
        }
    if isinstance(named, graphql.GraphQLEnumType):
        return sorted(named.values)[0]
    least = {"ID": ident, "Int": 1, "Float": 0.5, "Boolean": True, "PageSize": 10, "UInt64": 1, "Json": {}}
    return least.get(named.name, "2024-01-01T00:00:00.000Z" if named.name == "DateTime" else "x")


def holds_ids(kind: Any, depth: int = 4) -> bool:
    named = graphql.get_named_type(kind)
    if isinstance(named, graphql.GraphQLInputObjectType):
        fields = [f for key, f in named.fields.items() if key != "AND"]
        return depth > 0 and any(holds_ids(field.type, depth - 1) for field in fields)
    return bool(named.name == "ID")


def leaves_of(kind: Any, depth: int = 2) -> str:
    """Everything plain that a type answers, and that of the types below it."""
    named = graphql.get_named_type(kind)
    if not isinstance(named, graphql.GraphQLObjectType):
        return (
            "{ __typename }"
            if isinstance(named, graphql.GraphQLInterfaceType | graphql.GraphQLUnionType)
            else ""
        )
    told = ["__typename"]
    for name, field in named.fields.items():
        below = graphql.get_named_type(field.type)
        if any(graphql.is_required_argument(each) for each in field.args.values()):
            continue
        if graphql.is_leaf_type(below):
            told.append(name)
        elif depth > 0 and not graphql.is_list_type(graphql.get_nullable_type(field.type)):
            told.append(f"{name} {leaves_of(below, depth - 1)}")
    return "{ " + " ".join(told) + " }"


def roots() -> list[tuple[str, str, Any]]:
    schema = the_schema()
    return [
        (kind, name, field)
        for kind, owner in (("query", schema.query_type), ("mutation", schema.mutation_type))
        for name, field in (owner.fields.items() if owner else ())
    ]


def ask_for(target: Target, root: tuple[str, str, Any], ident: str) -> Any:
    """Ask for a root field with one id in all places, and for all that it can tell."""
    kind, name, field = root
    arguments = {
        key: whole(each.type, ident)
        for key, each in field.args.items()
        if graphql.is_required_argument(each) or holds_ids(each.type)
    }
    declared = ", ".join(f"${key}: {field.args[key].type}" for key in arguments)
    given_ = ", ".join(f"{key}: ${key}" for key in arguments)
    call = f"({declared}) {{ {name}({given_})" if arguments else f"{{ {name}"
    text = f"{kind} {call} {leaves_of(field.type)} }}"
    body = {"query": text, "variables": arguments}
    answer = target.box.client.post("/graphql", json=body, headers=target.box.headers)
    target.check(answer, json.dumps(body))
    return answer.json()


TAKING_IDS = [root for root in roots() if any(holds_ids(each.type) for each in root[2].args.values())]
# These say of each row that they were given why nothing was done to it.
ECHOING = {"upsertDataRowCustomMetadata", "deleteDataRowCustomMetadata"}


@pytest.mark.slow
def test_ids_of_others_are_those_of_nothing(target: Target) -> None:
    """Whatever it is asked with: nothing is told of another organization's objects, nothing done to them."""
    for root in TAKING_IDS:
        for ident in target.theirs[:-2]:  # the last ones are of the same sorts as the first
            data = ask_for(target, root, ident).get("data")
            assert root[1] in ECHOING or ident not in json.dumps(data), (root[1], ident, data)
    assert target.foreign() == target.before


@pytest.mark.slow
def test_whatever_is_written_is_in_the_ledger(target: Target) -> None:
    """Every mutation, asked with every id there is: what it changes it records (``Target.check``)."""
    seq = target.seq
    for root in (each for each in TAKING_IDS if each[0] == "mutation"):
        for ident in list(target.mine):
            ask_for(target, root, ident)
    assert target.seq > seq
    target.end()
    target.renew()


def ask_anything(target: Target, cases: Any, examples: int) -> None:
    @quietly(examples)
    @given(cases, st.integers(0, 2**32))
    def ask(case: Any, seed: int) -> None:
        text = with_ids(case.body, target.known, random.Random(seed))
        answer = target.box.client.post("/graphql", json={"query": text}, headers=target.box.headers)
        target.check(answer, text)
        for error in answer.json().get("errors", []):
            assert error["extensions"]["code"]
            if error["extensions"]["code"] == "INTERNAL_SERVER_ERROR":
                assert error["extensions"]["exception"]["status"] != 500, (text, error)

    ask()


def test_any_document_is_answered(target: Target, cases: Any) -> None:
    ask_anything(target, cases, 40)


@pytest.mark.slow
def test_very_many_documents_are_answered(target: Target, cases: Any) -> None:
    ask_anything(target, cases, 400)


@pytest.mark.parametrize(("examples"), [40, pytest.param(400, marks=pytest.mark.slow)])
def test_any_variables_are_answered(target: Target, examples: int) -> None:
    @quietly(examples)
    @given(st.sampled_from(roots()), st.data())
    def ask(root: Any, data: Any) -> None:
        kind, name, field = root
        declared = ", ".join(f"${key}: {each.type}" for key, each in field.args.items())
        given_ = ", ".join(f"{key}: ${key}" for key in field.args)
        leaf = isinstance(
            graphql.get_named_type(field.type), graphql.GraphQLScalarType | graphql.GraphQLEnumType
        )
        text = f"{kind} ({declared}) {{ {name}({given_}) {'' if leaf else '{ __typename }'} }}"
        text = text if field.args else f"{kind} {{ {name} {'' if leaf else '{ __typename }'} }}"
        variables = {key: data.draw(shaped(each.type, target.known)) for key, each in field.args.items()}
        body = json.dumps({"query": text, "variables": variables})
        head = {**target.box.headers, "content-type": "application/json"}
        target.check(target.box.client.post("/graphql", content=body, headers=head), body)

    ask()


def shaped(kind: Any, known: list[str], depth: int = 4) -> st.SearchStrategy[Any]:
    """Values that nearly fit a type, and now and then do not."""
    named = graphql.get_nullable_type(kind)
    if graphql.is_list_type(named):
        fitting = st.lists(shaped(named.of_type, known, depth - 1), max_size=3) if depth else st.just([])
    elif isinstance(named, graphql.GraphQLInputObjectType):
        needed = {k: f for k, f in named.fields.items() if graphql.is_required_input_field(f)}
        other = {k: f for k, f in named.fields.items() if k not in needed} if depth > 0 else {}
        fitting = st.fixed_dictionaries(
            {k: st.deferred(lambda f=f: shaped(f.type, known, depth - 1)) for k, f in needed.items()},
            optional={k: st.deferred(lambda f=f: shaped(f.type, known, depth - 1)) for k, f in other.items()},
        )
    elif isinstance(named, graphql.GraphQLEnumType):
        fitting = st.sampled_from(sorted(named.values))
    else:
        plain = {"ID": st.sampled_from(known), "String": texts, "Int": st.integers(-(2**31), 2**31 - 1),
                 "Float": st.floats(allow_nan=False, allow_infinity=False), "Boolean": st.booleans(),
                 "DateTime": times, "PageSize": st.integers(-1, 101), "Json": values}  # fmt: skip
        fitting = plain.get(named.name, leaves)
    return st.integers(0, 19).flatmap(lambda n: values if n == 0 else fitting)


@pytest.mark.parametrize(("examples"), [60, pytest.param(400, marks=pytest.mark.slow)])
def test_any_rest_call_is_answered(target: Target, examples: int) -> None:
    @quietly(examples)
    @given(st.sampled_from(ROUTES), st.data(), st.one_of(values, st.dictionaries(
        st.sampled_from(["position", "normalized", "title", "after", "name"]), leaves, max_size=3)))  # fmt: skip
    def ask(route: Any, data: Any, body: Any) -> None:
        usable = [ident for ident in target.known if ident.isalnum()]
        path = route.under + route.path
        for part in [piece for piece in path.split("/") if piece.startswith("{")]:
            path = path.replace(part, data.draw(st.sampled_from(usable)), 1)
        head = {**target.box.headers, "content-type": "application/json"}
        answer = target.box.client.request(route.method, path, content=json.dumps(body), headers=head)
        target.check(answer, f"{route.method} {path} {body!r}")

    ask()


@pytest.mark.parametrize(("examples"), [60, pytest.param(400, marks=pytest.mark.slow)])
def test_any_body_is_answered(target: Target, examples: int) -> None:
    json_ish = st.one_of(
        st.binary(max_size=200), values.map(lambda body: json.dumps(body).encode()),
        st.fixed_dictionaries({"query": texts}, optional={"variables": values, "operationName": values}).map(
            lambda body: json.dumps(body).encode()),
    )  # fmt: skip
    types = st.sampled_from([
        "application/json", "application/json; charset=utf-8", "application/json; charset=latin-1", "text/plain",
        "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=b", "", "x/y; z",
    ])  # fmt: skip
    codings = st.sampled_from(["", "identity", "gzip", "br", "gzip, gzip", "nonsense"])

    @quietly(examples)
    @given(json_ish, types, codings, st.sampled_from(["/graphql", "/_gql", "/api/v1/ontologies/unused"]))
    def ask(body: bytes, kind: str, coding: str, path: str) -> None:
        head = {**target.box.headers, "content-type": kind, "content-encoding": coding}
        target.check(target.box.client.post(path, content=body, headers=head), repr(body))

    ask()


@pytest.mark.parametrize(("examples"), [40, pytest.param(400, marks=pytest.mark.slow)])
def test_any_multipart_request_is_answered(target: Target, examples: int) -> None:
    upload = "mutation ($f: Upload!, $n: Int!) { uploadFile(file: $f, contentLength: $n) { url } }"
    good = json.dumps({"query": upload, "variables": {"f": None, "n": 3}})
    operations = st.one_of(st.just(good), texts, values.map(json.dumps))
    maps = st.one_of(st.just('{"1": ["variables.f"]}'), st.sampled_from([
        '{"1": ["variables"]}', '{"1": [""]}', '{"2": ["variables.f"]}', '{"1": [1]}', '{"1": "variables.f"}',
        '{"1": ["query"]}', '{"1": ["variables.f.g.h"]}', "[]", "null", '{"operations": ["variables.f"]}',
    ]), values.map(json.dumps))  # fmt: skip
    headers = st.sampled_from([
        'name="1"; filename="a.txt"', 'name="1"; filename=""', 'name="1"', 'filename="a"', 'name="1"; filename="../a"',
        'name="1"; filename="a\0b"', 'name="\xff"; filename="\xff"', "",
    ])  # fmt: skip

    @quietly(examples)
    @given(operations, maps, headers, st.binary(max_size=50), st.booleans())
    def ask(told: str, places: str, disposition: str, content: bytes, ended: bool) -> None:
        parts = [
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode(
                "utf-8", "replace"
            )
            for name, text in (("operations", told), ("map", places))
        ]
        parts.append(f"--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode("latin-1"))
        body = b"".join(parts) + content + (b"\r\n--b--\r\n" if ended else b"")
        head = {**target.box.headers, "content-type": "multipart/form-data; boundary=b"}
        target.check(target.box.client.post("/graphql", content=body, headers=head), repr(body))

    ask()
