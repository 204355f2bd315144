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
``deliveries``  what webhooks hear of, really sent
``server``      the same application on a loopback port
"""
