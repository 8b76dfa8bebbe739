"""The API."""
import helpers

helpers.start()
