"""The code blocks of a page of Markdown, and what the comments between them ask for.

| comment | meaning |
| --- | --- |
| ``<!-- not run: REASON -->`` | The next block is not run. |
| ``<!-- file: PATH`` … ``-->`` | A file of the project that the reader does not see. |
| ``<!-- before`` … ``-->`` | Python that runs, and that the reader does not see. |
| ``<!-- in the background until: TEXT -->`` | The command of the next block runs until the page stops it. |
| ``<!-- output of the background -->`` | The next block is what that command has printed. |
| ``<!-- stop the background -->`` | That command is stopped, as by Ctrl-C. |
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^( *)```(\S+)?(?: title=\"([^\"]+)\")?\s*$")
COMMENT = re.compile(r"^<!-- ([a-z ]+)(?:: ?(.*?))?(?: ?-->)?$")
PYTHON, NODE = frozenset({"python"}), frozenset({"js"})
SHELL = frozenset({"console", "bash", "sh", "shell"})


@dataclass(frozen=True, slots=True)
class Block:
    """A code block, or a hidden file. ``asked`` and ``detail`` are those of the comment before it."""

    page: str
    line: int
    language: str
    title: str
    text: str
    asked: str = ""
    detail: str = ""

    @property
    def place(self) -> str:
        """Page and line of the block."""
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block: lines behind a dollar sign, or all lines if no line has one."""
        lines = self.text.splitlines()
        marked = [line[2:] for line in lines if line.startswith("$ ")]
        return marked or [line for line in lines if line]

    @property
    def output(self) -> list[str]:
        """The lines that the commands of a shell block print."""
        lines = self.text.splitlines()
        if not any(line.startswith("$ ") for line in lines):
            return []
        return [line for line in lines if line and not line.startswith("$ ")]


def pages() -> list[Path]:
    """README and every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page in their order. A stop of the background is a block without a text."""
    return list(_read(page.relative_to(ROOT).as_posix(), page.read_text(encoding="utf-8").splitlines()))


def _read(page: str, lines: list[str]) -> Iterator[Block]:
    asked = detail = ""
    at = 0
    while at < len(lines):
        line, number = lines[at], at + 1
        at += 1
        if comment := COMMENT.match(line.strip()):
            asked, detail = comment[1].strip(), (comment[2] or "").strip()
            if asked in ("file", "before"):
                end = lines.index("-->", at)
                yield Block(page, number, "python", detail, "\n".join(lines[at:end]) + "\n")
                asked, at = "", end + 1
            elif asked == "stop the background":
                yield Block(page, number, "", "", "", asked)
                asked = ""
        elif fence := FENCE.match(line):
            indent = len(fence[1])
            end = next(n for n in range(at, len(lines)) if lines[n].strip() == "```")
            text = "\n".join(one[indent:] for one in lines[at:end]) + "\n"
            yield Block(page, number, fence[2] or "", fence[3] or "", text, asked, detail)
            asked, at = "", end + 1
        elif line.strip():
            asked = detail = ""
