import os


def size(cart):
    return len(cart) + missing
