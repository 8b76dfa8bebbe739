from setuptools import setup

from Cython.Build import cythonize

setup(name="fast", version="1.0", ext_modules=cythonize("fast.pyx"))
