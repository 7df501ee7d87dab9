"""A driver in plain Python, without any package: eutectic driver host --folder bath -- python3 examples/drivers/bath.py"""
import json
import sys
import time

DESCRIPTION = {
    "id": "bath",
    "name": "Water bath",
    "capabilities": [{
        "id": "bath.hold",
        "parameters": [{"id": "temperature", "kind": "quantity", "unit": "Cel", "min": 4, "max": 95}],
        "outputs": [{"id": "reached", "kind": "quantity", "unit": "Cel", "min": 0, "max": 100}],
        "effect": "repeatable",
    }],
}


def say(**message):
    print(json.dumps(message), flush=True)


for line in sys.stdin:
    order = json.loads(line)
    match order["do"]:
        case "describe":
            say(id=order["id"], result=DESCRIPTION)
        case "run":
            say(id=order["id"], progress=0.5, stage="heating")
            time.sleep(0.1)  # here you would talk to the bath
            say(id=order["id"], result={"outputs": {"reached": order["arguments"]["temperature"]}, "sample": "none"})
        case _:  # status, safe_state: nothing to tell
            say(id=order["id"], result={})
