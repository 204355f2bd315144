"""What a workspace holds: one file a kind, one line a kind here.

A kind's module ends in ``KIND`` (see ``contract.Kind``): its tables, its SDL, its resolvers and its
REST routes. Nothing else in the sandbox lists the kinds.
"""

from lbstack.sandbox.contract import Kind
from lbstack.sandbox.kinds import (
    api_key,
    asset,
    attachment,
    batch,
    data_row,
    data_row_import,
    dataset,
    editor,
    global_key,
    integration,
    invite,
    label,
    member,
    metadata,
    model,
    ontology,
    override,
    project,
    queue,
    reservation,
    review,
    session,
    tag,
    task,
    upload,
    webhook,
)

KINDS: tuple[Kind, ...] = (
    session.KIND,
    api_key.KIND,
    task.KIND,
    upload.KIND,
    dataset.KIND,
    data_row.KIND,
    data_row_import.KIND,
    asset.KIND,
    metadata.KIND,
    global_key.KIND,
    integration.KIND,
    ontology.KIND,
    model.KIND,
    project.KIND,
    attachment.KIND,
    editor.KIND,
    tag.KIND,
    queue.KIND,
    reservation.KIND,
    review.KIND,
    label.KIND,
    batch.KIND,
    override.KIND,
    member.KIND,
    invite.KIND,
    webhook.KIND,
)
