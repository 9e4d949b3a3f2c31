"""A recording that is damaged, or a stranger's idea of one: one sentence with file and line, never a traceback."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netsim.errors import InputError
from netsim.files.recording import read

LINES = Path(__file__).with_name("every-event.jsonl").read_text().splitlines(keepends=True)
"""A header, and an event of each kind: what these tests spoil."""
HEADER, PACKET, ICMP, CALL, END, KERNEL, _, CUT, ADD_RULE, HIT, COUNTERS, MISSED = range(1, 13)
"""The lines, as messages count them."""


def refusal(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError) as caught:
        read(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert str(path) in sentence
    return sentence.replace(str(path), "FILE")


CUT_SHORT = "the recording ends here, before all of it was there; it was cut short"
NO_JSON = "this line is no JSON; the file is damaged, or no recording"
ANEW = "and this netsim reads 2; record it anew with 'netsim run NAME --record FILE'"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", CUT_SHORT),
        ("\n", NO_JSON),
        ("hello\n", NO_JSON),
        (b"\xff\xfe\x00\n", NO_JSON),
        ('{"netsim": 2}\n'.encode("utf-16"), NO_JSON),
        (b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00", NO_JSON),
        ("[" * 100_000 + "\n", NO_JSON),
        ('{"netsim": ' + "9" * 5000 + "}\n", NO_JSON),
        ("[1]\n", "this line is no JSON object; the file is damaged, or no recording"),
        ('{"a": 1}\n', "this is no recording; make one with 'netsim run NAME --record FILE'"),
        ('{"netsim": 1, "scenario": "x", "probes": []}\n', f"this recording has version 1, {ANEW}"),
        ('{"netsim": 3}\n', f"this recording has version 3, {ANEW}"),
        ('{"netsim": true}\n', f"this recording has version True, {ANEW}"),
        ('{"netsim": "2"}\n', f"this recording has version '2', {ANEW}"),
        ('{"netsim": 2}\n', "'scenario' is missing"),
        ("x" * ((8 << 20) + 1), "this line has more than 8,388,608 bytes; it is none of netsim's"),
    ],
    ids=range(16),
)
def test_a_foreign_file(tmp_path: Path, content: str | bytes, sentence: str) -> None:
    assert refusal(tmp_path / "run.jsonl", content) == f"FILE:1: {sentence}"


A_NAME = "a name is made of a-z, 0-9 and '-', starts with a letter and does not end with '-'"
A_STEP = {"index": 9, "observed": None, "start_ns": 0, "end_ns": 0, "ok": True}
A_TEXT = "a text without control characters"
AN_END = "and should be an address and a port, as in 10.0.0.1:80"
A_RESULT = "a result, as in ok, 5, ECONNRESET or exit 1"
THE_SOURCES = "it is one of: packet, call, process, kernel, drop, counters, rule, fault, missed"
THE_ACTIONS = (
    "listen, bind, connect, accept, send, recv, shutdown, close, set_option, poll, fetch_error, set_signal, kill, "
    "finish, run, cut, heal, crash, boot, add_rule, set_sysctl, wait"
)
NO_SCENARIO = "a scenario is the text 'a' here; write a mapping such as title: ..."
RECORDED = "in the recorded scenario"


@pytest.mark.parametrize(
    ("line", "change", "sentence"),
    [
        (HEADER, {"text": "a"}, f"in its scenario example.yaml:1:1: {NO_SCENARIO}"),
        (HEADER, {"scenario": "../x"}, f"'../x' cannot be the name of a scenario: {A_NAME}"),
        (HEADER, {"kernel": 6}, f"'kernel' is 6, and should be {A_TEXT}"),
        (HEADER, {"kernel": "\x1b"}, rf"'kernel' is '\x1b', and should be {A_TEXT}"),
        (HEADER, {"engin": "host"}, "unknown field 'engin'; did you mean 'engine'?"),
        (HEADER, {"events": -1}, "'events' is -1, and should be a number of lines"),
        (HEADER, {"sources": "all"}, "'sources' is 'all', and should be a list"),
        (HEADER, {"sources": [1]}, f"'sources' is [1], and should be a list, each item {A_TEXT}"),
        (HEADER, {"steps": [1]}, "'steps' is [1], and should be a list, each item an object"),
        (HEADER, {"steps": [{}]}, "in 'steps': 'index' is missing"),
        (HEADER, {"steps": [A_STEP]}, f"there is no step 9 {RECORDED}"),
        (HEADER, {"steps": [A_STEP | {"observed": "maybe"}]},
         f"in 'steps': 'observed' is 'maybe', and should be {A_RESULT} or null"),
        (HEADER, {"taps": [{"node": "nas", "link": None}]}, f"there is no end of 'lo' at 'nas' {RECORDED}"),
        (HEADER, {"taps": [{"node": "client", "link": "fw -- server"}]},
         f"there is no end of 'fw -- server' at 'client' {RECORDED}"),
        (PACKET, {"index": 1}, "'index' should be 0; lines are missing, or were moved"),
        (PACKET, {"source": "gossip"}, f"unknown source 'gossip'; {THE_SOURCES}"),
        (PACKET, {"source": None}, f"unknown source None; {THE_SOURCES}"),
        (PACKET, {"source": ["packet"]}, f"unknown source ['packet']; {THE_SOURCES}"),
        (PACKET, {"source": "call"}, "'process' is missing"),
        (PACKET, {"time_ns": 1.5}, "'time_ns' is 1.5, and should be a whole number"),
        (PACKET, {"time_ns": True}, "'time_ns' is True, and should be a whole number"),
        (PACKET, {"time_ns": 1 << 70}, "'time_ns' is 1180591620717411303424, and should be a whole number"),
        (PACKET, {"direction": "up"}, "'direction' is 'up', and should be 'out' or 'in'"),
        (PACKET, {"direction": ["out"]}, "'direction' is ['out'], and should be 'out' or 'in'"),
        (PACKET, {"lost": 0}, "'lost' is 0, and should be true or false"),
        (PACKET, {"node": "nas"}, f"there is no node 'nas' {RECORDED}"),
        (PACKET, {"link": "a -- b"}, f"there is no link 'a -- b' at 'fw' {RECORDED}"),
        (PACKET, {"node": "server"}, f"there is no link 'client -- fw' at 'server' {RECORDED}"),
        (PACKET, {"colour": "red"}, "unknown field 'colour'"),
        (PACKET, {"src": "10.0.0.300:80"}, f"'src' is '10.0.0.300:80', {AN_END}"),
        (PACKET, {"src": "10.0.0.3"}, f"'src' is '10.0.0.3', {AN_END}"),
        (PACKET, {"src": "10.0.0.3:65536"}, f"'src' is '10.0.0.3:65536', {AN_END}"),
        (PACKET, {"src": "fd00::1:80"}, f"'src' is 'fd00::1:80', {AN_END}"),
        (PACKET, {"src": "10.0.0.3:\x1b"}, rf"'src' is '10.0.0.3:\x1b', and should be {A_TEXT}"),
        (PACKET, {"segment": "tcp"}, "'segment' is 'tcp', and should be an object"),
        (PACKET, {"segment": {"type": "quic"}},
         "in 'segment': unknown type 'quic'; it is one of: tcp, udp, icmp, arp, other"),
        (PACKET, {"segment": {"type": "tcp", "seq": 1, "ack": 1}}, "in 'segment': 'flags' is missing"),
        (ICMP, {"segment": {"type": "icmp", "kind": 3, "code": 1, "quoted_src": 7}},
         f"in 'segment': 'quoted_src' is 7, and should be {A_TEXT} or null"),
        (CALL, {"result": "EPIPE!"}, f"'result' is 'EPIPE!', and should be {A_RESULT} or null"),
        (CALL, {"result": 5}, f"'result' is 5, and should be {A_TEXT} or null"),
        (CALL, {"step": 3}, f"there is no step 3 {RECORDED}"),
        (CALL, {"action": {"type": "dial"}}, f"in 'action': unknown type 'dial'; it is one of: {THE_ACTIONS}"),
        (CALL, {"action": {"type": "wait", "duration_s": float("nan")}},
         "in 'action': 'duration_s' is nan, and should be a number"),
        (END, {"outcome": "ok"}, "'outcome' is 'ok', and should be another result: Exited or Signalled"),
        (END, {"closed": [None]}, f"'closed' is [None], and should be a list, each item {A_TEXT}"),
        (KERNEL, {"answers": {"flags": 1, "seq": 1, "ack": 1}},
         f"in 'answers': 'flags' is 1, and should be {A_TEXT}"),
        (CUT, {"node": "fw -- client"}, f"there is no link 'fw -- client' {RECORDED}"),
        (CUT, {"action": {"type": "cut", "to": "server"}}, "'server' is no end of the link fw -- client (2)"),
        (CUT, {"action": {"type": "crash"}}, f"there is no node 'fw -- client (2)' {RECORDED}"),
        (ADD_RULE, {"action": {"type": "add_rule", "rule": "drop tcp sport 0"}},
         "in 'action': in 'rule': port '0' is none: a port is a number from 1 to 65535"),
        (HIT, {"rule": "drop from \x1b[31m"}, rf"'rule' is 'drop from \x1b[31m', and should be {A_TEXT}"),
        (COUNTERS, {"grew": {"OutRsts": "1"}}, "'grew' is {'OutRsts': '1'}, and should be an object of whole numbers"),
        (COUNTERS, {"grew": {"\x1b": 1}}, r"'grew' is {'\x1b': 1}, and should be an object of whole numbers"),
        (MISSED, {"node": "nas"}, f"there is no node 'nas' {RECORDED}"),
        (MISSED, {"time_ns": 4}, "this event is older than the one before it; events are sorted by time"),
    ],
)  # fmt: skip
def test_a_damaged_line(tmp_path: Path, line: int, change: dict[str, Any], sentence: str) -> None:
    changed = json.dumps(json.loads(LINES[line - 1]) | change) + "\n"
    spoiled = [*LINES[: line - 1], changed, *LINES[line:]]
    assert refusal(tmp_path / "run.jsonl", "".join(spoiled)) == f"FILE:{line}: {sentence}"


def test_a_recording_that_was_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    assert refusal(path, "".join(LINES[:2])) == f"FILE:3: {CUT_SHORT}"
    assert refusal(path, "".join(LINES)[:-20]) == f"FILE:12: {NO_JSON}"
    assert refusal(path, LINES[0] + LINES[2]) == "FILE:2: 'index' should be 0; lines are missing, or were moved"


def test_lines_behind_the_end(tmp_path: Path) -> None:
    sentence = "FILE:13: more lines follow than the 11 events announced"
    assert refusal(tmp_path / "run.jsonl", "".join([*LINES, LINES[2]])) == sentence


def is_read_or_refused(path: Path) -> None:
    try:
        read(path)
    except InputError as error:
        sentence = str(error)
        assert sentence.startswith(str(path))
        assert sentence.isprintable()
        assert len(sentence) < 1000


@pytest.mark.parametrize("seed", range(20))
def test_damaged_bytes(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray("".join(LINES).encode())
    for _ in range(30):
        spoiled = bytearray(content)
        for _ in range(chance.randint(1, 3)):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        (tmp_path / "run.jsonl").write_bytes(spoiled)
        is_read_or_refused(tmp_path / "run.jsonl")


ANYTHING: list[Any] = [
    None, True, -1, 0, 1 << 63, 1e999, 0.5, "", "x", "\x1b[31m", "\ud800", "9" * 500, [], [[]], [None], {}, {"type": 1},
    {"type": "tcp"}, {"type": "cut", "to": "nas"}, {"x": {}},
]  # fmt: skip


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value where another value can be put."""
    if isinstance(data, dict | list):
        for key in data if isinstance(data, dict) else range(len(data)):
            yield data, key
            yield from places(data[key])


@pytest.mark.parametrize("line", range(1, len(LINES) + 1))
def test_any_value_at_any_place(tmp_path: Path, line: int) -> None:
    path = tmp_path / "run.jsonl"
    before, after = LINES[: line - 1], LINES[line:]
    chance = random.Random(line)
    for i in range(len(list(places(json.loads(LINES[line - 1]))))):
        for value in chance.sample(ANYTHING, 5):
            data = json.loads(LINES[line - 1])
            parent, key = list(places(data))[i]
            parent[key] = value
            path.write_text("".join([*before, json.dumps(data) + "\n", *after]))
            is_read_or_refused(path)
