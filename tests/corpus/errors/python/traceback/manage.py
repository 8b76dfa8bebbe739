from shop import settings

settings.load({"debug": "yes"})
