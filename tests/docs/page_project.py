"""A Django project in which the blocks of a page run."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import NODE, PYTHON, ROOT, SHELL, Block
from tests.support import node_programs
from tests.support.node_programs import HINT
from tests.support.program import Program
from tests.support.programs import require
from tests.support.waiting import free_port

#: A file that exists gets the lines of a block at its end. Every other file is replaced.
GROWING = ("settings.py", "requirements.txt")
#: Runs the Python blocks that wait, each by itself, and Django's checks.
RUN = """
import sys, django
django.setup()
from django.core.management import call_command
for place in sys.argv[1:]:
    with open(place) as file:
        code = compile(file.read(), place, "exec")
    exec(code, {"__name__": place})
call_command("check")
"""
PLACEHOLDER = re.compile(r"…|\.\.\.")
SECONDS = 60


class PageProject:
    """A folder, a Redis and the programs of one page or of several pages in a row."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self._redis_url, self._port = redis_url, free_port()
        self._waiting: list[str] = []
        self._has_new_files = False
        self._background: Program | None = None
        self.env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
            "REDIS_URL": redis_url,
            "DJANGO_SETTINGS_MODULE": "mysite.settings",
            "COLUMNS": "200",
        }

    def run(self, blocks: list[Block]) -> None:
        """Run the blocks in their order. Raises ``AssertionError`` with the place of the one that fails."""
        try:
            for block in blocks:
                self._do(block)
            if self._waiting or self._has_new_files:
                self._run_python()
        finally:
            self._stop()

    def _do(self, block: Block) -> None:
        if block.asked == "stop the background":
            self._stop()
        elif block.asked == "not run":
            return
        elif block.asked == "output of the background":
            assert self._background is not None, f"{block.place}: nothing runs in the background"
            for line in block.text.splitlines():
                self._background.wait_for_line(_pattern(line), within_seconds=SECONDS)
        elif block.title and block.language != "text":
            self._write(block)
        elif block.language in PYTHON:
            place = self.folder / f"block-{block.page.replace('/', '-')}-{block.line}.py"
            place.write_text(self.local(block.text))
            self._waiting.append(place.name)
        elif block.language in SHELL:
            if self._waiting:
                self._run_python()
            self._run_shell(block)
        elif block.language in NODE:
            if self._waiting:
                self._run_python()
            self._run_node(block)

    def _write(self, block: Block) -> None:
        path = self.folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        self._has_new_files = True
        with path.open("a" if path.name in GROWING else "w", encoding="utf-8") as file:
            file.write(f"\n{self.local(block.text)}")
            if path.name == "settings.py" and "INSTALLED_APPS" in block.text:
                # The project of a how-to page has some of them already.
                file.write("INSTALLED_APPS = list(dict.fromkeys(INSTALLED_APPS))\n")

    def _run_python(self) -> None:
        """Run what waits, and check the project."""
        done = subprocess.run([sys.executable, "-c", RUN, *self._waiting], **self.options())
        assert done.returncode == 0, done.stdout
        self._waiting = []

    def _run_shell(self, block: Block) -> None:
        script = self.local("\n".join(block.commands))
        if block.asked == "in the background until":
            self._background = Program(
                ["bash", "-c", f"exec {script}"], env=self.env, cwd=self.folder
            ).start()
            self._background.wait_for_line(re.escape(block.detail), within_seconds=SECONDS)
            return
        done = subprocess.run(["bash", "-euc", script], **self.options())
        assert done.returncode == 0, f"{block.place}: {done.returncode}\n{done.stdout}"
        rest = done.stdout
        for line in block.output:
            found = re.search(_pattern(line), rest, re.M)
            assert found, f"{block.place}: no line like {line!r} in\n{done.stdout}"
            rest = rest[found.end() :]

    def _run_node(self, block: Block) -> None:
        """Run a program of Node, with the newest RSMQ of the wire tests."""
        program = require("node", HINT)
        name = f"{node_programs.VERSIONS[-1]}"
        source = self.local(block.text).replace('require("rsmq")', f'require("{name}")')
        options = {**self.options(), "cwd": node_programs.install()}
        done = subprocess.run([program, "-e", source], **options)
        assert done.returncode == 0, f"{block.place}: {done.stdout}"

    def options(self) -> dict:
        return {
            "cwd": self.folder,
            "env": {**os.environ, **self.env},
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "text": True,
            "timeout": SECONDS,
            "check": False,
        }

    def local(self, text: str) -> str:
        """The text with the address of this page's Redis and the port of its server."""
        address = self._redis_url.removeprefix("redis://").partition("/")[0]
        text = text.replace("port: 6379", f"port: {address.partition(':')[2]}")
        text = text.replace("127.0.0.1:6379", address).replace("127.0.0.1:8000", f"127.0.0.1:{self._port}")
        return re.sub(r"runserver$", f"runserver {self._port}", text, flags=re.M)

    def _stop(self) -> None:
        if self._background is not None:
            self._background.stop()
            self._background = None


def _pattern(line: str) -> str:
    """A regular expression for a line of output, in which dots stand for any text."""
    parts = [re.escape(part) for part in PLACEHOLDER.split(re.sub(r"\s+", " ", line.strip()))]
    return ".*".join(parts).replace("\\ ", r"\s+")
