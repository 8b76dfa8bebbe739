from setuptools import setup
from setuptools.command.build_py import build_py


class Build(build_py):
    def run(self):
        with open("grammar.txt") as grammar:
            print(grammar.read())


setup(name="fast", version="1.0", py_modules=["fast"], cmdclass={"build_py": Build})
