"""Who uses what: projects their ontology, labels the feature schemas of their annotations."""

from __future__ import annotations

import json
from collections.abc import Iterable

from lbstack.sandbox.context import Context

TABLES = (
    """CREATE TABLE IF NOT EXISTS label_features (
        labelId TEXT NOT NULL, featureSchemaId TEXT NOT NULL, PRIMARY KEY (labelId, featureSchemaId))
        WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS label_features_by_feature ON label_features (featureSchemaId)",
)

# Of a row of ``ontologies``: a project or a model is connected to it. Deleted projects do not count
# (API reference 6.2).
IN_USE = """(EXISTS (SELECT 1 FROM projects p WHERE p.ontologyId = ontologies.id AND p.deleted = 0)
    OR EXISTS (SELECT 1 FROM models m WHERE m.ontologyId = ontologies.id))"""


def labels_use(context: Context, feature_ids: Iterable[str]) -> bool:
    """Say whether any label bears an annotation of one of these feature schemas."""
    sql = (
        "SELECT EXISTS (SELECT 1 FROM label_features"
        " WHERE featureSchemaId IN (SELECT value FROM json_each(?)))"
    )
    return bool(context.store.value(sql, [json.dumps(sorted(feature_ids))]))


def projects_using(context: Context, ontology_id: str) -> list[str]:
    """The ids of the projects that are connected to an ontology."""
    sql = "SELECT id FROM projects WHERE ontologyId = ? AND deleted = 0 ORDER BY rowid"
    return [row["id"] for row in context.store.rows(sql, [ontology_id])]


def models_using(context: Context, ontology_id: str) -> list[str]:
    """The ids of the models that are made for an ontology."""
    sql = "SELECT id FROM models WHERE ontologyId = ? ORDER BY rowid"
    return [row["id"] for row in context.store.rows(sql, [ontology_id])]
