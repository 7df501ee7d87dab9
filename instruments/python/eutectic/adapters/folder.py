"""Instruments whose program can only be watched: it leaves a result file in a folder, and a person or a robot starts it.

    class Reader(Folder):
        id, name = "reader", "Plate reader"

        @capability(outputs={"absorbance": Out("1", 0, 4), "raw": Artifact("text/csv")}, effect="repeatable", abortable=True)
        def read(self, run, sample: Sample("plate")):
            path = self.result(run, sample)
            return {"absorbance": float(path.read_text().split(",")[1]), "raw": File(path)}

    serve(Reader("C:/Reader/Export", "{sample}*.csv"))
"""

import time
from pathlib import Path

from .. import Fault


class Folder:
    """A folder that is watched for files of such a name; `{sample}` in it stands for the sample's id.

    settle_s: a file counts once it has had the same size for so long, since programs write them bit by bit.
    limit_s: how long a file is waited for. orders: where the sample's id is written to, for a program that can take orders.
    """

    settle_s = 1.0
    limit_s = 3600.0
    look_s = 0.2

    def __init__(self, folder: str | Path, pattern: str = "{sample}*", orders: str | Path | None = None):
        self.folder, self.pattern = Path(folder), pattern
        self.orders = Path(orders) if orders else None

    def result(self, run, sample: str) -> Path:
        """The file for this sample that came, or was written anew, after this was called."""
        if set(sample) & set("/\\*?[]"):
            raise Fault("BAD_SAMPLE", f"{sample!r} can't be part of a file's name", category="request", retry="never", sample="none")
        before = {path: path.stat().st_mtime_ns for path in self._files(sample)}
        if self.orders:
            self.orders.write_text(sample + "\n")
        seen: dict[Path, tuple[int, float]] = {}
        begun = time.monotonic()
        while time.monotonic() - begun < self.limit_s:
            run.sleep(self.look_s)
            for path in self._files(sample):
                stat = path.stat()
                if before.get(path) == stat.st_mtime_ns or stat.st_size == 0:
                    continue
                size, since = seen.get(path, (-1, 0.0))
                if size != stat.st_size:
                    seen[path] = (stat.st_size, time.monotonic())
                elif time.monotonic() - since >= self.settle_s:
                    return path
        words = f"no file {self.pattern.format(sample=sample)} came into {self.folder} within {self.limit_s:.0f} s"
        raise Fault("NO_RESULT", words, category="measurement", retry="after_person")

    def _files(self, sample: str) -> list[Path]:
        return sorted(self.folder.glob(self.pattern.format(sample=sample)))

    def status(self) -> dict:
        """Not ready where the folder is not there: a network drive that has gone."""
        if self.folder.is_dir():
            return {"readiness": "ready"}
        return {"readiness": "offline", "message": f"there is no folder {self.folder}"}

    def safe_state(self, why: str) -> None:
        """Nothing of it can be stopped from here."""
