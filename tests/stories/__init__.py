"""Stories whose truth is known from how each was made: a topology, traffic, a fault, and who took part.

A family is a function that makes a story from a random generator; `judge` holds an explanation against its truth, and
`claims` holds each sentence against the timeline. `scripts/stories` plays thousands, the tests a bounded part.
"""
