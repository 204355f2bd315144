"""A local Labelbox: the other side of the wire.

Built from the API reference, not from lbstack's wishes, and it imports nothing of lbstack but itself.
The line is *HTTP → schema → kind → store*:

``app``         the ASGI application: keys, request bodies, GraphQL and REST answers
``schema``      the GraphQL schema gathered from the kinds; documents parsed, validated, weighed, executed
``kinds/``      what a workspace holds, one file a kind: tables, SDL, resolvers, REST routes
``context``     one request: who asks, what they may do, reading and writing rows
``store``       SQLite: transactions, and the ledger of every mutation that was carried out
``seed``        what a fresh workspace holds
``world``       what happens to a workspace without the API: invites are accepted, keys are made
``jobs``        what a request leaves for later: rows, carried out in the transaction that removes them
``files``       uploads, and what imports and exports leave behind
``workflow``    which data rows a project holds, and where each stands in its queues
``deliveries``  what webhooks hear of, really sent
``conditions``  limits, lags and weather of one running sandbox
``faults/``     how it misbehaves when told, and the port on which it is told
``server``      the same application on a loopback port

Kinds whose rules fill more than a file have a folder beside: ``ontologies/``, ``rows/``, ``annotations/``,
``exports/``.
"""
