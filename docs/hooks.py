"""Hooks of MkDocs: the generated parts of the reference, and the pages that only some trees have."""

import os
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PART = re.compile(r"^<!-- generated: (\w+) -->$", re.M)


def on_startup(**_: Any) -> None:
    """Set Django up with the site's settings of development."""
    sys.path.insert(0, str(ROOT))
    os.environ |= {"DJANGO_SETTINGS_MODULE": "mqsite.settings", "DEBUG": "1"}
    import django

    django.setup()
    from queueing import handlers

    handlers.discover()


def on_config(config: Any) -> Any:
    """Put the page about the inside of the package into the navigation if there is one."""
    if (Path(config.docs_dir) / "internals.md").exists():
        [explanation] = [part["Explanation"] for part in config.nav if "Explanation" in part]
        explanation.append({"Internals": "internals.md"})
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the comments that name a generated part. An unknown name is an error."""
    from docs.generate import PARTS

    return PART.sub(lambda found: PARTS[found[1]](), markdown)
