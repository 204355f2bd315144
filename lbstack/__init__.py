"""lbstack: infrastructure as code for Labelbox workspaces.

Data runs along one line, and the folders are named after its stations::

    stack/  YAML -> Stack           positions, variables, every problem at once
    graph   Stack -> Graph          references, order
    live    + State + wire -> Live  reads only, batched over all kinds
    plan/   (graph, state, asking, live) -> Plan    pure
    apply   Plan -> steps carried out       emits events, never prints

with `state/` beside it (what is remembered), `kinds/` (what can be managed, one file a kind),
`render/` (one plan, many faces), `forge/` (where plans are reviewed), `api/` (the wire) and `sandbox/`
(the other side of the wire).

The import rule, held by ``tests/test_house.py``: along ``redaction, values, errors, kinds,
stack, graph, state, asking, live, plan, render, forge, work, apply, settings, session, connect, cli``
nothing imports to its right; `api` imports only `redaction`, `values` and `errors`; `sandbox` imports
nothing of lbstack. No kind is named outside `kinds/` and `sandbox/`. ``__init__`` files hold a docstring;
`kinds` also its registry.
"""
