"""What came of a run, for people and for programs: pure functions of a timeline, a plan and an explanation."""
