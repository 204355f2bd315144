"""The printed documents of labeling parameter overrides, sent as they are (API reference 1.7)."""

from __future__ import annotations

from test_queue import batched
from workspace import Workspace


def test_overrides_are_set_fetched_and_unset_as_printed(box: Workspace) -> None:
    p, (one, two) = batched(box, 2)
    project = 'project(where: { id: "%s" })' % p  # noqa: UP031 - braces
    rows = (
        f'{{ dataRow: {{ id: "{one}" }}, priority: 1, numLabels: 2 }}, '
        f'{{ dataRow: {{ id: "{two}" }}, priority: 2, numLabels: 3 }}'
    )
    found = box.ask(
        f"mutation SetLabelingParameterOverrides {{ {project} {{"
        f" setLabelingParameterOverrides(data: [ {rows} ]) {{ success }} }} }}"
    )
    assert found == {"setLabelingParameterOverrides": {"success": True}}
    fetch = f"query PullLabelingParameters {{ {project}{{ labelingParameterOverrides{{ id priority }} }} }}"
    assert [each["priority"] for each in box.ask(fetch)["labelingParameterOverrides"]] == [1, 2]
    found = box.ask(
        f"mutation UnsetLabelingParameterOverrides {{ {project} {{"
        f' unsetLabelingParameterOverrides(data: [ {{ dataRowId: "{one}" }}, {{ dataRowId: "{two}" }} ])'
        " { success } } }"
    )
    assert found == {"unsetLabelingParameterOverrides": {"success": True}}
    found = box.ask(
        f"mutation UnsetAllParameterOverrides {{ {project} {{"
        " unsetAllLabelingParameterOverrides { success deletedCount } } }"
    )
    assert found == {"unsetAllLabelingParameterOverrides": {"success": True, "deletedCount": 0}}
