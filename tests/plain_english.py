"""Find wording that readers stumble over: ``python -m tests.plain_english [PATH …]``.

Reads docstrings, comments and test names of Python, comments of other code, texts of templates, and
documents. Code in backticks and code blocks, headings and questions are not checked. Prints one finding a
line; the exit status is 1 if there is any. Without a path, all tracked files are checked.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

Text = tuple[int, str]  # line number and text
ROOT = Path(__file__).resolve().parents[1]

#: A sentence begins with its subject and a verb.
BEGINNING = re.compile(
    r"(?:(?:What|Who|Where|So (?:many|much|long|often|few)|Of(?! course)|That (?:of|who|which|what))\b)"
    r"|(?:\w+ )?(?:[Ww]hoever|[Ww]hatever)\b"
)
#: Words for which the field, or plain English, has a better one.
WORDS = re.compile(
    r"\b("
    r"anew|heed(?:s|ed|ing)?|besides|whoever|whatever|whomever|of ours|of us|so many|so few|with none|in vain"
    r"|(?:of|by|for|to|from|with) who"
    r"|(?<!there )(?<!There )(?:is|are|was|were) no (?!longer|more|other|matter|different|better|worse)[a-z]+"
    r"|(?:go|goes|going|gone|went) on(?! the\b| to\b)"
    r"|(?:comes?|came) to (?:be|an?|know|nothing|so|\d+)"
    r"|(?:takes?|took|taken|taking) note"
    r"|(?:tells?|told|telling)(?! (?:\w+ ){0,3}(?:apart|from))"
    r"|hears?|heard|hearing|bears?|bore|borne"
    r"|(?:says?|said|saying) (?:so|what|how|why|whether|which|where|when|who|that|of|it|nothing|otherwise)"
    r"|(?:looks?|looked|looking) (?:at|after|whether|again|through)"
    r"|(?:lies?|lay|lying) (?:in|on|at|there|here|ready|behind|beside|among|outside|between|far|within)"
    r"|(?:stands?|stood) (?!for\b|out\b|alone\b|still\b)[a-z]+"
    r")\b",
    re.IGNORECASE,
)
#: Phrases that may break a rule.
ALLOWED: tuple[str, ...] = ()
#: Files of which only the comments are prose, and how a comment begins.
MARKS = {
    **{".lua": "--", ".js": "//", ".css": "/*"},
    **dict.fromkeys((".service", ".toml", ".yml", ".yaml", "Makefile", "Dockerfile", "run"), "#"),
}


def python_texts(source: str) -> Iterator[Text]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if docstring := ast.get_docstring(node):
                yield node.body[0].lineno, docstring
            name = getattr(node, "name", "")
            if name.startswith("test_"):
                yield node.lineno, name.removeprefix("test_").replace("_", " ").capitalize()
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    yield from joined((token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT)


def commented_texts(source: str, mark: str) -> Iterator[Text]:
    lines = enumerate(source.splitlines(), 1)
    yield from joined((number, line.strip()) for number, line in lines if line.strip().startswith(mark))


def joined(lines: Iterable[Text]) -> Iterator[Text]:
    """Join the comments of neighbouring lines to one text."""
    start, last, text = 0, -1, ""
    for number, line in lines:
        if number != last + 1:
            yield start, text
            start, text = number, ""
        text += re.sub(r"^(?:#:?|--|//|/\*)\s?", "", line) + "\n"
        last = number
    yield start, text


def template_texts(source: str) -> Iterator[Text]:
    tags = r"""\{%\s*translate\s+(["'])(?P<tag>.+?)\1|\{#\s*(?P<note>.+?)\s*#\}"""
    blocks = r"\{%\s*blocktranslate[^%]*%\}(?P<block>.+?)\{%\s*endblocktranslate"
    for match in re.finditer(f"{tags}|{blocks}", source, re.DOTALL):
        yield source.count("\n", 0, match.start()) + 1, match[match.lastgroup].strip()


def document_texts(source: str) -> Iterator[Text]:
    without_code = re.sub(r"(?ms)^ *(```|~~~).*?^ *\1", lambda block: "\n" * block[0].count("\n"), source)
    yield 1, re.sub(r"(?m)^#.*$", "", without_code)


READERS = {".py": python_texts, ".html": template_texts, ".md": document_texts}


def paragraphs(start: int, text: str) -> Iterator[Text]:
    """Split at empty lines, list items and table rows; join the lines of each, with code blanked out."""
    number, lines = start, []
    for at, line in enumerate([*text.splitlines(), ""], start):
        begins = re.match(r"\s*(?:[-*|]\s+|\d+\.\s+)", line)
        if begins or not line.strip():
            yield number, re.sub(r"(`+).+?\1", "`…`", " ".join(lines))
            number, lines = at if begins else at + 1, []
        lines += [line[begins.end() if begins else 0 :].strip()]


def wrong_in(text: str) -> Iterator[str]:
    """Findings of one paragraph: the beginning of a sentence, or a word with its neighbours."""
    for phrase in ALLOWED:
        text = text.replace(phrase, "")
    for sentence in re.split(r"(?<=[.!?])[\"')]*\s+", text.strip()):
        if not sentence.endswith("?") and BEGINNING.match(sentence):
            yield sentence[:60]
        for match in WORDS.finditer(sentence):
            yield sentence[max(0, match.start() - 20) : match.end() + 20]


def findings(path: Path) -> Iterator[str]:
    source, kind = path.read_text(encoding="utf-8"), path.suffix or path.name
    for start, text in commented_texts(source, MARKS[kind]) if kind in MARKS else READERS[kind](source):
        for number, paragraph in paragraphs(start, text):
            for wrong in wrong_in(paragraph):
                yield f"{path.relative_to(ROOT)}:{number}: {wrong}"


def checked(names: list[str]) -> Iterator[Path]:
    command = ["git", "ls-files", *names]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    for name in listed.stdout.splitlines():
        path = ROOT / name
        is_read = (path.suffix or path.name) in {*READERS, *MARKS} and path.exists()
        if is_read:
            yield path


def main(names: list[str]) -> int:
    found = [line for path in checked(names) for line in findings(path)]
    print("\n".join(found), end="\n" if found else "")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
