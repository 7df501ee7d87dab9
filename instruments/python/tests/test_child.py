"""The child's side of the host's lines, driven as the host would: `python -m unittest discover instruments/python/tests`."""

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).parent


class Child(unittest.TestCase):
    def setUp(self):
        path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "EUTECTIC_DRIVER_CHILD": "1", "PYTHONPATH": path}
        self.child = subprocess.Popen(
            [sys.executable, HERE / "driver.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.last = 0

    def tearDown(self):
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait(timeout=10)

    def tell(self, **order):
        if "id" not in order:
            self.last += 1
            order["id"] = self.last
        print(json.dumps(order), file=self.child.stdin, flush=True)
        return order["id"]

    def hear(self, id):
        answer = json.loads(self.child.stdout.readline())
        self.assertEqual(answer.pop("id"), id, answer)
        return answer

    def run_(self, capability, **arguments):
        return self.tell(do="run", operation="o", capability=f"everything.{capability}", arguments=arguments, context={})

    def test_describes_itself_from_decorators_and_hints(self):
        described = self.hear(self.tell(do="describe"))["result"]
        self.assertEqual((described["id"], described["version"], described["concurrency"]), ("everything", "1.2.3", 2))
        add = next(each for each in described["capabilities"] if each["id"] == "everything.add")
        self.assertEqual(add["description"], "Adds.")
        self.assertEqual(add["effect"], "repeatable")
        self.assertEqual(add["parameters"][0], {"id": "a", "kind": "quantity", "unit": "Cel", "min": 0, "max": 100})
        self.assertEqual(add["parameters"][2], {"id": "kind", "kind": "choice", "choices": ["x", "y"], "default": "x"})
        self.assertEqual(add["outputs"][2], {"id": "trace", "kind": "series", "columns": {"t": "s", "y": "1"}})

    def test_runs_plain_and_async_methods(self):
        outputs = {"sum": 12.5, "sample": "vial-yTruehi", "trace": {"t": [0, 1], "y": [1.5, None]}}
        answer = self.hear(self.run_("add", a=10.5, n=2, kind="y", loud=True, note="hi"))
        self.assertEqual(answer, {"result": {"outputs": outputs, "sample": "none"}})
        answer = self.hear(self.run_("weigh"))["result"]
        self.assertEqual(answer["outputs"], {"mass": {"value": 1.5, "sd": 0.1, "quality": ""}})
        self.assertEqual(answer["sample"], "modified")

    def test_stops_plain_and_async_methods(self):
        for capability in ("wait", "wait_async"):
            run = self.run_(capability)
            self.tell(do="stop", run=run, why="abort")
            self.assertEqual(self.hear(run)["fault"]["reason"], "CANCELLED")

    def test_tells_faults_and_mistakes_apart(self):
        fault = self.hear(self.run_("clog"))["fault"]
        self.assertEqual((fault["reason"], fault["category"], fault["sample"]), ("CLOGGED", "process", "consumed"))
        fault = self.hear(self.run_("trip"))["fault"]
        self.assertEqual((fault["category"], fault["message"]), ("driver", "ValueError: a mistake"))
        fault = self.hear(self.run_("nonsense"))["fault"]
        self.assertEqual(fault["category"], "driver", "NaN is no JSON")

    def test_waits_at_the_point_of_no_return(self):
        run = self.run_("commit")
        self.assertEqual(self.hear(run), {"point_of_no_return": "modified"})
        self.tell(id=run, do="proceed")
        self.assertEqual(self.hear(run)["result"]["outputs"], {})

    def test_answers_what_it_has_a_method_for(self):
        self.assertEqual(self.hear(self.tell(do="status"))["result"]["readiness"], "local")
        self.assertEqual(self.hear(self.tell(do="safe_state", why="halt")), {"result": {}})
        probe = self.tell(do="probe", operation="o", capability="everything.add", arguments={})
        self.assertEqual(self.hear(probe), {"result": "unknown"})


class Mistakes(unittest.TestCase):
    def test_a_parameter_without_a_hint_is_told_with_its_name(self):
        sys.path.insert(0, str(HERE.parent))
        from eutectic import capability
        from eutectic._describe import describe

        class Bad:
            id = "bad"

            @capability()
            def do(self, run, temperature):
                pass

        with self.assertRaisesRegex(TypeError, "bad.do: parameter 'temperature' needs a type hint"):
            describe(Bad())


if __name__ == "__main__":
    unittest.main()
