"""The sandbox told to misbehave, so that clients can be tried: ``lbstack sandbox serve --faults``.

A rule says at which requests, at which moment, and what goes wrong. The line is
*rule → request → moment → answer*:

``rules``       what a rule may say, and at which requests it holds
``facts``       what a request is: its operations, the kinds and names they concern
``exchange``    one request on its way: what is done to it at each moment
``answers``     how an answer is spoilt: errors in it, garbage instead of it
``wire``        how it goes out, or does not: in pieces, cut off, reset
``waits``       barriers, delays, and the clock they go by
``proxy``       all of it around the application; what was asked and what became of it
``conditions``  the world's switches: stale reads, lesser roles, rate limits, pages that misbehave
``control``     the other port, with its own token, that all this is asked of
``workshop``    looking at the whole workspace, emptying it, and changing it behind a client's back

No fault holds the store's lock while it waits: a transaction that is to fail is undone first.
"""
