"""The text of a script with the parts that it includes."""

from pathlib import Path

import pytest

from queueing.broker import scripts

BLOCK = "if x then\n  -- include part\nend\n"


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("-- include part\n-- include part\n", 1),
        ("-- include part\n" + BLOCK, 1),
        (BLOCK + BLOCK, 2),
        (BLOCK + "-- include part\n", 2),
        ("if x then\n  -- include part\n\n  -- include part\n  if y then\n    -- include part\n", 1),
        ("if x then\n  -- include part\nelse\n  -- include part\nend\n", 2),
    ],
)
def test_a_part_is_included_once_in_each_block_that_cannot_see_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, times: int
):
    monkeypatch.setattr(scripts, "FOLDER", tmp_path)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "part.lua").write_text("local part = 1\n")
    (tmp_path / "script.lua").write_text(text)
    assert scripts.load.__wrapped__("script").source.count(b"local part") == times
