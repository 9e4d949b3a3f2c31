"""What came of a run, for people and for programs: pure functions of an analysis and an explanation.

Content first: `content.py` says what a report consists of. Then the painters, one for each format: `terminal`; the
JSON report says the same to programs.
"""
