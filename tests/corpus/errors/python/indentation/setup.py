from setuptools import setup

if True:
setup(name="shop")
