"""What pyproject.toml cannot say: a wheel carries the files from which `nextbar init` makes a folder."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
DEFAULTS = {"configs": "*.toml", "vault": "*.example"}


class BuildWithDefaults(build_py):
    """Copies `configs/` and the examples of `vault/` into the package `nextbar.defaults`."""

    def run(self) -> None:
        """Build into an empty folder, then copy: a file that an earlier build left would be installed."""
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        for folder, pattern in DEFAULTS.items():
            target = Path(self.build_lib) / "nextbar" / "defaults" / folder
            target.mkdir(parents=True, exist_ok=True)
            for source in sorted((ROOT / folder).glob(pattern)):
                if not source.name.endswith(".local.toml"):
                    self.copy_file(str(source), str(target / source.name))


setup(cmdclass={"build_py": BuildWithDefaults})
