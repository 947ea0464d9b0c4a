"""The tutorial, followed to the letter."""

from pathlib import Path

from tests.docs.blocks import ROOT, blocks_of
from tests.docs.page_project import PageProject
from tests.support.redis_server import RedisServer

#: The pages in the order of reading.
PAGES = ("first-message", "first-task", "failure-and-retry", "schedule", "deploy")


def test_the_tutorial_works_from_an_empty_folder(redis_server: RedisServer, tmp_path: Path):
    blocks = [block for name in PAGES for block in blocks_of(ROOT / f"docs/tutorial/{name}.md")]
    PageProject(tmp_path, redis_server.url).run(blocks)


def test_the_tutorial_has_no_other_page():
    assert {page.stem for page in (ROOT / "docs/tutorial").glob("*.md")} == set(PAGES)
