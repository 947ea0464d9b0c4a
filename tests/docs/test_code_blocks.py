"""Every block of Python and shell in README and documentation runs, or gives the reason why not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import PYTHON, ROOT, SHELL, Block, blocks_of, pages
from tests.docs.page_project import PageProject
from tests.support.redis_server import RedisServer

SETTINGS = """
INSTALLED_APPS += ["queueing", "shop"]
QUEUEING = {"URL": "redis://127.0.0.1:6379/0", "QUEUES": ["emails"]}
TASKS = {"default": {"BACKEND": "queueing.tasks_backend.RSMQBackend"}}
ALLOWED_HOSTS = ["*"]
"""
URLS = """from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("", include("queueing.urls"))]
"""


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _is_code(block: Block) -> bool:
    return block.language in PYTHON | SHELL


OTHERS = [
    page
    for page in pages()
    if page.parent.name != "tutorial" and any(_is_code(block) for block in blocks_of(page))
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with an app, the queue and its tables, as the reader of a how-to page has it."""
    folder = tmp_path_factory.mktemp("template")
    project = PageProject(folder, "redis://127.0.0.1:6379/0")

    def run(*command: str) -> None:
        done = subprocess.run([sys.executable, *command], **project.options())
        assert done.returncode == 0, done.stdout

    run("-m", "django", "startproject", "mysite", ".")
    run("manage.py", "startapp", "shop")
    with (folder / "mysite/settings.py").open("a") as file:
        file.write(SETTINGS)
    (folder / "mysite/urls.py").write_text(URLS)
    run("manage.py", "migrate", "--verbosity", "0")
    return folder


@pytest.mark.parametrize("page", OTHERS, ids=_name)
def test_the_blocks_of_a_page_run(page: Path, redis_server: RedisServer, template: Path, tmp_path: Path):
    folder = tmp_path / "project"
    shutil.copytree(template, folder)
    settings = folder / "mysite/settings.py"
    project = PageProject(folder, redis_server.url)
    settings.write_text(project.local(settings.read_text()))
    project.run(blocks_of(page))


def test_a_block_that_is_not_run_gives_its_reason():
    silent = [
        block.place
        for page in pages()
        for block in blocks_of(page)
        if block.asked == "not run" and len(block.detail.split()) < 2
    ]
    assert not silent


def test_data_in_blocks_can_be_read():
    for page in pages():
        for block in blocks_of(page):
            if block.language == "json":
                json.loads(block.text)
            elif block.language == "yaml":
                yaml = pytest.importorskip("yaml")
                assert list(yaml.safe_load_all(block.text)), block.place
