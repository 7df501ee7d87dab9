"""A plate reader whose program leaves CSV files in a folder: `python reader.py`, and it waits for `export/SAMPLE*.csv`."""

import os

from eutectic import Artifact, File, Out, Sample, capability, serve
from eutectic.adapters.folder import Folder


class Reader(Folder):
    id, name, settle_s = "reader", "Plate reader", 0.3

    @capability(
        outputs={"absorbance": Out("1", 0, 4), "raw": Artifact("text/csv")},
        effect="repeatable",
        abortable=True,
        max_seconds=3600,
    )
    def read(self, run, sample: Sample("plate")):
        """Waits for the plate's file; its last line ends with the absorbance."""
        path = self.result(run, sample)
        return {"absorbance": float(path.read_text().split(",")[-1]), "raw": File(path, "text/csv")}


export = os.environ.get("READER_EXPORT", "export")
os.makedirs(export, exist_ok=True)
serve(Reader(export, "{sample}*.csv", orders=os.path.join(export, "orders.txt")))
