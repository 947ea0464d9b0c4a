"""Creates ``var/peers``, the environments of the peers. The project itself does not need them."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

from .peer import PLACE

HERE = Path(__file__).parent


def install() -> None:
    """Install the pinned versions of the peers with pip and npm, in the configuration of this machine."""
    PLACE.mkdir(parents=True, exist_ok=True)
    for requirements in HERE.glob("requirements*.txt"):
        place = PLACE / requirements.stem.replace("requirements", "venv")
        venv.create(place, with_pip=True)
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "-r", str(requirements)], check=True)
    shutil.copy(HERE / "package.json", PLACE)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=PLACE, check=True)


def require_installed() -> None:
    if not (PLACE / "node_modules").is_dir():
        sys.exit("The peers are missing: python -m benchmarks.peers install")
