"""YAML is read into text, lists and mappings with their places; what a scenario needs not is refused."""

from __future__ import annotations

import pytest
import yaml

from netsim.errors import InputError
from netsim.files.document import Mapping, Scalar, Sequence, parse_document


@pytest.fixture(params=["libyaml", "python"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both parsers that PyYAML may have."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    elif not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")
    return str(request.param)


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_document(text, "f")
    return str(caught.value)


def test_places_and_texts() -> None:
    root = parse_document("a: off\nb:\n  - 'x y'\n  - {c: 010}\n", "f")
    assert isinstance(root, Mapping)
    off = root.values["a"]
    assert isinstance(off, Scalar)
    assert (off.text, str(off.place)) == ("off", "f:1:4")
    items = root.values["b"]
    assert isinstance(items, Sequence)
    quoted, inner = items.items
    assert isinstance(quoted, Scalar)
    assert (quoted.text, quoted.plain, str(quoted.place)) == ("x y", False, "f:3:5")
    assert isinstance(inner, Mapping)
    assert (inner.keys["c"].text, str(inner.keys["c"].place)) == ("c", "f:4:6")
    assert inner.values["c"].text == "010"  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\n\n", "---\n", "---\n# nothing\n...\n"])
def test_an_empty_file(text: str) -> None:
    assert refusal(text) == "f:1:1: the file is empty; a scenario has at least 'title' and 'nodes'"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\n---\nb: 2\n", "f:2:1: a second document begins here; a scenario file holds one"),
        ("a: &x 1\n", "f:1:4: the anchor '&x' is not allowed here; leave it out"),
        ("a: *x\n", "f:1:4: the alias '*x' is not allowed here; write its value out"),
        ("a: !!python/none x\n", "f:1:4: the tag 'tag:yaml.org,2002:python/none' is not allowed here; leave it out"),
        ("a: !x {}\n", "f:1:4: the tag '!x' is not allowed here; leave it out"),
        ("<<: {a: 1}\n", "f:1:1: the merge key '<<' is not allowed here; write the values out"),
        ("? [a]\n: 1\n", "f:1:3: a list or a mapping stands where a key belongs; write 'key: value'"),
        ("a: 1\nb: 2\na: 3\n", "f:3:1: 'a' stands here a second time, after line 1; rename or delete one"),
        ("a: \x1b[31m\n", "f:1:4: character U+001B is not allowed; delete it"),
        ("a: x\x85y\n", "f:1:5: character U+0085 is not allowed; delete it"),
        ("a: x\u202ey\n", "f:1:5: character U+202E is not allowed; delete it"),
        ("a:\n- x\x00\n", "f:2:4: character U+0000 is not allowed; delete it"),
        ('a: "\\e[31m"\n', "f:1:4: character U+001B is not allowed in a text; leave it out"),
    ],
)  # fmt: skip
def test_what_no_scenario_needs(text: str, sentence: str) -> None:
    assert refusal(text) == sentence


@pytest.mark.parametrize("times", [30, 250_000])
@pytest.mark.parametrize("opened", ["[", "- ", "{a: "])
def test_a_document_without_a_bottom(opened: str, times: int) -> None:
    """libyaml has a limit of its own, which a line without an end may meet first: its place is another."""
    assert refusal(opened * times).endswith(": this is nested more than 20 levels deep; a scenario needs 5")


@pytest.mark.parametrize(
    ("text", "place", "advice"),
    [
        ("a: b: c\n", "f:1:5", "put a text that holds ': ' in quotes, and check the indentation"),
        ("\ta: 1\n", "f:1:1", "indent with spaces, and put a text with special characters in quotes"),
        ("a: @x\n", "f:1:4", "indent with spaces, and put a text with special characters in quotes"),
        ("a: 'x\n", "f:2:1", "a quote or a bracket is left open"),
    ],
)
def test_broken_yaml(text: str, place: str, advice: str) -> None:
    sentence = refusal(text)
    assert sentence.startswith(f"{place}: this is no YAML: ")
    assert sentence.endswith(f"; {advice}")


@pytest.mark.parametrize(
    "text", ["a: [1,", "- a\nb: 3", "a:\n  - x\n - y", "a: |\n  x\n b", "%YAML 3.0\n--- a", "x\ny: 3", "}"]
)
def test_broken_yaml_is_always_one_sentence(text: str) -> None:
    sentence = refusal(text)
    assert sentence.startswith("f:")
    assert "this is no YAML: " in sentence
    assert "\n" not in sentence
