import json


def load(values):
    return json.loads(values["config"])
