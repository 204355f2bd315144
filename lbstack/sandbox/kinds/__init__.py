"""What a workspace holds: one file a kind, one line a kind here.

A kind's module ends in ``KIND`` (see ``contract.Kind``): its tables, its SDL, its resolvers and its
REST routes. Nothing else in the sandbox lists the kinds.
"""

from lbstack.sandbox.contract import Kind
from lbstack.sandbox.kinds import (
    api_key,
    attachment,
    data_row,
    dataset,
    editor,
    integration,
    invite,
    label,
    member,
    model,
    ontology,
    project,
    queue,
    review,
    session,
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
    integration.KIND,
    ontology.KIND,
    model.KIND,
    project.KIND,
    attachment.KIND,
    editor.KIND,
    queue.KIND,
    review.KIND,
    label.KIND,
    member.KIND,
    invite.KIND,
    webhook.KIND,
)
