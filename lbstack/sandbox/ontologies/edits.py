"""What may become of ontologies and features: created, arranged, edited, archived, deleted.

API reference 1.4, 3.3, 5.3 and 6.2. Edits of a feature reach every ontology that holds it; adding, moving
and removing concern one ontology.
"""

from __future__ import annotations

import json

from lbstack.sandbox.context import Context
from lbstack.sandbox.errors import ConflictError, MalformedError, NotAllowedError, NotFoundError
from lbstack.sandbox.ontologies import shape, storage, tree
from lbstack.sandbox.ontologies.shape import MAX_FEATURES, RELATIONSHIP, Node
from lbstack.sandbox.ontologies.storage import FEATURES, ONTOLOGIES
from lbstack.sandbox.ontologies.usage import labels_use, models_using, projects_using
from lbstack.sandbox.store import Row


def create_ontology(
    context: Context, name: str, normalized: str, media_type: str | None = None, task_type: str | None = None
) -> Row:
    """Create an ontology, always a new one: feature schemas that exist are reused, the rest are created.

    A reused feature must be given as it is: editing belongs to the feature, not to an ontology.
    """
    lists = shape.ontology(shape.parse(normalized))
    features = [node for nodes in lists.values() for node in nodes]
    _create_or_reuse(context, features)
    ontology = _new_ontology(context, name, media_type, task_type)
    for nodes in lists.values():
        storage.arrange(context, ontology["id"], [node["featureSchemaId"] for node in nodes])
    _check_size(context, [ontology["id"]])
    return ontology


def clone_ontology(context: Context, ontology: Row) -> Row:
    """Create an ontology that shows the features of another: these are shared, the arrangement is not."""
    copy = _new_ontology(context, ontology["name"], ontology["mediaType"], ontology["editorTaskType"])
    for list_name in shape.LISTS:
        storage.arrange(context, copy["id"], storage.shown(context, ontology["id"], list_name))
    return copy


def rename_ontology(context: Context, ontology: Row, name: str) -> Row:
    """Give an ontology another name."""
    _check_text(name, "name")
    return context.change(ONTOLOGIES, ontology["id"], {"name": name})


def delete_ontology(context: Context, ontology: Row) -> None:
    """Delete an ontology that no project uses; its features stay."""
    projects = projects_using(context, ontology["id"])
    if projects:
        raise ConflictError(
            "Cannot delete an ontology connected to a project. "
            f"The ontology is connected to projects: {', '.join(projects)}"
        )
    models = models_using(context, ontology["id"])
    if models:
        raise ConflictError(
            "Cannot delete an ontology connected to a model. "
            f"The ontology is connected to models: {', '.join(models)}"
        )
    context.change(ONTOLOGIES, ontology["id"], {"deleted": 1})


def insert_feature(context: Context, ontology: Row, feature_id: str, position: int) -> None:
    """Put a root feature at ``position`` of its list, moving it when it is there already.

    Tools, classifications and relationships are lists of their own; a position counts the features that
    are shown in the feature's list, and one beyond its end means the end. An archived feature is shown again.
    """
    list_name = storage.find_root(context, feature_id)["list"]
    others = [each for each in storage.shown(context, ontology["id"], list_name) if each != feature_id]
    others.insert(position, feature_id)
    storage.arrange(context, ontology["id"], others)
    context.change(ONTOLOGIES, ontology["id"], {})
    _check_size(context, [ontology["id"]])


def remove_feature(context: Context, ontology: Row, feature_id: str) -> bool:
    """Take a feature out of an ontology; True when it was archived, since labels use it.

    A nested feature is deleted from its root feature, and so from every ontology that holds that; it is
    refused while labels use it.
    """
    held = {member.id: member.node for member in storage.members(context, ontology["id"])}
    root_id = storage.root_of(context, feature_id) or ""
    if root_id not in held:
        raise _no_such_node(feature_id)
    root = held[root_id]
    if feature_id != root_id:
        nested = next(node for node in tree.nodes(root) if node["featureSchemaId"] == feature_id)
        if labels_use(context, tree.ids(nested)):
            raise NotAllowedError(f"Cannot delete feature schema {feature_id}: it is nested and has labels")
        _save(context, tree.remove(root, feature_id))
        return False
    used = labels_use(context, tree.ids(root))
    change = "UPDATE ontology_features SET archived = 1" if used else "DELETE FROM ontology_features"
    context.store.run(f"{change} WHERE ontologyId = ? AND featureId = ?", [ontology["id"], feature_id])
    context.change(ONTOLOGIES, ontology["id"], {})
    return used


def unarchive_feature(context: Context, ontology: Row, feature_id: str) -> None:
    """Show an archived root feature again, at the end of its list; one that is shown stays where it is."""
    for member in storage.members(context, ontology["id"]):
        if member.id == feature_id:
            if member.archived:
                shown = storage.shown(context, ontology["id"], member.list)
                storage.arrange(context, ontology["id"], [*shown, feature_id])
                context.change(ONTOLOGIES, ontology["id"], {})
            return
    raise _no_such_node(feature_id)


def create_feature(context: Context, node: Node) -> str:
    """Store a feature as a new one, whatever ids it was given; return its feature schema id."""
    replaced = tree.number(node, context.new_id)
    _bind_constraints(context, [node], replaced)
    return storage.add_feature(context, node)


def edit_feature(context: Context, feature: Row, node: Node) -> str:
    """Put ``node`` in the place of a root feature, in every ontology that holds it; return its id.

    Nested features whose ids are given keep them; one that is left out is dropped, or archived when
    labels use it.
    """
    if node["featureSchemaId"] not in (None, feature["id"]):
        raise MalformedError(f"featureSchemaId {node['featureSchemaId']} is not {feature['id']}")
    before = json.loads(feature["definition"])
    after = tree.edit(before, node, context.new_id, lambda ident: labels_use(context, {ident}))
    _bind_constraints(context, [after], {})
    _save(context, after)
    return str(feature["id"])


def retitle_feature(context: Context, feature: Row, title: str) -> None:
    """Rename a root feature; instructions that repeated the old name repeat the new one."""
    _check_text(title, "title")
    node = json.loads(feature["definition"])
    if node.get("instructions") == node["name"]:
        node["instructions"] = title
    _save(context, node | {"name": title})


def delete_feature(context: Context, feature_id: str) -> None:
    """Delete a root feature that nothing uses; the refusals are the service's words (API reference 5.3)."""
    row = context.store.row(
        "SELECT deleted FROM feature_schemas WHERE id = ? AND organizationId = ?",
        [feature_id, context.organization_id],
    )
    if row is not None and row["deleted"]:
        raise ConflictError("Feature schema is already deleted")
    feature = storage.find_root(context, feature_id)
    if storage.holders(context, feature_id):
        raise ConflictError("Feature schema cannot be deleted because it is used in ontologies")
    if labels_use(context, tree.ids(json.loads(feature["definition"]))):
        raise ConflictError("Feature schema cannot be deleted because it is used in annotations")
    context.change(FEATURES, feature_id, {"deleted": 1})


def _create_or_reuse(context: Context, features: list[Node]) -> None:
    given = [node["featureSchemaId"] for node in features if node["featureSchemaId"] is not None]
    if len(given) > len(set(given)):
        raise MalformedError("an ontology cannot hold the same feature schema twice")
    known = storage.roots(context, given)
    fresh: list[Node] = []
    replaced: dict[str, str] = {}
    for node in features:
        old = known.get(node["featureSchemaId"])
        if old is None:
            made = tree.number(node, context.new_id)
            if made.keys() & (replaced.keys() | known.keys()):
                raise MalformedError(f"featureSchemaId {min(made)} is used twice")
            replaced |= made
            fresh.append(node)
        elif tree.content(tree.visible(old)) != tree.content(node):
            raise MalformedError(
                f"feature schema {old['featureSchemaId']} exists with other content: edit it there"
            )
    _bind_constraints(context, fresh, replaced, {node["featureSchemaId"] for node in features})
    for node in fresh:
        storage.add_feature(context, node)


def _bind_constraints(
    context: Context, features: list[Node], replaced: dict[str, str], among: set[str] | None = None
) -> None:
    """Make the constraints of relationships name real features, rewriting placeholders (3.3)."""
    for node in features:
        if node.get("tool") != RELATIONSHIP:
            continue
        pairs = [[replaced.get(side, side) for side in pair] for pair in node["definition"]["constraints"]]
        sides = {side for pair in pairs for side in pair}
        unknown = sides - (storage.roots(context, sides).keys() if among is None else among)
        if unknown:
            raise MalformedError(f"a constraint of {node['name']!r} names no feature schema: {min(unknown)}")
        node["definition"] = {"constraints": pairs}


def _new_ontology(context: Context, name: str, media_type: str | None, task_type: str | None) -> Row:
    _check_text(name, "name")
    row = {"name": name, "description": "", "mediaType": media_type, "editorTaskType": task_type}
    if context.conditions.limits:
        sql = "SELECT count(*) FROM ontologies WHERE organizationId = ? AND deleted = 0"
        context.conditions.full("ontologies", context.store.value(sql, [context.organization_id]))
    return context.create(ONTOLOGIES, {**row, "projectInstructions": None, "deleted": 0})


def _save(context: Context, node: Node) -> None:
    storage.save_feature(context, node)
    holders = storage.holders(context, node["featureSchemaId"])
    for ontology_id in holders:
        context.change(ONTOLOGIES, ontology_id, {})
    _check_size(context, holders)


def _check_size(context: Context, ontology_ids: list[str]) -> None:
    sql = (
        "SELECT count(*) FROM ontology_features m JOIN feature_nodes n ON n.rootId = m.featureId"
        " WHERE m.ontologyId = ?"
    )
    for ontology_id in ontology_ids:
        if context.store.value(sql, [ontology_id]) > MAX_FEATURES:
            raise MalformedError(f"an ontology holds at most {MAX_FEATURES} features")


def _check_text(text: str, what: str) -> None:
    if not text.strip():
        raise MalformedError(f"{what} must not be empty")


def _no_such_node(feature_id: str) -> NotFoundError:
    return NotFoundError(f"Failed to find feature schema node by id: {feature_id}")
